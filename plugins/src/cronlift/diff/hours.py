"""What runs that start in each hour of a day request, before and after a change."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cronlift.diff.model import Hour
from cronlift.facts.model import DagFacts

DAY = timedelta(hours=24)


def hours(before: Iterable[DagFacts], after: Iterable[DagFacts], at: datetime) -> tuple[Hour, ...]:
    """Add up what all tasks of the runs of the next 24 hours request, by the hour in which a run is due.

    How long a Job runs is not known, so each counts in the hour of its start alone, and each run of an hour anew.

    Args:
        before: DAGs whose next runs of these 24 hours are all told.
        after: Likewise.
        at: When the 24 hours begin, aware.

    Returns:
        Hours 0 to 23 in UTC; none when they are the same on both sides.
    """
    old, new = _sums(before, at), _sums(after, at)
    if old == new:
        return ()
    return tuple(Hour(hour, old[hour][0], new[hour][0], old[hour][1], new[hour][1]) for hour in range(24))


def _sums(dags: Iterable[DagFacts], at: datetime) -> list[tuple[float, float]]:
    cpu, memory = [0.0] * 24, [0.0] * 24
    for dag in dags:
        asked = [task.requests or {} for task in dag.tasks]
        for run in map(datetime.fromisoformat, dag.next_runs):
            if run <= at + DAY:
                cpu[run.hour] += sum(each.get("cpu", 0.0) for each in asked)
                memory[run.hour] += sum(each.get("memory", 0.0) for each in asked)
    return [(round(first, 6), round(second)) for first, second in zip(cpu, memory, strict=True)]
