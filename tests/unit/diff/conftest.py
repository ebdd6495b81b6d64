"""Makes facts of DAGs out of what a test is about."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from cronlift.diff.compare import compare
from cronlift.diff.model import Diff, Side
from cronlift.facts.model import DagFacts, FileFacts, Finding, TaskFacts
from cronlift.teams.model import TeamEntry

AT = datetime(2026, 11, 28, tzinfo=UTC)
RUNS = ("2026-11-29T04:15:00+00:00", "2026-11-30T04:15:00+00:00")
TEAM = TeamEntry("demo", "team-demo", "dags/demo", ("@platform",), settings={"owners": ["@platform"]})
Compare = Callable[[list[DagFacts], list[DagFacts]], Diff]


def task(task_id: str = "main", **more: Any) -> TaskFacts:
    facts: dict[str, Any] = {
        **{"task_id": task_id, "operator": "KubernetesJobOperator", "mapped": False, "upstream": ()},
        **{"pool": "default_pool", "retries": 0, "manifest": "dags/demo/jobs/x.yaml", "images": ("r/x:1",)},
        **{"requests": {"cpu": 0.05, "memory": 32 * 1024.0**2}, "limits": {"cpu": 1.0}},
    }
    return TaskFacts(**facts | more)


def dag(dag_id: str = "demo__x", **more: Any) -> DagFacts:
    facts: dict[str, Any] = {
        **{"dag_id": dag_id, "team": "demo", "file": "dags/demo/x.py", "line": 3, "owners": ("demo",)},
        **{"tags": ("demo",), "catchup": False, "catchup_explicit": True, "timezone": "Europe/Paris"},
        **{"timezone_explicit": True, "schedule": "15 5 * * *", "next_runs": RUNS, "paused_upon_creation": None},
        **{"max_active_runs": 16, "start_date": None, "end_date": None, "hash": "h", "tasks": (task(),)},
    }
    return DagFacts(**facts | more)


def side(dags: list[DagFacts], findings: tuple[Finding, ...] = (), team: TeamEntry = TEAM) -> Side:
    paths = {each.file for each in dags} | {each.file for each in findings}
    files = tuple(
        FileFacts(
            path,
            "demo",
            0.1,
            tuple(each for each in findings if each.file == path),
            tuple(each for each in dags if each.file == path),
        )
        for path in sorted(paths)
    )
    return Side(files, {"demo": team})


@pytest.fixture
def diff() -> Compare:
    return lambda before, after: compare("main", side(before), side(after), ["demo"], AT)
