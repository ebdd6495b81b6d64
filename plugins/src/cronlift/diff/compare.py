"""Compare the DAGs before and after a change."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from cronlift.diff.concerns import concerns
from cronlift.diff.hours import hours
from cronlift.diff.model import DagChange, Diff, FieldChange, ImageChange, Kind, Side
from cronlift.diff.words import amounts, listed, said, schedule
from cronlift.facts.model import DagFacts, FileFacts, TaskFacts
from cronlift.teams.model import TeamEntry

RUNS_SHOWN = 3
_JOB_CHANGES = 12
"""A new base template may change every field of a Job; the file's own diff shows the rest."""

_SECRET_KEYS = ("data", "stringData")


def compare(base: str, before: Side, after: Side, teams: Sequence[str], at: datetime) -> Diff:
    """Return what a change does.

    Args:
        base: What it is compared with, for the reader.
        before: The DAGs of the base.
        after: The DAGs of the working tree.
        teams: Those whose DAGs were read on both sides.
        at: The moment from which next runs are told, aware.
    """
    old, new = dags_of(before), dags_of(after)
    told = {file.path for side in (before, after) for file in side.files if is_broken(side, file.path)}
    # Of a folder that no bundle takes over, no file was read: nothing of the team is gone, or new.
    unread = {file.team for side in (before, after) for file in side.files if is_refused(file)}
    broken = told | {file.path for side in (before, after) for file in side.files if file.team in unread}
    whole_old, whole_new = ([dag for dag in side.values() if dag.file not in broken] for side in (old, new))
    changes = [
        change
        for dag_id in sorted({*old, *new})
        if (change := _dag(old.get(dag_id), new.get(dag_id), broken)) is not None
    ]
    return Diff(
        base=base,
        teams=tuple(sorted(teams)),
        team_changes=_teams(before.teams, after.teams),
        dags=tuple(changes),
        images=_images(whole_old, whole_new),
        hours=hours(whole_old, whole_new, at),
        warnings=concerns(before, after, told, broken, at),
    )


def dags_of(side: Side) -> dict[str, DagFacts]:
    """Return the DAGs of a side by their ids; of two with one id, the first file's."""
    found: dict[str, DagFacts] = {}
    for file in side.files:
        for dag in file.dags:
            found.setdefault(dag.dag_id, dag)
    return found


def is_broken(side: Side, path: str) -> bool:
    """Tell a file of which DAGs may be missing, because it does not import."""
    kinds = {each.kind for file in side.files if file.path == path for each in file.findings}
    return bool(kinds - {"advice", "varying", "timetable"})


def is_refused(file: FileFacts) -> bool:
    """Tell whether this stands for a whole folder over which Airflow would fail."""
    return any(each.kind == "deliverable" for each in file.findings)


def _dag(old: DagFacts | None, new: DagFacts | None, broken: set[str]) -> DagChange | None:
    if old is None and new is not None:
        if new.file in broken:
            return None
        return DagChange(new.dag_id, new.team, Kind.ADDED, new.file, tuple(_whole(new)), (), _few(new))
    if new is None and old is not None:
        if old.file in broken:
            return None
        return DagChange(old.dag_id, old.team, Kind.REMOVED, old.file, tuple(_gone(old)), _few(old), ())
    if old is None or new is None:
        return None
    fields = tuple(_fields(old, new))
    if not fields and old.hash != new.hash:
        fields = (FieldChange("other settings", "", "see the file's own diff"),)
    if not fields:
        return None
    return DagChange(new.dag_id, new.team, Kind.CHANGED, new.file, fields, _few(old), _few(new))


def _few(dag: DagFacts) -> tuple[str, ...]:
    return dag.next_runs[:RUNS_SHOWN]


def _whole(dag: DagFacts) -> Iterator[FieldChange]:
    yield FieldChange("schedule", "", schedule(dag))
    yield FieldChange("owners", "", listed(dag.owners))
    for task in dag.tasks:
        yield FieldChange(f"task {task.task_id}", "", _in_short(task))


def _gone(dag: DagFacts) -> Iterator[FieldChange]:
    yield FieldChange("schedule", schedule(dag), "")
    for task in dag.tasks:
        yield FieldChange(f"task {task.task_id}", _in_short(task), "")


def _in_short(task: TaskFacts) -> str:
    words = [task.manifest or task.operator, *task.images, *([amounts(task.requests)] if task.requests else [])]
    return ", ".join(words)


