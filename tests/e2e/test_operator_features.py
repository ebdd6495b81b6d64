"""What the operator can do, on the real cluster: a run that uses each ability, and a run of faults with their words."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ci.airflow_api import Airflow, ApiError
from ci.kubectl import get, kubectl
from ci.release import NAMESPACE as RELEASE
from tests.e2e import operator_dags
from tests.e2e.operator_dags import COMPANION_USE, COMPANIONS, FAILURES, FEATURES, SIDECAR, manifest
from tests.live.scratch_dag import NAMESPACE, ScratchDag, jobs_of
from tests.live.waiting import wait_for

RUN_SECONDS = 240
QUEUE_SECONDS = 22
"""Longer than the start_timeout of the task that waits."""
GOOD = {
    "message": manifest("echo '{\"rows\": 3}' > /dev/termination-log"),
    "shards": manifest("echo 'cronlift-result: [{\"shard\": 1},'\necho 'cronlift-result:  {\"shard\": 2}]'"),
    "shard": manifest("echo cronlift-result: {{ shard * 10 }}"),
    "from_values": manifest("echo rows {{ result.rows }} of {{ day }}"),
    "from_xcom": manifest("echo rows {{ ti.xcom_pull('message')['rows'] }}"),
    "indexed": manifest(
        "echo $JOB_COMPLETION_INDEX > /dev/termination-log",
        job="  completionMode: Indexed\n  completions: 3\n  parallelism: 3",
    ),
    "companions": manifest(
        "echo $GREETING; echo token of $(echo -n $TOKEN | wc -c) characters; echo kept > /scratch/file",
        pod="      volumes:\n        - {name: scratch, persistentVolumeClaim: {claimName: '{{ job_name }}-scratch'}}",
        more=COMPANION_USE,
    ) + COMPANIONS,
    "sidecar": manifest("echo main is done", pod=SIDECAR),
    "plain": manifest("echo plain"),
    "queued": manifest("echo the queue let me in", job="  suspend: true")
    .replace("spec:", "metadata: {labels: {kueue.x-k8s.io/queue-name: nightly}}\nspec:", 1),
    "chatty": manifest("for i in $(seq 1 50); do echo line $i; done"),
}  # fmt: skip
FAIL_JOB = """\
  backoffLimit: 4
  podFailurePolicy:
    rules:
      - action: FailJob
        onExitCodes: {operator: In, values: [42]}
