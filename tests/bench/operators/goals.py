"""Pure: the figures of a run put together, and the goals that they meet or miss.

Goals are ratios within one run: the same machine is 30 % slower from one hour to the next.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.operators.contenders import OURS, PLAIN, STOCK_JOB
from tests.bench.operators.figures import percentile, spread

ENDED = {"success", "failed", "upstream_failed", "skipped", "removed"}
"""Airflow's states of a task that is over."""

Cases = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Goal:
    """One goal.

    Attributes:
        name: What it is about.
        limit: The goal, in words.
        seen: The figure, in words; None when it was not measured.
        met: Whether it is met; None when it was not measured.
    """

    name: str
    limit: str
    seen: str | None
    met: bool | None


def of(cases: Cases, block: str, contender: str, runs: int | None = None) -> Cases:
    """Return a block's cases of one contender, those that broke apart."""
    return [
        case
        for case in cases
        if (case["block"], case["contender"]) == (block, contender)
        and "error" not in case
        and runs in (None, case.get("runs"))
    ]


def median(cases: Cases, key: str) -> float | None:
    """Return the median of a figure; None when no case has it."""
    values = [case[key] for case in cases if case.get(key) is not None]
    return round(statistics.median(values), 3) if values else None


def pooled(cases: Cases, key: str) -> list[float]:
    """Return all values of a list in every case, in order of size."""
    return sorted(value for case in cases for value in case.get(key) or [])


def summary(cases: Cases) -> dict[str, Any] | None:
    """Put the cases of one contender and size together; None when there are none."""
    if not cases:
        return None
    plain = cases[0]["contender"] == PLAIN
    return {
        "cases": len(cases),
        "tasks": sum(case["tasks"] for case in cases),
        "failed": sum(case["failed"] for case in cases),
        "unfinished": sum(
            number for case in cases for state, number in case.get("states", {}).items() if state not in ENDED
        ),
        "wall_seconds": median(cases, "wall_seconds"),
        "start_seconds": None if plain else spread(pooled(cases, "starts")),
        "end_seconds": spread(pooled(cases, "ends")),
        "cpu_seconds_per_task": median(cases, "cpu_seconds_per_task"),
        "requests_per_task": median(cases, "requests_per_task"),
        "log_streams_per_task": median(cases, "log_streams_per_task"),
    }


def goals(cases: Cases) -> list[Goal]:
    """Return every goal with its figure."""
    fifty = of(cases, "50", OURS)
    ends, starts = pooled(fifty, "ends"), pooled(of(cases, "1", OURS), "starts")
    stock, own = (median(of(cases, "50", who), "cpu_seconds_per_task") for who in (STOCK_JOB, OURS))
    requests, streams = (median(fifty, f"{what}_per_task") for what in ("requests", "log_streams"))
    ours = [case for case in cases if case["contender"] == OURS and "error" not in case]
    tasks, failed = (sum(case[what] for case in ours) for what in ("tasks", "failed"))
    memory = median(of(cases, "memory", OURS), "mib_per_waiting_task")
    return [
        _goal(
            "Airflow's CPU per task, 50 tasks", "at most 1/15 of the stock Job operator's",
            stock / own if stock and own else None, lambda times: times >= 15, "1/{:.1f}",
        ),
        _goal(
            "Kubernetes API requests per task, 50 tasks", "2",
            requests, lambda number: number < 2.5, "{:g}",
        ),
        _goal(
            "Log streams per task, 50 tasks", "1",
            streams, lambda number: number < 1.5, "{:g}",
        ),
        _goal(
            "Wall time of 50 tasks", "at most 1.25 x that of plain Jobs before and after",
            _wall_ratio(cases), lambda ratio: ratio <= 1.25, "{:.2f} x",
        ),
        _goal(
            "Task's end after the watch event, 50 tasks, p50", "at most 0.8 s",
            _rank(ends, 50), lambda seconds: seconds <= 0.8, "{:.2f} s",
        ),
        _goal(
            "Task's end after the watch event, 50 tasks, p90", "at most 1.2 s",
            _rank(ends, 90), lambda seconds: seconds <= 1.2, "{:.2f} s",
        ),
        _goal(
            "Job created after its run, 1 task, p50", "at most 2.0 s",
            _rank(starts, 50), lambda seconds: seconds <= 2.0, "{:.2f} s",
        ),
        _goal(
            f"Failed tasks of {tasks:,}", "0 of 1,000",
            failed if tasks >= 1000 else None, lambda number: number == 0, "{:g}",
        ),
        _goal(
            "Triggerer's memory per waiting task, DAG of 100", "at most 0.3 MiB",
            memory, lambda mebibytes: mebibytes <= 0.3, "{:.2f} MiB",
        ),
    ]  # fmt: skip


def _goal(name: str, limit: str, value: float | None, is_met: Callable[[float], bool], words: str) -> Goal:
    if value is None:
        return Goal(name, limit, None, None)
    return Goal(name, limit, words.format(value), is_met(value))


def _rank(ordered: Sequence[float], percent: float) -> float | None:
    return percentile(ordered, percent) if ordered else None


def _wall_ratio(cases: Cases) -> float | None:
    """Return the median, over our cases of 50, of the wall time by the mean of the plain Jobs' before and after."""
    ordered = [case for case in cases if case["block"] == "50" and "error" not in case]
    ratios = []
    for number, case in enumerate(ordered):
        if case["contender"] != OURS or not case["wall_seconds"]:
            continue
        before = [other["wall_seconds"] for other in ordered[:number] if other["contender"] == PLAIN][-1:]
        after = [other["wall_seconds"] for other in ordered[number:] if other["contender"] == PLAIN][:1]
        if before or after:
            ratios.append(case["wall_seconds"] / statistics.mean([*before, *after]))
    return round(statistics.median(ratios), 3) if ratios else None
