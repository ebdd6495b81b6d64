"""One Job from its creation to its end, against a fake API server."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from cronlift.cluster.client import KubernetesClient
from cronlift.cluster.life import DeletePolicy, JobLife, LifeOptions, Result
from cronlift.cluster.removal import TTL_SECONDS
from cronlift.cluster.watch import SharedWatch
from cronlift.errors import ForbiddenError, JobConflictError, JobFailedError
from cronlift.job.conditions import Outcome
from cronlift.job.documents import Places
from cronlift.job.manifest import Defaults, build_objects
from cronlift.job.naming import TaskIdentity
from cronlift.job.objects import Objects
from cronlift.job.parse import parse
from tests.unit.cluster.conftest import DEPLOYMENT, until
from tests.unit.cluster.fake_api import FakeApi, fault, status

MANIFEST = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "x", "command": ["true"]}]}}},
}
IDENTITY = TaskIdentity(DEPLOYMENT, "demo__a", "manual__1", "export", -1, 1)


class Written:
    """A task's log, kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.outputs: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(f"info {text}")

    def warning(self, text: str) -> None:
        self.lines.append(f"warning {text}")

    def error(self, text: str) -> None:
        self.lines.append(f"error {text}")

    def output(self, moment: datetime, text: str) -> None:
        self.outputs.append(text)


def job_of(identity: TaskIdentity = IDENTITY, spec_hash: str = "hash") -> dict[str, Any]:
    places = Places("manifest", has_lines=False)
    return build_objects(
        parse(MANIFEST, places), identity, Defaults("team-demo", "cronlift-job"), spec_hash, places
    ).job


@pytest.fixture
def log() -> Written:
    return Written()


@pytest.fixture
def life(client: KubernetesClient, watch: SharedWatch, log: Written) -> Callable[..., JobLife]:
    def make(policy: str = "on_success", identity: TaskIdentity = IDENTITY, **more: Any) -> JobLife:
        return JobLife(
            client, watch, Objects(job_of(identity)), identity, LifeOptions(DeletePolicy(policy)), log, **more
        )

    return make


async def created(api: FakeApi) -> dict[str, Any]:
    await until(lambda: api.objects["jobs"])
    return api.job()


async def play(api: FakeApi, running: Awaitable[Result], *, exit_code: int = 0, **more: Any) -> Result:
    task = asyncio.ensure_future(running)
    job = await created(api)
    pod = api.run_pod(job)
    api.say(pod["metadata"]["name"], "main", "one", "two")
    api.end_pod(pod, exit_code, **more)
    api.finish(job, *(("Complete",) if exit_code == 0 else ("Failed", "BackoffLimitExceeded", "it failed")))
    return await task


async def test_success_takes_two_requests_and_one_log_stream(api, life, log):
    result = await play(api, life().run())
    assert result == Result(Outcome.SUCCEEDED, f"team-demo/{api.job()['metadata']['name']}", "")
    assert log.outputs == ["one", "two"]
    shared = {"list jobs": 1, "list pods": 1, "watch jobs": 1, "watch pods": 1}
    assert dict(api.calls) == {"create jobs": 1, "patch jobs": 1, "get logs": 1, **shared}


async def test_every_call_impersonates_the_teams_launcher(api, life):
    await play(api, life().run())
    users = {headers.get("Impersonate-User") for _, headers, _ in api.seen}
    assert users == {"system:serviceaccount:team-demo:cronlift-launcher"}


async def test_failure_names_reason_exit_code_and_termination_message(api, life, log):
    result = await play(api, life().run(), exit_code=3, message="no input file")
    assert result.outcome is Outcome.FAILED
    assert "BackoffLimitExceeded" in result.message
    assert "exit code 3" in result.message
    assert "no input file" in result.message
    assert any(line.startswith("error Container main") for line in log.lines)


async def test_oom_killed_container_is_explained_with_the_cure(api, life, log):
    result = await play(api, life().run(), exit_code=137, reason="OOMKilled")
    assert "Raise resources.limits.memory" in result.message


@pytest.mark.parametrize(
    ("policy", "exit_code", "removed"),
    [
        ("on_success", 0, True), ("on_success", 1, False), ("on_failure", 0, False), ("on_failure", 1, True),
        ("always", 0, True), ("always", 1, True), ("never", 0, False), ("never", 1, False),
    ],
)  # fmt: skip
async def test_delete_policy_gives_the_finished_job_a_time_to_live(api, life, policy, exit_code, removed):
    await play(api, life(policy).run(), exit_code=exit_code)
    assert api.job()["spec"].get("ttlSecondsAfterFinished") == (TTL_SECONDS if removed else None)


async def test_existing_job_of_the_same_try_is_adopted(api, life, log):
    api.put("jobs", job_of() | {"metadata": job_of()["metadata"] | {"uid": "first"}})
    result = await play(api, life().run())
    assert result.outcome is Outcome.SUCCEEDED
    assert api.calls["create jobs"] == 1
    assert any("go on with it" in line for line in log.lines)


