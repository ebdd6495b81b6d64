"""Pure: from what was seen of a case to its figures."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.bench.operators.audit import LOG_STREAM
from tests.bench.operators.sightings import Sighting


def spread(values: Iterable[float]) -> dict[str, float] | None:
    """Return p50, p90, p99 and the largest; None when there is nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return {
        "p50": round(statistics.median(ordered), 2),
        "p90": round(percentile(ordered, 90), 2),
        "p99": round(percentile(ordered, 99), 2),
        "max": round(ordered[-1], 2),
    }


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the nearest rank: a value that was measured, never one between two."""
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def epoch(moment: str) -> float:
    """Return seconds since the epoch for a time of Airflow's API."""
    return datetime.fromisoformat(moment).timestamp()


def task_figures(
    runs: Sequence[Mapping[str, Any]],
    tasks: Sequence[Mapping[str, Any]],
    ran: Mapping[tuple[str, str, str], Sighting],
    repeats: int = 1,
) -> dict[str, Any]:
    """Return wall time, starts and ends of the tasks of a case.

    Args:
        runs: DAG runs, as Airflow's API gives them.
        tasks: Their task instances.
        ran: What ran each task, by DAG id, run id and task id.
        repeats: The runs came one after the other, in so many lots: the wall time is the median of the lots' then.

    Returns:
        Seconds. `starts`: from a run's creation to the arrival of its Job's (Pod's) first event. `ends`: from the
        arrival of the event that tells of its end to the task's end; of successful tasks alone.
    """
    created = {str(run["dag_run_id"]): epoch(run["queued_at"]) for run in runs}
    starts, ends = [], []
    for task in tasks:
        sighting = ran.get((task["dag_id"], task["dag_run_id"], task["task_id"]))
        if sighting is None:
            continue
        starts.append(round(sighting.created - created[task["dag_run_id"]], 3))
        if task["state"] == "success" and sighting.ended is not None:
            ends.append(round(epoch(task["end_date"]) - sighting.ended, 3))
    states = Counter(str(task["state"]) for task in tasks)
    return {
        "tasks": len(tasks),
        "states": dict(states),
        "failed": len(tasks) - states["success"],
        "wall_seconds": _wall(created, tasks, repeats),
        "starts": starts,
        "ends": ends,
    }


def _wall(created: Mapping[str, float], tasks: Sequence[Mapping[str, Any]], repeats: int) -> float | None:
    """Return the time from the first run's creation to the last task's end; the median of several lots."""
    ordered = sorted(created, key=lambda run_id: created[run_id])
    size = max(len(ordered) // repeats, 1)
    walls = []
    for lot in (ordered[start : start + size] for start in range(0, len(ordered), size)):
        ends = [epoch(task["end_date"]) for task in tasks if task["dag_run_id"] in lot and task["end_date"]]
        if ends:
            walls.append(max(ends) - created[lot[0]])
    return round(statistics.median(walls), 2) if walls else None


def plain_figures(started: float, jobs: Iterable[Sighting]) -> dict[str, Any]:
    """Return wall time and failures of Jobs that kubectl made.

    Args:
        started: Seconds since the epoch at which kubectl was called.
        jobs: What was seen of them.
    """
    jobs = list(jobs)
    ended = [job.ended for job in jobs if job.ended is not None]
    return {
        "tasks": len(jobs),
        "failed": sum(not job.succeeded for job in jobs),
        "wall_seconds": round(max(ended) - started, 2) if ended else None,
        "starts": [round(job.created - started, 3) for job in jobs],
    }


def request_figures(counted: Mapping[str, int], tasks: int) -> dict[str, Any]:
    """Return requests per task: all but log streams, the streams, and each kind."""
    streams = counted.get(LOG_STREAM, 0)
    return {
        "requests_per_task": round((sum(counted.values()) - streams) / tasks, 2),
        "log_streams_per_task": round(streams / tasks, 2),
        "requests": dict(sorted(counted.items())),
    }


def cpu_figures(used: Mapping[str, float], idle_rate: float, seconds: float, tasks: int) -> dict[str, Any]:
    """Return CPU-seconds per task, without what the same time costs when nothing runs; and those of each component."""
    total = sum(used.values())
    return {
        "cpu_seconds_per_task": round(max(total - idle_rate * seconds, 0.0) / tasks, 3),
        "cpu_seconds": round(total, 2),
        "cpu_seconds_by_component": {part: round(spent, 2) for part, spent in used.items()},
        "idle_cpu": round(idle_rate, 3),
        "window_seconds": round(seconds, 1),
    }
