"""The make targets that a user of a running platform says."""

import json
import subprocess
import sys
from typing import Any

import pytest

from ci import demo
from ci.airflow_api import Airflow
from ci.kubectl import get
from ci.paths import ROOT
from ci.release import ADMIN, NAMESPACE, URL, password
from tests.live.make import make


def test_make_run_prints_the_jobs_output_and_ends_with_0(airflow: Airflow) -> None:
    dag_id = demo.dag_ids()[0]
    done = make("run", f"DAG={dag_id}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "] Result: " in done.stdout
    assert f"✓ {dag_id} success: {URL}/dags/{dag_id}/runs/run__" in done.stdout


def test_make_run_of_an_unknown_dag_names_the_known_ones(airflow: Airflow) -> None:
    done = make("run", "DAG=demo__no_such_dag")
    assert done.returncode != 0
    assert "There is no DAG demo__no_such_dag" in done.stderr
    for dag_id in demo.dag_ids():
        assert dag_id in done.stderr
    assert "Traceback" not in done.stderr


def test_status_calls_every_part_of_the_platform_well(airflow: Airflow) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ci.status", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert set(report["airflow"].values()) == {"healthy"}
    assert report["imports"] == {"errors": "none"}
    assert set(report["demo jobs"].values()) == {"success"}


def test_make_ui_prints_address_and_login(airflow: Airflow) -> None:
    done = make("ui")
    assert done.stdout.splitlines()[:2] == [f"UI    {URL}", f"Login {ADMIN} / {password()}"]


@pytest.fixture
def pods_before() -> dict[str, Any]:
    make("up")  # Brings in what was edited since the last one.
    return fingerprints()


def fingerprints() -> dict[str, Any]:
    """Return what a replaced or restarted pod would change; those of CronJobs come and go by themselves."""
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            [status["restartCount"] for status in pod["status"].get("containerStatuses", [])],
        )
        for pod in get("pods", f"--namespace={NAMESPACE}", "--selector=!batch.kubernetes.io/job-name")["items"]
    }


def test_second_make_up_changes_nothing_and_prints_the_last_results(
    airflow: Airflow, pods_before: dict[str, Any]
) -> None:
    results = demo.last_results(airflow)
    done = make("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert demo.table(results) in done.stdout
    assert f"UI    {URL}" in done.stdout
    assert fingerprints() == pods_before
    assert demo.last_results(airflow) == results