async def test_job_that_ended_before_its_task_subscribed_is_seen(api, life, log):
    api.put("jobs", job_of() | {"metadata": job_of()["metadata"] | {"uid": "first"}})
    pod = api.run_pod(api.job())
    api.say(pod["metadata"]["name"], "main", "from the start")
    api.end_pod(pod)
    api.finish(api.job())
    async with asyncio.timeout(3):
        result = await life().run()
    assert result.outcome is Outcome.SUCCEEDED
    assert log.outputs == ["from the start"]


async def test_job_of_something_else_under_our_name_is_a_conflict_that_names_both(api, life):
    foreign = job_of(spec_hash="other")
    foreign["metadata"]["uid"] = "foreign"
    api.put("jobs", foreign)
    with pytest.raises(JobConflictError, match=r"spec-hash other.*spec-hash hash"):
        await life().run()


async def test_second_try_waits_until_the_live_job_of_the_first_is_gone(api, life, log):
    first = job_of()
    first["metadata"]["uid"] = "first"
    api.put("jobs", first)
    second = replace(IDENTITY, try_number=2)
    task = asyncio.ensure_future(life(identity=second).run())
    job = await until(lambda: [j for j in api.objects["jobs"].values() if j["metadata"]["uid"] != "first"])
    assert [j["metadata"]["labels"]["cronlift.dev/try"] for j in api.objects["jobs"].values()] == ["2"]
    api.finish(job[0])
    assert (await task).outcome is Outcome.SUCCEEDED