"""
BAD = {
    "never_starts": manifest("echo never", pod="      nodeSelector: {no-node: has-this}"),
    "too_long": manifest("echo begun; sleep 300"),
    "never_again": manifest("exit 42", job=FAIL_JOB),
    "fails": manifest("echo before the end; exit 3"),
    "no_json": manifest("echo cronlift-result: three rows"),
    "other_namespace": manifest("echo never").replace("spec:", "metadata: {namespace: '{{ run_id }}'}\nspec:", 1),
    "endless": manifest("echo {% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"),
    "huge": manifest("echo {% set ns = namespace(t='x' * 1000) %}{% for i in range(99) %}{% set ns.t = ns.t ~ ns.t %}"
                     "{% endfor %}{{ ns.t }}"),
}  # fmt: skip


class Finished:
    """A run that has ended.

    Args:
        airflow: Where it ran.
        dag: Its DAG.
        run_id: Its id.
    """

    def __init__(self, airflow: Airflow, dag: ScratchDag, run_id: str) -> None:
        self.airflow, self.dag, self.run_id = airflow, dag, run_id
        self.tasks = {(each["task_id"], each["map_index"]): each for each in airflow.task_instances(dag.dag_id, run_id)}

    def state(self, task_id: str, map_index: int = -1) -> str:
        """Return a task's state."""
        return str(self.tasks[task_id, map_index]["state"])

    def log(self, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return a task's log as one text."""
        return "\n".join(self.airflow.log(self.dag.dag_id, self.run_id, task_id, try_number, map_index))

    def xcom(self, task_id: str, map_index: int = -1) -> Any:
        """Return a task's result."""
        path = f"/dags/{self.dag.dag_id}/dagRuns/{self.run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.airflow.get(path, map_index=map_index, deserialize=True)["value"]


@pytest.fixture(scope="module")
def runs(airflow: Airflow, scratch_dag_maker) -> Iterator[tuple[Finished, Finished]]:
    """Run both DAGs side by side."""
    good, bad = scratch_dag_maker(), scratch_dag_maker()
    for path, body in (("/variables", {"key": "demo__e2e_token", "value": "hunter2hunter2"}),
                       ("/pools", {"name": "e2e_pool", "slots": 2, "include_deferred": True})):  # fmt: skip
        try:
            airflow.post(path, body)
        except ApiError as error:
            if " 409" not in str(error):
                raise
    operator_dags.write(good, FEATURES, GOOD)
    operator_dags.write(bad, FAILURES, BAD)
    try:
        for dag in (good, bad):
            dag.wait_live()
        started = [(dag, dag.start()) for dag in (good, bad)]
        let_in_from_queue(good.dag_id)
        ended = []
        for dag, run_id in started:
            airflow.wait(dag.dag_id, run_id, RUN_SECONDS)
            ended.append(Finished(airflow, dag, run_id))
        yield ended[0], ended[1]
    finally:
        for dag in (good, bad):
            operator_dags.remove(dag)


def let_in_from_queue(dag_id: str) -> None:
    """Do what Kueue does once there is room: it is not installed here, so this stands in for it."""
    wait_for(lambda: [name for name in jobs_of(dag_id) if "queued" in name], "the suspended Job", 60)
    (name,) = [name for name in jobs_of(dag_id) if "queued" in name]
    time.sleep(QUEUE_SECONDS)
    kubectl("patch", "job", name, f"--namespace={NAMESPACE}", "--type=merge", '--patch={"spec": {"suspend": false}}')


@pytest.fixture(scope="module")
def good(runs: tuple[Finished, Finished]) -> Finished:
    return runs[0]


@pytest.fixture(scope="module")
def bad(runs: tuple[Finished, Finished]) -> Finished:
    return runs[1]


def test_every_task_of_the_good_run_succeeds(good: Finished) -> None:
    failed = {key: each["state"] for key, each in good.tasks.items() if each["state"] != "success"}
    assert failed == {}, "\n".join(good.log(key[0], map_index=key[1])[-2000:] for key in failed)


def test_result_of_a_termination_message_is_the_xcom(good: Finished) -> None:
    assert good.xcom("message") == {"rows": 3}


def test_marked_lines_are_joined_to_one_result(good: Finished) -> None:
    assert good.xcom("shards") == [{"shard": 1}, {"shard": 2}]


def test_operator_is_mapped_over_a_result_and_its_results_are_pulled(good: Finished) -> None:
    """Fact 3: a result that is encoded twice cannot be expanded."""
    assert [good.xcom("mapped", index) for index in (0, 1)] == [10, 20]
    assert "total 30" in good.log("total")


def test_value_from_another_task_reaches_the_manifest(good: Finished) -> None:
    assert f"rows 3 of {good.run_id}" in good.log("from_values")


def test_xcom_pull_in_a_manifest_returns_in_the_triggerer(good: Finished) -> None:
    """Fact 5: as Airflow gives it, it hangs for ever there."""
    assert "rows 3" in good.log("from_xcom")


def test_indexed_job_gives_a_list_in_order_of_index(good: Finished) -> None:
    assert good.xcom("indexed") == [0, 1, 2]


def test_companions_serve_the_job_and_are_masked_in_the_log(good: Finished) -> None:
    log = good.log("companions")
    assert "hello from the ConfigMap" in log
    assert "token of 14 characters" in log
    assert "kind: PersistentVolumeClaim" in log
    assert "hunter2" not in log


def test_companions_belong_to_the_job(good: Finished) -> None:
    (job,) = [name for name in jobs_of(good.dag.dag_id) if "companions" in name]
    uid = get("job", job, f"--namespace={NAMESPACE}")["metadata"]["uid"]
    for kind, name in (("configmap", "settings"), ("persistentvolumeclaim", "scratch"), ("secret", "token")):
        owners = get(kind, f"{job}-{name}", f"--namespace={NAMESPACE}")["metadata"]["ownerReferences"]
        assert [(each["kind"], each["uid"]) for each in owners] == [("Job", uid)]


def test_native_sidecar_ends_with_the_job_and_both_are_heard(good: Finished) -> None:
    log = good.log("sidecar")
    assert "[main] main is done" in log
    assert "[proxy] proxy is up" in log


def test_pool_is_respected_by_starting_on_a_worker(good: Finished) -> None:
    """Fact 1: a task that starts in the triggerer is not bounded by its pool."""
    assert good.tasks["in_pool", -1]["pool"] == "e2e_pool"
    assert good.tasks["in_pool", -1]["pid"] is not None
    assert good.tasks["depends_on_past", -1]["pid"] is None, "a plain task needs no worker"


def test_outlet_makes_an_asset_event(good: Finished) -> None:
    """Fact 4: ended in the triggerer, there would be none."""
    events = good.airflow.get("/assets/events", source_dag_id=good.dag.dag_id)["asset_events"]
    assert [each["source_task_id"] for each in events] == ["with_outlet"]


def test_success_callback_is_called(good: Finished) -> None:
    assert "on_success_callback was called" in good.log("with_callback")


def test_logs_are_off_or_cut_on_request(good: Finished) -> None:
    assert "line 50" not in good.log("no_logs")
    shown = [line for line in good.log("tail").splitlines() if line.startswith("line ")]
    assert shown == ["line 48", "line 49", "line 50"]


def test_time_in_a_queue_is_no_time_without_a_start(good: Finished) -> None:
    assert "the queue let me in" in good.log("queued")


def test_setup_and_teardown_are_jobs(good: Finished) -> None:
    ends = [good.tasks[name, -1]["end_date"] for name in ("set_up", "between", "tear_down")]
    assert ends == sorted(ends)


def test_mapped_task_group_runs_the_operator(good: Finished) -> None:
    assert good.xcom("group.in_group", 0) == 70


def test_every_task_of_the_bad_run_fails(bad: Finished) -> None:
    assert {key: each["state"] for key, each in bad.tasks.items() if each["state"] != "failed"} == {}


def test_job_that_never_starts_fails_with_the_reason_in_words(bad: Finished) -> None:
    log = bad.log("never_starts")
    assert "nodeSelector" in log or "node(s) didn't match" in log
    assert re.search(r"start_timeout", log), log


def test_execution_timeout_stops_the_job_and_says_so(bad: Finished) -> None:
    """Fact 11: Airflow cancels the trigger without a word to it."""
    log = bad.log("too_long")
    assert "begun" in log
    assert "execution_timeout is over" in log
    assert not [name for name in jobs_of(bad.dag.dag_id) if "too-long" in name]


def test_fail_job_of_a_pod_failure_policy_is_not_retried(bad: Finished) -> None:
    assert bad.tasks["never_again", -1]["try_number"] == 1
    assert "PodFailurePolicy" in bad.log("never_again")


def test_each_try_has_a_job_of_its_own(bad: Finished) -> None:
    assert bad.tasks["twice", -1]["try_number"] == 2
    assert [bad.log("twice", number).count("before the end") for number in (1, 2)] == [1, 1]
    assert len([name for name in jobs_of(bad.dag.dag_id) if "-twice-" in name]) == 2


def test_result_that_is_no_json_fails_the_task_with_the_cure(bad: Finished) -> None:
    log = bad.log("no_json")
    assert "is no JSON" in log
    assert "three rows" in log


def test_namespace_of_another_team_is_refused(bad: Finished) -> None:
    assert "is not the team's" in bad.log("other_namespace")


def test_endless_and_huge_templates_fail_only_their_own_tasks(good: Finished, bad: Finished) -> None:
    assert bad.state("endless") == bad.state("huge") == "failed"
    assert "limit" in bad.log("huge") or "larger" in bad.log("huge")


def test_failure_without_logs_shows_the_last_lines(bad: Finished) -> None:
    assert "before the end" in bad.log("quiet")
    assert "exit code 3" in bad.log("quiet")


def test_failure_callback_is_called(bad: Finished) -> None:
    """Airflow runs it in the DAG processor, whose log is not the task's."""
    wait_for(lambda: "on_failure_callback of policy" in dag_processor_output(), "the failure callback", 30)


def dag_processor_output() -> str:
    return kubectl(
        "logs", f"--namespace={RELEASE}", "deployment/cronlift-dag-processor", "--since=20m", "--all-containers"
    )