def _fields(old: DagFacts, new: DagFacts) -> Iterator[FieldChange]:
    pairs = {
        "file": (old.file, new.file),
        "team": (old.team, new.team),
        "schedule": (schedule(old), schedule(new)),
        "owners": (listed(old.owners), listed(new.owners)),
        "tags": (listed(old.tags), listed(new.tags)),
        "catchup": (said(old.catchup), said(new.catchup)),
        "begins paused": (said(old.paused_upon_creation), said(new.paused_upon_creation)),
        "runs at once": (str(old.max_active_runs), str(new.max_active_runs)),
        "start date": (old.start_date or "", new.start_date or ""),
        "end date": (old.end_date or "", new.end_date or ""),
    }
    yield from (FieldChange(name, first, second) for name, (first, second) in pairs.items() if first != second)
    before, after = ({task.task_id: task for task in dag.tasks} for dag in (old, new))
    for task_id in sorted({*before, *after}):
        yield from _task(task_id, before.get(task_id), after.get(task_id))


def _task(task_id: str, old: TaskFacts | None, new: TaskFacts | None) -> Iterator[FieldChange]:
    if old is None or new is None:
        yield FieldChange(f"task {task_id}", _in_short(old) if old else "", _in_short(new) if new else "")
        return
    pairs = {
        "operator": (old.operator, new.operator),
        "mapped": (said(old.mapped), said(new.mapped)),
        "after": (listed(old.upstream), listed(new.upstream)),
        "pool": (old.pool, new.pool),
        "retries": (str(old.retries), str(new.retries)),
        "manifest": (old.manifest or "", new.manifest or ""),
        "images": (listed(old.images), listed(new.images)),
        "requests": (amounts(old.requests), amounts(new.requests)),
        "limits": (amounts(old.limits), amounts(new.limits)),
    }
    for name, (first, second) in pairs.items():
        if first != second:
            yield FieldChange(f"task {task_id}: {name}", first, second)
    yield from _job(task_id, old, new)


def _job(task_id: str, old: TaskFacts, new: TaskFacts) -> Iterator[FieldChange]:
    """Yield what else changed of the objects that a run sends; images and resources are told already."""
    before, after = (_leaves_of(task.documents) for task in (old, new))
    changed = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
    told = ("image", "resources")
    rest = [path for path in changed if not any(part in told for part in path.split("."))]
    for path in rest[:_JOB_CHANGES]:
        yield FieldChange(f"task {task_id}: {path}", before.get(path, ""), after.get(path, ""))
    if len(rest) > _JOB_CHANGES:
        yield FieldChange(f"task {task_id}", "", f"{len(rest) - _JOB_CHANGES} more fields of its Job")


def _leaves_of(documents: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    found = {}
    for document in documents:
        kind = str(document.get("kind", ""))
        name = (document.get("metadata") or {}).get("name", "")
        label = kind if kind == "Job" else f"{kind} {name}"  # a manifest has one Job, and any number of others
        for path, value in _leaves(document, ""):
            secret = kind == "Secret" and path.split(".")[0] in _SECRET_KEYS
            found[f"{label}.{path}"] = "***" if secret else value
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, (dict, list)) and value:
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(each, f"{path}.{key}" if path else str(key))
    else:
        yield path, str(value)


def _teams(before: Mapping[str, TeamEntry], after: Mapping[str, TeamEntry]) -> dict[str, tuple[FieldChange, ...]]:
    found = {}
    for name in sorted({*before, *after}):
        old, new = (side[name].settings if name in side else {} for side in (before, after))
        fields = tuple(
            FieldChange(key, _value(old.get(key)), _value(new.get(key)))
            for key in sorted({*old, *new})
            if old.get(key) != new.get(key)
        )
        if fields:
            found[name] = fields
    return found


def _value(value: Any) -> str:
    return "" if value is None else listed(value) if isinstance(value, list) else str(value)


def _images(old: Sequence[DagFacts], new: Sequence[DagFacts]) -> tuple[ImageChange, ...]:
    before, after = (
        Counter(image for dag in side for task in dag.tasks for image in task.images) for side in (old, new)
    )
    return tuple(
        ImageChange(image, before[image], after[image])
        for image in sorted({*before, *after})
        if before[image] != after[image]
    )
