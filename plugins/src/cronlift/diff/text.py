"""A diff for terminals."""

from collections.abc import Iterator

from cronlift.diff.clean import plain
from cronlift.diff.model import DagChange, Diff, FieldChange, Kind
from cronlift.diff.words import cores, memory, moment

_MARKS = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~"}


def as_text(diff: Diff) -> str:
    """Return a diff as lines."""
    if diff.is_empty:
        return f"No DAG differs from {plain(diff.base)}.\n"
    return "\n".join(_lines(diff)) + "\n"


def _lines(diff: Diff) -> Iterator[str]:
    for name, fields in diff.team_changes.items():
        yield f"team {plain(name)}"
        yield from _fields(fields)
    for change in diff.dags:
        yield f"{_MARKS[change.kind]} {plain(change.dag_id)}  {plain(change.file)}"
        yield from _fields(change.fields)
        yield from _runs(change)
    if diff.images:
        yield "images, by the number of tasks"
        yield from (f"    {plain(each.image)}: {each.before} -> {each.after}" for each in diff.images)
    if diff.hours:
        yield "requests of all runs that start in an hour (UTC)"
        for each in diff.hours:
            if (each.cpu_before, each.memory_before) != (each.cpu_after, each.memory_after):
                yield (
                    f"    {each.hour:02}h  cpu {cores(each.cpu_before)} -> {cores(each.cpu_after)}"
                    f"  memory {memory(each.memory_before)} -> {memory(each.memory_after)}"
                )
    if diff.warnings:
        yield f"{len(diff.warnings)} warning{'s' if len(diff.warnings) > 1 else ''}"
        yield from (f"  ! {each.say(plain)}" for each in diff.warnings)


def _fields(fields: tuple[FieldChange, ...]) -> Iterator[str]:
    for each in fields:
        before, after = plain(each.before), plain(each.after)
        if before and after:
            yield f"    {plain(each.name)}: {before} -> {after}"
        else:
            yield f"    {'+' if after else '-'} {plain(each.name)}: {after or before}"


def _runs(change: DagChange) -> Iterator[str]:
    if change.runs_before != change.runs_after:
        before, after = (", ".join(map(moment, runs)) or "none" for runs in (change.runs_before, change.runs_after))
        yield f"    next runs (UTC): {after if change.kind is Kind.ADDED else f'{before} -> {after}'}"