async def test_finished_job_of_an_earlier_try_is_left_alone(api, life):
    first = job_of()
    first["metadata"]["uid"] = "first"
    first["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
    api.put("jobs", first)
    task = asyncio.ensure_future(life(identity=replace(IDENTITY, try_number=2)).run())
    job = await until(lambda: [j for j in api.objects["jobs"].values() if j["metadata"]["uid"] != "first"])
    api.finish(job[0])
    await task
    assert api.calls["delete jobs"] == 0


async def test_deleted_job_fails_the_task_with_words(api, life):
    task = asyncio.ensure_future(life().run())
    job = await created(api)
    await until(lambda: api.calls["watch jobs"])
    api.remove("jobs", "team-demo", job["metadata"]["name"])
    with pytest.raises(JobFailedError, match="was deleted while the task waited"):
        await task


async def test_vanished_pod_is_no_failure(api, life, log):
    task = asyncio.ensure_future(life().run())
    job = await created(api)
    first = api.run_pod(job, "aaaaa")
    api.say(first["metadata"]["name"], "main", "first attempt")
    await until(lambda: log.outputs)
    api.end_output(first["metadata"]["name"], "main")
    api.remove("pods", "team-demo", first["metadata"]["name"])
    second = api.run_pod(job, "bbbbb")
    api.say(second["metadata"]["name"], "main", "second attempt")
    api.end_pod(second)
    api.finish(job)
    assert (await task).outcome is Outcome.SUCCEEDED
    assert any("second attempt" in line for line in log.outputs)


async def test_failure_target_waits_for_the_final_condition(api, life, log):
    task = asyncio.ensure_future(life().run())
    job = await created(api)
    pod = api.run_pod(job)
    api.finish(job, "FailureTarget", "DeadlineExceeded")
    api.say(pod["metadata"]["name"], "main", "a last word")
    await until(lambda: log.outputs)
    assert not task.done()
    api.end_pod(pod, 143)
    api.finish(job, "Failed", "DeadlineExceeded")
    assert "DeadlineExceeded" in (await task).message


async def test_deadline_stops_the_job_and_fails_the_task(api, life):
    running = life(deadline=datetime.now(UTC) + timedelta(seconds=0.3)).run()
    with pytest.raises(JobFailedError, match="execution_timeout"):
        await running
    assert api.objects["jobs"] == {}


async def test_kill_deletes_the_job_with_its_uid(api, life):
    subject = life()
    task = asyncio.ensure_future(subject.run())
    await created(api)
    await until(lambda: subject.uid)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await subject.kill()
    assert api.objects["jobs"] == {}


async def test_kill_before_the_create_call_was_answered_still_finds_the_job(api, life):
    api.put("jobs", job_of() | {"metadata": job_of()["metadata"] | {"uid": "first"}})
    await life().kill()
    assert api.objects["jobs"] == {}


async def test_cancelled_task_leaves_the_job_alone(api, life):
    task = asyncio.ensure_future(life().run())
    await created(api)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(api.objects["jobs"]) == 1


async def test_create_goes_on_while_the_api_server_is_away(api, life, monkeypatch, log):
    monkeypatch.setattr("cronlift.cluster.start.FIRST_PAUSE_SECONDS", 0.01)
    api.faults["create jobs"] = [
        fault(503, "ServiceUnavailable", "etcd is away"),
        fault(429, "TooManyRequests", "slow"),
    ]
    assert (await play(api, life().run())).outcome is Outcome.SUCCEEDED
    assert api.calls["create jobs"] == 3
    assert sum("Will go on trying" in line for line in log.lines) == 1


async def test_missing_right_fails_at_once(api, life):
    api.faults["create jobs"] = [fault(403, "Forbidden", "cannot create jobs")]
    with pytest.raises(ForbiddenError, match="cannot create jobs"):
        await life().run()


async def test_unanswered_create_is_not_a_second_job(api, life, monkeypatch):
    """The API server created the Job, but its answer was lost: the next attempt adopts."""
    monkeypatch.setattr("cronlift.cluster.start.FIRST_PAUSE_SECONDS", 0.01)
    original = api._create_job

    async def create_and_die(request: web.Request) -> web.StreamResponse:
        await original(request)
        api._create_job = original
        return status(504, "Timeout", "the answer was lost")

    api._create_job = create_and_die
    task = asyncio.ensure_future(life().run())
    job = await created(api)
    await until(lambda: api.calls["watch jobs"])
    api.finish(job)
    assert (await task).outcome is Outcome.SUCCEEDED
    assert len(api.objects["jobs"]) == 1


async def test_image_that_can_never_be_used_fails_the_task(api, life):
    task = asyncio.ensure_future(life("always").run())
    pod = api.run_pod(await created(api))
    waiting = {"waiting": {"reason": "InvalidImageName", "message": "bad name"}}
    pod["status"]["containerStatuses"] = [{"name": "main", "image": "x:", "state": waiting}]
    api.put("pods", pod)
    with pytest.raises(JobFailedError, match="Correct the image's name"):
        await task
    assert api.objects["jobs"] == {}


async def test_api_server_that_is_away_is_no_verdict(api, life, watch, monkeypatch):
    """A task must outlive its API server: neither a stale watch nor an unanswered question fails it."""
    monkeypatch.setattr("cronlift.cluster.waiting.TICK_SECONDS", 0.02)
    monkeypatch.setattr("cronlift.cluster.waiting.POD_EXPECTED_SECONDS", 0.02)
    monkeypatch.setattr("cronlift.cluster.patience.RETRY_PAUSE_SECONDS", 0.01)
    watch.stale_after_seconds = 0.0
    task = asyncio.ensure_future(life().run())
    job = await created(api)
    api.faults["get jobs"] = [fault(503, "ServiceUnavailable", "away")] * 5
    await until(lambda: api.calls["get jobs"] >= 5)
    assert not task.done()
    api.finish(job)
    assert (await task).outcome is Outcome.SUCCEEDED


async def test_job_that_seems_gone_is_asked_for_until_there_is_an_answer(api, life, watch, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.patience.RETRY_PAUSE_SECONDS", 0.01)
    task = asyncio.ensure_future(life().run())
    job = await created(api)
    await until(lambda: watch.jobs.store)
    api.faults["get jobs"] = [fault(503, "ServiceUnavailable", "away")] * 3
    name = watch.jobs.store.popitem()[0]
    watch._notify(name)
    await until(lambda: api.calls["get jobs"] >= 4)
    assert not task.done()
    api.finish(job)
    assert (await task).outcome is Outcome.SUCCEEDED


async def test_late_job_is_deleted_although_the_api_server_was_away(api, life, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.patience.RETRY_PAUSE_SECONDS", 0.01)
    api.faults["delete jobs"] = [fault(503, "ServiceUnavailable", "away")] * 3
    with pytest.raises(JobFailedError, match="execution_timeout"):
        await life(deadline=datetime.now(UTC) + timedelta(seconds=0.3)).run()
    assert api.objects["jobs"] == {}


async def test_job_that_cannot_be_tidied_is_still_a_success(api, life, log):
    api.faults["patch jobs"] = [fault(403, "Forbidden", "no patch")]
    assert (await play(api, life().run())).outcome is Outcome.SUCCEEDED
    assert any("do it by hand" in line for line in log.lines)


async def test_job_without_a_pod_is_explained_by_its_events(api, life, log, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.waiting.POD_EXPECTED_SECONDS", 0.05)
    api.events = [{"reason": "FailedCreate", "message": "exceeded quota: team"}]
    task = asyncio.ensure_future(life().run())
    job = await created(api)
    await until(lambda: any("quota is used up" in line for line in log.lines))
    pod = api.run_pod(job)
    api.end_pod(pod)
    api.finish(job)
    assert (await task).outcome is Outcome.SUCCEEDED
    assert sum("quota is used up" in line for line in log.lines) == 1


async def test_lines_of_a_parallel_job_name_their_pod_from_the_first_on(api, client, watch, log):
    job = job_of()
    job["spec"] |= {"completions": 2, "completionMode": "Indexed"}
    running = JobLife(client, watch, Objects(job), IDENTITY, LifeOptions(), log).run()
    task = asyncio.ensure_future(running)
    pod = api.run_pod(await created(api))
    api.say(pod["metadata"]["name"], "main", "x")
    api.end_pod(pod)
    api.finish(api.job())
    await task
    assert log.outputs == [f"[{pod['metadata']['name']}/main] x"]
