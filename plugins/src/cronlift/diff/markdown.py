"""A diff as Markdown, for the summary of a CI job or a comment: all that authors wrote stands in code spans."""

from collections.abc import Iterator

from cronlift.diff.clean import cell, code
from cronlift.diff.model import DagChange, Diff, FieldChange, Hour, Kind
from cronlift.diff.words import cores, memory, moment

LIMIT = 60_000
"""GitHub takes 65,536 characters for a comment."""

_MARKS = {Kind.ADDED: "new", Kind.REMOVED: "gone", Kind.CHANGED: "changed"}


def as_markdown(diff: Diff) -> str:
    """Return a diff as Markdown of at most LIMIT characters."""
    if diff.is_empty:
        return f"No DAG differs from {code(diff.base)}.\n"
    lines = list(_lines(diff))
    text = "\n".join(lines) + "\n"
    if len(text) <= LIMIT:
        return text
    kept, size = [], 0
    for line in lines:
        size += len(line) + 1
        if size > LIMIT - 200:
            break
        kept.append(line)
    return "\n".join([*kept, "", f"*{len(lines) - len(kept)} more lines: run `cronlift diff` for all of them.*"]) + "\n"


def _lines(diff: Diff) -> Iterator[str]:
    counts = {kind: sum(each.kind is kind for each in diff.dags) for kind in Kind}
    told = ", ".join(f"{counts[kind]} {_MARKS[kind]}" for kind in Kind)
    yield f"### DAGs: {told}, compared with {code(diff.base)}"
    if diff.warnings:
        yield from ("", f"**{len(diff.warnings)} warning{'s' if len(diff.warnings) > 1 else ''}**", "")
        yield from (f"- {each.say(code)}" for each in diff.warnings)
    if diff.dags:
        yield from ("", "| DAG | | what | before | after |", "| --- | --- | --- | --- | --- |")
        for change in diff.dags:
            yield from _rows(change)
    if diff.team_changes:
        yield from ("", "| team | key | before | after |", "| --- | --- | --- | --- |")
        for name, fields in diff.team_changes.items():
            yield from (f"| {cell(name)} | {_cells(each)} |" for each in fields)
    if diff.images:
        yield from ("", "| image | tasks before | tasks after |", "| --- | --- | --- |")
        yield from (f"| {cell(each.image)} | {each.before} | {each.after} |" for each in diff.images)
    if diff.hours:
        yield from _hours(diff.hours)


def _rows(change: DagChange) -> Iterator[str]:
    head = f"{cell(change.dag_id)} | {_MARKS[change.kind]}"
    rows = [_cells(each) for each in change.fields]
    if change.runs_before != change.runs_after:
        before, after = (", ".join(map(moment, runs)) for runs in (change.runs_before, change.runs_after))
        rows.append(f"next runs (UTC) | {before} | {after}")
    for index, row in enumerate(rows or [" | | "]):
        yield f"| {head if index == 0 else ' | '} | {row} |"


def _cells(field: FieldChange) -> str:
    return f"{cell(field.name)} | {cell(field.before)} | {cell(field.after)}"


def _hours(found: tuple[Hour, ...]) -> Iterator[str]:
    yield from ("", "<details><summary>Requests of all runs that start in each hour (UTC)</summary>", "")
    yield from ("| hour | CPU before | CPU after | memory before | memory after |", "| --- | --- | --- | --- | --- |")
    for each in found:
        cells = cores(each.cpu_before), cores(each.cpu_after), memory(each.memory_before), memory(each.memory_after)
        yield f"| {each.hour:02} | {' | '.join(cells)} |"
    yield from ("", "</details>")
