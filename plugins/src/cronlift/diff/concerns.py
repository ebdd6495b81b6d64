"""What a reviewer should know before the merge: lost history, moved runs, runs of the past, files left out."""

from collections.abc import Iterator
from datetime import datetime

from cronlift.diff.model import Concern, Side
from cronlift.diff.words import listed, moment
from cronlift.facts.model import DagFacts

_RUNS_OF_THE_PAST = "Write catchup=False, unless the past is to be run."


def concerns(before: Side, after: Side, told: set[str], broken: set[str], at: datetime) -> tuple[Concern, ...]:
    """Return all of them, in order of what they are about.

    Args:
        before: The DAGs of the base.
        after: The DAGs of the working tree.
        told: Files that do not import on a side, and folders that Airflow cannot list: each is said.
        broken: The same, with all files of these folders: what is missing of them is not removed.
        at: The moment from which next runs were told, aware.
    """
    old, new = ({dag.dag_id: dag for file in side.files for dag in file.dags} for side in (before, after))
    removed = [old[dag_id] for dag_id in old if dag_id not in new and old[dag_id].file not in broken]
    added = [new[dag_id] for dag_id in new if dag_id not in old and new[dag_id].file not in broken]
    found = [*_unread(told), *_removed(removed, added)]
    for dag in added:
        found += _added(dag, at)
    for dag_id in old:
        if dag_id in new:
            found += _changed(old[dag_id], new[dag_id], at)
    return tuple(sorted(found, key=lambda each: (each.about, each.what)))


def _unread(told: set[str]) -> Iterator[Concern]:
    for path in told:
        what = "does not import on one side, so its DAGs are not compared"
        yield Concern(path, what, "`cronlift check` says why.")


def _removed(removed: list[DagFacts], added: list[DagFacts]) -> Iterator[Concern]:
    for dag in removed:
        heir = next((each for each in added if _is_heir(dag, each)), None)
        if heir is not None:
            yield Concern(
                dag.dag_id,
                "is called {} now: its history stays under the old id, and the new one begins with none",
                "Keep the old DAG id, unless its history may be left behind.",
                (heir.dag_id,),
            )
        else:
            yield Concern(
                dag.dag_id,
                "is gone: nothing starts it any more, and its history is only found by its id",
                "Pause it instead, if it may be needed again.",
            )


def _is_heir(old: DagFacts, new: DagFacts) -> bool:
    """Tell a DAG that carries on under another id: in the same file, or with the same Jobs and schedule."""
    manifests = [task.manifest for task in old.tasks if task.manifest]
    same = (old.schedule, manifests) == (new.schedule, [task.manifest for task in new.tasks if task.manifest])
    return old.file == new.file or (bool(manifests) and same)


def _added(dag: DagFacts, at: datetime) -> Iterator[Concern]:
    if dag.catchup and dag.start_date and datetime.fromisoformat(dag.start_date) < at:
        yield Concern(
            dag.dag_id,
            "catches up: it starts a run for each of its times since {}",
            _RUNS_OF_THE_PAST,
            (dag.start_date,),
        )


def _changed(old: DagFacts, new: DagFacts, at: datetime) -> Iterator[Concern]:
    if old.team != new.team:
        yield Concern(
            new.dag_id,
            "is read from the folder of team {} now, not from that of {}",
            "A DAG id belongs to one team: give it that team's prefix.",
            (new.team, old.team),
        )
    gone = {task.task_id for task in old.tasks} - {task.task_id for task in new.tasks}
    if gone:
        yield Concern(
            new.dag_id,
            "has no task {} any more: the task's history is not shown with the DAG",
            "Keep the task id, unless the work is another.",
            (listed(sorted(gone)),),
        )
    first, second = old.next_runs[:1], new.next_runs[:1]
    if first != second:
        yield Concern(new.dag_id, _moved(first, second), "Check that no run is left out or comes twice that day.")
    if new.catchup and (not old.catchup or old.start_date != new.start_date):
        what = "catches up now: it starts a run for each missed time"
        if new.start_date:
            yield Concern(new.dag_id, f"{what} since {{}}", _RUNS_OF_THE_PAST, (new.start_date,))
        else:
            yield Concern(new.dag_id, what, _RUNS_OF_THE_PAST)


def _moved(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    if not after:
        return f"has no next run any more; it was {moment(before[0])} UTC"
    if not before:
        return f"had no next run; now it is {moment(after[0])} UTC"
    return f"has its next run at {moment(after[0])} UTC, no longer at {moment(before[0])} UTC"
