"""The trigger against a fake API server: every outcome, cancelled, run twice, made again from its serialized form."""

import asyncio
import json
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.module_loading import import_string
from airflow.triggers.base import TaskFailedEvent, TaskSuccessEvent, TriggerEvent

from cronlift.airflow.trigger import JobTrigger
from cronlift.cluster import hub as hub_module
from cronlift.cluster.config import ClusterConfig
from tests.unit.airflow.conftest import MANIFEST
from tests.unit.cluster.conftest import until
from tests.unit.cluster.fake_api import FakeApi, fault


@pytest.fixture
async def api():
    async with FakeApi().serve() as served:
        hub = hub_module.Hub(ClusterConfig(served.url))
        hub_module.use(hub)
        yield served
        await hub.close()


def task_instance(**more: Any) -> SimpleNamespace:
    values = {"dag_id": "demo__a", "run_id": "manual__1", "task_id": "x", "map_index": -1, "try_number": 1} | more
    return SimpleNamespace(**values)


def make(text: str = MANIFEST, **more: Any) -> JobTrigger:
    """Make a trigger as the triggerer does: arguments, task instance, id, context."""
    trigger = JobTrigger(entry="jobs/a.yaml", files={"jobs/a.yaml": text}, **more)
    trigger._task_instance = task_instance()
    trigger.trigger_id = 7
    trigger.render_template_fields({"run_id": "manual__1", "ti": trigger._task_instance})
    return trigger


async def first_event(trigger: JobTrigger) -> TriggerEvent:
    async with aclosing(trigger.run()) as events:
        return await anext(events)


async def play(
    api: FakeApi, trigger: JobTrigger, exit_code: int = 0, *, reason: str = "BackoffLimitExceeded", message: str = ""
) -> TriggerEvent:
    task = asyncio.ensure_future(first_event(trigger))
    await until(lambda: api.objects["jobs"])
    pod = api.run_pod(api.job())
    api.say(pod["metadata"]["name"], "main", "hello")
    api.end_pod(pod, exit_code, message=message)
    api.finish(api.job(), *(("Complete",) if exit_code == 0 else ("Failed", reason, "it failed")))
    return await task


async def test_success_is_written_by_the_trigger(api):
    assert isinstance(await play(api, make()), TaskSuccessEvent)
    container = api.job()["spec"]["template"]["spec"]["containers"][0]
    assert container["command"][2] == "echo manual__1"
    assert container["image"] == "registry/legacy:1"
    assert api.job()["metadata"]["annotations"]["cronlift.dev/run-id"] == "manual__1"


async def test_values_are_rendered_in_the_triggerer(api):
    await play(api, make(MANIFEST.replace("run_id", "day"), values={"day": "on {{ run_id }}"}))
    assert api.job()["spec"]["template"]["spec"]["containers"][0]["command"][2] == "echo on manual__1"


async def test_message_of_a_container_cannot_end_the_triggerer(api):
    """NUL, which PostgreSQL's JSON refuses: storing the event would fail whenever the triggerer tried (3.3.2)."""
    event = await play(api, make(finish="worker"), 1, message="\0 broke")
    assert "\N{REPLACEMENT CHARACTER} broke" in event.payload["message"]
    assert "\\u0000" not in json.dumps(event.payload)


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), "x" * 1000, [[[{}]]], 1e300, None])
async def test_result_is_one_that_airflows_processes_can_send(value):
    """What the encoder refuses ends the process that runs triggers, and with it all tasks that wait (3.3.2)."""
    from airflow.sdk.execution_time.comms import _new_encoder

    from cronlift.job.result import PodResult, ResultSource, result_of

    text = json.dumps(value)
    kept = result_of(ResultSource.LOG, {"spec": {}}, [PodResult("p", {"main": text})])
    _new_encoder().encode(TriggerEvent({"value": kept}).payload)
    with pytest.raises(OverflowError):
        _new_encoder().encode(2**64)


async def test_result_is_pushed_before_the_end_is_written(api, monkeypatch):
    """Not by TaskSuccessEvent(xcoms=...), which encodes twice (fact 3)."""
    pushed: list[Any] = []

    async def push(_task_instance: Any, value: Any, *, mapped_over: bool) -> None:
        pushed.append(value)

    monkeypatch.setattr("cronlift.airflow.xcoms.push_result", push)
    event = await play(api, make(result_from="termination_message"), message='{"rows": 3}')
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms is None
    assert pushed == [{"rows": 3}]


