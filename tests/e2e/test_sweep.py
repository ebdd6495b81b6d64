"""The sweeper on the live cluster: an orphan goes with its Pod, the Job of a task that runs stays."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ci import demo
from ci.airflow_api import Airflow
from ci.kubectl import get, kubectl
from ci.release import NAME
from ci.release import NAMESPACE as RELEASE_NAMESPACE
from cronlift.job import naming
from cronlift.job.naming import TaskIdentity
from tests.live.in_triggerer import cronlift, cronlift_json
from tests.live.scratch_dag import NAMESPACE, ScratchDag, job_manifest, jobs_of
from tests.live.waiting import wait_for

NOW = ("--min-age", "0", "--namespace", NAMESPACE)


@pytest.fixture(scope="module")
def running(scratch_dag_maker: Any) -> Iterator[str]:
    """Return the Job of a task that runs."""
    dag: ScratchDag = scratch_dag_maker().write(job_manifest("exec sleep 300"))
    dag.wait_live()
    run_id = dag.start()
    wait_for(lambda: jobs_of(dag.dag_id), "Job", 30)
    [name] = jobs_of(dag.dag_id)
    yield name
    dag.airflow.patch(f"/dags/{dag.dag_id}/dagRuns/{run_id}", {"state": "failed"})


@pytest.fixture(scope="module")
def finished(airflow: Airflow) -> dict[str, Any]:
    """Return a task instance of the demo jobs that `make up` ran."""
    result = demo.last_results(airflow)[0]
    return airflow.task_instances(result.dag_id, result.run_id)[0]


@pytest.fixture(scope="module")
def orphan(finished: dict[str, Any], running: str) -> Iterator[str]:
    """Create a Job that runs and says that it is of a finished task, as a triggerer leaves one that dies."""
    identity = TaskIdentity(
        f"{RELEASE_NAMESPACE}/{NAME}",
        finished["dag_id"],
        finished["dag_run_id"],
        finished["task_id"],
        finished["map_index"],
        finished["try_number"],
        finished["id"],
    )
    job = of_identity(get("job", running, f"--namespace={NAMESPACE}"), identity)
    name = job["metadata"]["name"]
    # The finished task's own Job may still be there under the name, until its time to live is over.
    kubectl("delete", "job", name, f"--namespace={NAMESPACE}", "--ignore-not-found", "--wait")
    kubectl("create", "--filename=-", stdin=json.dumps(job))
    wait_for(lambda: pods_of(name), "Pod of the orphan", 30)
    yield name
    kubectl("delete", "job", name, f"--namespace={NAMESPACE}", "--ignore-not-found", "--wait=false")


def of_identity(job: dict[str, Any], identity: TaskIdentity) -> dict[str, Any]:
    """Return a copy of a Job under another identity."""
    made = {"apiVersion": "batch/v1", "kind": "Job", "spec": copy.deepcopy(job["spec"])}
    stamp = {"labels": naming.labels(identity), "annotations": naming.annotations(identity)}
    made["metadata"] = {"name": naming.job_name(identity), "namespace": NAMESPACE, **stamp}
    made["spec"].pop("selector")
    made["spec"]["template"]["metadata"] = stamp
    return made


def pods_of(job: str) -> list[str]:
    selector = f"--selector=batch.kubernetes.io/job-name={job}"
    return kubectl("get", "pods", f"--namespace={NAMESPACE}", selector, "--output=name").split()


def fates(report: dict[str, Any]) -> dict[str, str]:
    return {job["name"]: job["fate"] for job in report["jobs"]}


def test_a_dry_run_shows_the_orphan_and_deletes_nothing(orphan: str, running: str, finished: dict[str, Any]) -> None:
    code, output = cronlift("sweep", *NOW)
    assert code == 0, output
    [line] = [line for line in output.splitlines() if line.startswith(orphan)]
    assert line.endswith(f"its task is {finished['state']}")
    assert running not in output
    assert "Nothing was deleted" in output.splitlines()[-1]
    assert pods_of(orphan)


def test_yes_deletes_the_orphan_with_its_pod_and_leaves_the_running_tasks_job(orphan: str, running: str) -> None:
    code, report = cronlift_json("sweep", "--yes", *NOW)
    assert (code, report["errors"]) == (0, [])
    assert {name: fates(report)[name] for name in (orphan, running)} == {orphan: "deleted", running: "wanted"}
    wait_for(lambda: not pods_of(orphan), "end of the orphan's Pod", 30)
    assert pods_of(running)


def test_young_jobs_are_left_alone(running: str) -> None:
    code, report = cronlift_json("sweep")
    assert (code, fates(report)[running]) == (0, "young")


def test_the_chart_runs_the_sweep_by_itself() -> None:
    """Start the CronJob's own Job: its account, network policy and database connection are what is tested."""
    name = "cronlift-sweep-by-a-test"
    options = (f"--namespace={RELEASE_NAMESPACE}",)
    kubectl("delete", "job", name, *options, "--ignore-not-found", "--wait")
    kubectl("create", "job", name, "--from=cronjob/cronlift-sweep", *options)
    try:
        kubectl("wait", "job", name, *options, "--for=condition=Complete", "--timeout=180s", timeout_seconds=200)
        assert "live Jobs" in kubectl("logs", f"job/{name}", *options)
    finally:
        kubectl("delete", "job", name, *options, "--wait=false")
