"""The operators side by side: counts are asserted, times are figures. The long form takes about 75 minutes."""

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ci import release
from ci.airflow_api import Airflow
from ci.paths import ROOT
from tests.bench.operators import report
from tests.bench.operators.__main__ import run_blocks
from tests.bench.operators.audit import LOG_STREAM
from tests.bench.operators.bench_release import platform_values
from tests.bench.operators.case import Case, measure
from tests.bench.operators.contenders import OURS, BenchDag
from tests.bench.operators.deployment import Deployment
from tests.bench.operators.plan import BLOCKS
from tests.live.scratch_dag import NAMESPACE

LONG = bool(os.environ.get("LONG"))
SHORT_CASES = (Case("short", OURS, 16, idle_seconds=3),)
"""What is asserted is about ours; beside others it is measured in the long form."""

SHARED = ("list", "watch")
"""What one watch asks for all tasks of a team."""

Measured = list[dict[str, Any]]


def on_platform(airflow: Airflow) -> Measured:
    """Measure ours on the platform as it is: the stock operators are not in its image."""
    image = str(platform_values()["jobImages"]["legacy"])
    deployment = Deployment(airflow, release.NAMESPACE, "demo", ROOT / "dags/demo", NAMESPACE, image)
    dags = [BenchDag(case.contender, case.tasks) for case in SHORT_CASES]
    try:
        deployment.write(dags)
        deployment.wait_known(dags)
        return [measure(case, deployment, lambda word: None) for case in SHORT_CASES]
    finally:
        deployment.remove_files()


def on_own_release() -> Measured:
    """Measure everything, and write the docs."""
    content = run_blocks(BLOCKS).content
    report.write(content)
    return list(content["cases"])


@pytest.mark.timeout(4 * 3600 if LONG else 300)
def test_each_task_costs_two_requests_and_none_fails(
    airflow: Airflow, figures: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    measure_all: Callable[[], Measured] = on_own_release if LONG else lambda: on_platform(airflow)
    with capsys.disabled():
        sys.stderr.write("\n")
        cases = measure_all()
    figures["operators"] = cases
    assert [case["error"] for case in cases if "error" in case] == []
    ours = [case for case in cases if case["contender"] == OURS]
    assert sum(case["failed"] for case in ours) == 0
    counted = [case for case in ours if "requests" in case]
    if not counted:
        sys.stderr.write("Requests were not counted: this cluster has no audit log\n")
    for case in counted:
        own = {kind: number for kind, number in case["requests"].items() if kind.split()[0] not in SHARED}
        # A stream is asked for again when its container was not quite there.
        assert own.pop(LOG_STREAM, 0) <= 2 * case["tasks"], case["requests"]
        assert own["create jobs"] == case["tasks"], case["requests"]
        assert sum(own.values()) <= 2 * case["tasks"], case["requests"]