async def test_result_travels_to_a_worker_that_finishes(api):
    event = await play(api, make(result_from="termination_message", finish="worker"), message="[1, 2]")
    assert event.payload["value"] == [1, 2]


async def test_dag_test_gets_its_end_as_an_event(api):
    """Without a triggerer nobody would write the end (fact 18)."""
    trigger = make()
    trigger.trigger_id = None
    event = await play(api, trigger)
    assert type(event) is TriggerEvent
    assert event.payload["outcome"] == "succeeded"


@pytest.mark.parametrize(("retries", "on_worker"), [(2, True), (0, False)])
async def test_failure_that_forbids_a_retry_is_written_by_a_worker(api, retries, on_worker):
    """Only a worker can say "fail, and do not retry" (fact 4)."""
    event = await play(api, make(retries=retries), exit_code=42, reason="PodFailurePolicy")
    assert (type(event) is TriggerEvent) is on_worker
    assert not on_worker or event.payload["may_retry"] is False


async def test_manifest_is_logged_without_its_secrets(api, monkeypatch):
    said: list[str] = []
    log = SimpleNamespace(info=lambda text, **_: said.append(text), warning=said.append, error=said.append)
    monkeypatch.setattr(JobTrigger, "log", log)
    text = MANIFEST + "          env: [{name: TOKEN, value: hunter2}]\n"
    await play(api, make(text, log_manifest=True))
    assert any("name: TOKEN" in line for line in said)
    assert not any("hunter2" in line for line in said)


async def test_failure_is_written_by_the_trigger(api):
    assert isinstance(await play(api, make(), exit_code=3), TaskFailedEvent)


@pytest.mark.parametrize(("exit_code", "outcome"), [(0, "succeeded"), (3, "failed")])
async def test_worker_gets_outcome_and_reason_when_one_is_needed(api, exit_code, outcome):
    event = await play(api, make(finish="worker"), exit_code)
    assert type(event) is TriggerEvent
    assert event.payload["outcome"] == outcome
    assert ("exit code 3" in event.payload["message"]) is (exit_code == 3)


async def test_trigger_made_again_from_its_serialized_form_is_the_same(api):
    """The serialized form must also survive JSON, as Airflow stores it so."""
    path, arguments = make(delete_policy="never", execution_timeout_seconds=60.0).serialize()
    again = import_string(path)(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (path, arguments)


async def test_second_run_of_the_same_try_adopts_its_job(api):
    first = asyncio.ensure_future(first_event(make()))
    await until(lambda: api.calls["watch jobs"])
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert isinstance(await play(api, make()), TaskSuccessEvent)
    assert len(api.objects["jobs"]) == 1
    assert api.calls["delete jobs"] == 0


async def test_trigger_killed_after_the_end_does_not_run_the_job_again(api):
    """The process may die between the event and its storing: whoever takes over finds the finished Job."""
    await play(api, make())
    assert isinstance(await first_event(make()), TaskSuccessEvent)
    assert len(api.objects["jobs"]) == 1


async def test_cancelled_trigger_cleans_up_without_deleting(api):
    trigger = make()
    task = asyncio.ensure_future(first_event(trigger))
    await until(lambda: api.calls["watch jobs"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await trigger.cleanup()
    assert api.calls["delete jobs"] == 0


@pytest.mark.parametrize(
    ("state", "deleted"), [("deferred", False), ("failed", True), ("success", True), ("removed", True), (None, True)]
)
async def test_kill_deletes_the_job_unless_the_task_only_moved(api, monkeypatch, state, deleted):
    """Airflow 3.3.2 calls on_kill also when another triggerer takes over (fact 2)."""
    monkeypatch.setattr(JobTrigger, "_task_state", _answer(state))
    trigger = make()
    task = asyncio.ensure_future(first_event(trigger))
    await until(lambda: trigger._life and trigger._life.uid)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await trigger.on_kill()
    assert (api.objects["jobs"] == {}) is deleted


async def test_kill_after_the_end_does_nothing(api, monkeypatch):
    monkeypatch.setattr(JobTrigger, "_task_state", _answer("success"))
    trigger = make()
    await play(api, trigger)
    await trigger.on_kill()
    assert len(api.objects["jobs"]) == 1


async def test_unknown_task_state_leaves_the_job_alone(api, monkeypatch):
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    def fail(**_: Any) -> None:
        raise RuntimeError("no supervisor")

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", fail)
    assert await make()._task_state() == "deferred"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": MANIFEST.replace("run_id", "nope")}, "'nope' is undefined"),
        ({"text": MANIFEST.replace("spec:", "metadata: {namespace: team-billing}\nspec:", 1)}, "not the team's"),
        ({"text": "kind: Pod\n"}, "holds no Job"),
        ({"dag_id": "other__a"}, "names team 'other'"),
        ({"environment": {"CRONLIFT_TEAMS": None}}, "CRONLIFT_TEAMS is not set"),
        ({"environment": {"CRONLIFT_JOB_IMAGES": "{}"}}, "no job image is called 'legacy'"),
        ({"fault": fault(403, "Forbidden", "no rights")}, "no rights"),
        ({"fault": fault(422, "Invalid", "spec.template: Invalid value")}, "Invalid value"),
    ],
    ids=["undefined", "namespace", "no job", "team", "settings", "image", "rights", "invalid"],
)  # fmt: skip
async def test_every_fault_is_a_failed_event_and_never_an_exception(api, monkeypatch, change, words):
    """An exception, or no event, would cost a worker that only fails the task (fact 16)."""
    for name, value in change.get("environment", {}).items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    if "fault" in change:
        api.faults["create jobs"] = [change["fault"]]
    trigger = make(change.get("text", MANIFEST), finish="worker")
    trigger._task_instance.dag_id = change.get("dag_id", "demo__a")
    event = await first_event(trigger)
    assert event.payload["outcome"] == "failed"
    assert words in event.payload["message"]
    assert api.objects["jobs"] == {}


async def test_fault_of_our_own_is_a_failed_event_too(api, monkeypatch):
    monkeypatch.setattr(JobTrigger, "_read_identity", lambda _self: 1 / 0)
    assert isinstance(await first_event(make()), TaskFailedEvent)


async def test_deadline_comes_before_airflows_own(api):
    """Airflow 3.3.2 cancels a trigger at its timeout without calling on_kill (fact 11)."""
    from datetime import UTC, datetime, timedelta

    trigger = make()
    trigger.timeout_after = datetime.now(UTC) + timedelta(seconds=5.3)
    assert isinstance(await first_event(trigger), TaskFailedEvent)
    assert api.objects["jobs"] == {}


@pytest.mark.parametrize(("timeout", "before"), [(None, 5.0), (3600.0, 5.0), (6.0, 2.0)])
def test_short_timeout_keeps_two_thirds_of_itself(timeout, before):
    from datetime import UTC, datetime, timedelta

    trigger = make(execution_timeout_seconds=timeout)
    trigger.timeout_after = datetime.now(UTC)
    assert trigger._deadline() == trigger.timeout_after - timedelta(seconds=before)


async def test_rendered_manifest_of_a_worker_is_not_rendered_again(api):
    identity = {"deployment": "cronlift/cronlift", "dag_id": "demo__a", "run_id": "r", "task_id": "x"}
    trigger = JobTrigger(
        entry="a.yaml",
        rendered=MANIFEST.replace("{{ images.legacy }}", "x").replace("{{ run_id }}", "{% raw %}"),
        identity={**identity, "map_index": 3, "try_number": 1},
    )
    trigger.trigger_id = 7
    await play(api, trigger)
    assert api.job()["spec"]["template"]["spec"]["containers"][0]["command"][2] == "echo {% raw %}"
    assert api.job()["metadata"]["annotations"]["cronlift.dev/map-index"] == "3"


@pytest.mark.parametrize(("retries", "limit", "warned"), [(2, 3, True), (0, 3, False), (2, 0, False)])
async def test_retries_that_multiply_are_warned_of(api, monkeypatch, retries, limit, warned):
    said: list[str] = []
    log = SimpleNamespace(info=lambda text, **_: said.append(text), warning=said.append, error=said.append)
    monkeypatch.setattr(JobTrigger, "log", log)
    await play(api, make(MANIFEST.replace("spec:", f"spec:\n  backoffLimit: {limit}", 1), retries=retries))
    assert any("which multiply" in text for text in said) is warned


async def test_waiting_trigger_does_not_keep_its_dag(api):
    trigger = make()
    context = trigger._context
    task = asyncio.ensure_future(first_event(trigger))
    await until(lambda: api.calls["watch jobs"])
    assert trigger._context is None
    assert context == {}, "the triggerer's coroutine holds the same mapping until the trigger ends"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _answer(state: str | None) -> Any:
    async def answer(_self: JobTrigger) -> str | None:
        return state

    return answer
