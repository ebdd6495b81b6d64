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
from cronlift.job.conditions import Outcome, verdict_of
from cronlift.job.documents import Places
from cronlift.job.loglines import Capped
from cronlift.job.manifest import Defaults, build_objects
from cronlift.job.naming import TaskIdentity
from cronlift.job.objects import Objects
from cronlift.job.parse import parse
from cronlift.job.result import ResultSource
from tests.unit.cluster.conftest import DEPLOYMENT, Written, until
from tests.unit.cluster.fake_api import FakeApi, fault, status

MANIFEST = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "x", "command": ["true"]}]}}},
}
IDENTITY = TaskIdentity(DEPLOYMENT, "demo__a", "manual__1", "export", -1, 1)


def job_of(identity: TaskIdentity = IDENTITY, spec_hash: str = "hash") -> dict[str, Any]:
    places = Places("manifest", has_lines=False)
    return build_objects(
        parse(MANIFEST, places), identity, Defaults("team-demo", "cronlift-job"), spec_hash, places
    ).job


@pytest.fixture
def life(client: KubernetesClient, watch: SharedWatch, log: Written) -> Callable[..., JobLife]:
    def make(
        policy: str = "on_success",
        identity: TaskIdentity = IDENTITY,
        options: dict[str, Any] | None = None,
        spec: dict[str, Any] | None = None,
        **more: Any,
    ) -> JobLife:
        job = job_of(identity)
        job["spec"] |= spec or {}
        chosen = LifeOptions(DeletePolicy(policy), **(options or {}))
        return JobLife(client, watch, Objects(job), identity, chosen, log, **more)

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


@pytest.mark.parametrize(("policy", "patches"), [("never", 0), ("on_success", 1)])
async def test_kill_leaves_a_job_that_has_ended_to_its_delete_policy(api, life, watch, policy, patches):
    """Another triggerer, which took this one for dead, may have ended the task: its Job is kept to look at."""
    subject = life(policy)
    task = asyncio.ensure_future(subject.run())
    job = await created(api)
    api.run_pod(job)
    await until(lambda: api.calls["get logs"])
    api.finish(job)
    await until(lambda: verdict_of(watch.jobs.store[job["metadata"]["name"]]))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await subject.kill()
    assert len(api.objects["jobs"]) == 1
    assert api.calls["patch jobs"] == patches


@pytest.mark.parametrize("kind", ["Complete", "Failed"])
async def test_job_that_goes_with_its_end_has_its_own_verdict(api, life, kind):
    """With `ttlSecondsAfterFinished: 0` the end and the deletion come together, and a task sees both or none."""
    task = asyncio.ensure_future(life().run())
    job = await created(api)
    await until(lambda: api.calls["watch jobs"])
    api.finish(job, kind, "BackoffLimitExceeded")
    api.remove("jobs", "team-demo", job["metadata"]["name"])
    assert (await task).outcome is (Outcome.SUCCEEDED if kind == "Complete" else Outcome.FAILED)


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


RIGHT_MISSING = 'jobs.batch is forbidden: User "x" cannot create resource "jobs" in API group "batch"'


async def test_right_that_comes_back_is_waited_for(api, life, log, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.start.FIRST_PAUSE_SECONDS", 0.01)
    api.faults["create jobs"] = [fault(403, "Forbidden", RIGHT_MISSING)] * 3
    assert (await play(api, life().run())).outcome is Outcome.SUCCEEDED
    assert sum("cronlift doctor" in line for line in log.lines) == 1


async def test_right_that_stays_away_fails_soon(api, life, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.start.RIGHTS_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr("cronlift.cluster.start.FIRST_PAUSE_SECONDS", 0.01)
    api.faults["create jobs"] = [fault(403, "Forbidden", RIGHT_MISSING)] * 99
    with pytest.raises(ForbiddenError, match="cannot create resource"):
        await life().run()


async def test_refusal_by_admission_fails_at_once(api, life):
    api.faults["create jobs"] = [fault(403, "Forbidden", "admission webhook denied the request: no latest tags")]
    with pytest.raises(ForbiddenError, match="no latest tags"):
        await life().run()
    assert api.calls["create jobs"] == 1


USED_UP = 'jobs.batch "x" is forbidden: exceeded quota: team, requested: count/jobs.batch=1, used: 5, limited: 5'


async def test_quota_that_is_used_up_is_waited_for(api, life, log, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.start.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("cronlift.cluster.start.PATIENCE_SECONDS", 0.0)
    api.faults["create jobs"] = [fault(403, "Forbidden", USED_UP)] * 3
    assert (await play(api, life().run())).outcome is Outcome.SUCCEEDED
    assert api.calls["create jobs"] == 4
    assert sum("waits until others of the team have ended" in line for line in log.lines) == 1


async def test_quota_is_waited_for_no_longer_than_the_start_timeout(api, life, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.start.FIRST_PAUSE_SECONDS", 0.01)
    api.faults["create jobs"] = [fault(403, "Forbidden", USED_UP)] * 99
    with pytest.raises(ForbiddenError, match="exceeded quota"):
        await life(options={"start_timeout_seconds": 0.05}).run()


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


# The result of a Job --------------------------------------------------------------------------------------------------

MESSAGE, LOG = ResultSource.TERMINATION_MESSAGE, ResultSource.LOG


async def test_termination_message_becomes_the_result(api, life):
    result = await play(api, life(options={"result_from": MESSAGE}).run(), message='{"rows": 3}')
    assert (result.value, result.has_value, result.outcome) == ({"rows": 3}, True, Outcome.SUCCEEDED)


async def test_marked_lines_become_the_result_also_beyond_what_the_log_shows(api, life, log, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.follow.Capped", lambda write: Capped(write, head_limit=1, tail_limit=1))
    task = asyncio.ensure_future(life(options={"result_from": LOG, "logs": False}).run())
    pod = api.run_pod(await created(api))
    name = pod["metadata"]["name"]
    long = "x" * 200_000
    api.say(name, "main", "begin", 'cronlift-result: {"a":', "between", f'cronlift-result: "{long}"}}', *["end"] * 50)
    api.end_pod(pod)
    api.finish(api.job())
    assert (await task).value == {"a": long}
    assert not any("xxx" in line for line in log.outputs)


async def test_none_is_a_result_too(api, life):
    result = await play(api, life(options={"result_from": MESSAGE}).run(), message="null")
    assert (result.value, result.has_value) == (None, True)


@pytest.mark.parametrize(
    ("source", "message", "words"),
    [(MESSAGE, "", "left no result"), (MESSAGE, "rows: 3", "'rows: 3'"), (LOG, "", "cronlift-result: ")],
    ids=["none", "no JSON", "no line"],
)  # fmt: skip
async def test_missing_result_fails_the_task_and_counts_as_its_failure(api, life, log, source, message, words):
    more = {"message": message} if message else {}
    result = await play(api, life(options={"result_from": source}).run(), **more)
    assert (result.outcome, result.has_value) == (Outcome.FAILED, False)
    assert "for want of its result" in result.message
    assert words in result.message
    assert any(line.startswith("error") and words in line for line in log.lines)
    assert "ttlSecondsAfterFinished" not in api.job()["spec"]


async def test_results_of_an_indexed_job_come_in_order_of_index(api, life):
    spec = {"completions": 3, "parallelism": 3, "completionMode": "Indexed"}
    task = asyncio.ensure_future(life(options={"result_from": MESSAGE}, spec=spec).run())
    job = await created(api)
    for index in (2, 0, 1):
        pod = api.run_pod(job, f"pod{index}", index=index)
        api.end_pod(pod, message=str(index * 10), finishedAt=f"2026-01-01T03:00:0{5 - index}Z")
    api.finish(job)
    assert (await task).value == [0, 10, 20]


async def test_results_of_a_job_without_indexes_come_in_order_of_end(api, life):
    task = asyncio.ensure_future(life(options={"result_from": LOG}, spec={"completions": 2, "parallelism": 2}).run())
    job = await created(api)
    for suffix, second in (("late", 9), ("early", 1)):
        pod = api.run_pod(job, suffix)
        api.say(pod["metadata"]["name"], "main", f'cronlift-result: "{suffix}"')
        api.end_pod(pod, finishedAt=f"2026-01-01T03:00:0{second}Z")
    api.finish(job)
    assert (await task).value == ["early", "late"]


async def test_result_of_a_pod_that_is_gone_since_is_still_known(api, life, watch):
    spec = {"completions": 2, "completionMode": "Indexed"}
    task = asyncio.ensure_future(life(options={"result_from": MESSAGE}, spec=spec).run())
    job = await created(api)
    first = api.run_pod(job, "first", index=0)
    api.end_pod(first, message='"first"')
    await until(lambda: any((p["status"].get("phase")) == "Succeeded" for p in watch.pods.store.values()))
    await asyncio.sleep(0)
    api.remove("pods", "team-demo", first["metadata"]["name"])
    await until(lambda: not watch.pods.store)
    api.end_pod(api.run_pod(job, "second", index=1), message='"second"')
    api.finish(job)
    assert (await task).value == ["first", "second"]


async def test_result_of_an_attempt_that_failed_is_not_taken(api, life):
    task = asyncio.ensure_future(life(options={"result_from": LOG}, spec={"backoffLimit": 1}).run())
    job = await created(api)
    for suffix, code in (("bad", 1), ("good", 0)):
        pod = api.run_pod(job, suffix)
        api.say(pod["metadata"]["name"], "main", f'cronlift-result: "{suffix}"')
        api.end_pod(pod, code)
    api.finish(job)
    assert (await task).value == "good"


async def test_result_of_failed_attempts_does_not_count_against_its_limit(api, life, log):
    task = asyncio.ensure_future(life(options={"result_from": LOG}, spec={"backoffLimit": 1}).run())
    job, large = await created(api), "x" * 700_000
    for suffix, code in (("bad", 1), ("good", 0)):
        pod = api.run_pod(job, suffix)
        api.say(pod["metadata"]["name"], "main", f'cronlift-result: "{large}"', suffix)
        await until(lambda suffix=suffix: any(line.endswith(suffix) for line in log.outputs))
        api.end_pod(pod, code)
    api.finish(job)
    assert (await task).value == large


async def test_main_container_speaks_for_its_pod(api, life):
    task = asyncio.ensure_future(life(options={"result_from": LOG}).run())
    pod = api.run_pod(await created(api), containers=("proxy", "main"))
    pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] = "main"
    api.put("pods", pod)
    for container in ("proxy", "main"):
        api.say(pod["metadata"]["name"], container, f'cronlift-result: "{container}"')
    api.end_pod(pod)
    api.finish(api.job())
    assert (await task).value == "main"


# Failures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "may_retry"), [("PodFailurePolicy", False), ("BackoffLimitExceeded", True)])
async def test_pod_failure_policy_forbids_another_try(api, life, reason, may_retry):
    task = asyncio.ensure_future(life().run())
    job = await created(api)
    api.end_pod(api.run_pod(job), 42)
    api.finish(job, "Failed", reason, "a rule matched")
    assert (await task).may_retry is may_retry


async def test_failure_is_told_in_order(api, life, log):
    """Reason, exit code and termination message, the container's last lines, its Pod's events."""
    task = asyncio.ensure_future(life(options={"logs": False}).run())
    job = await created(api)
    pod = api.run_pod(job, containers=("main", "proxy"))
    name = pod["metadata"]["name"]
    api.say(name, "main", *(f"line {number}" for number in range(30)))
    event = {"involvedObject": {"kind": "Pod", "name": name}, "reason": "BackOff", "message": "restarting", "count": 3}
    other = {**event, "involvedObject": {"kind": "Pod", "name": "another"}, "reason": "Other"}
    api.events = [{**event, "reason": "Started"}, event, other]
    pod["status"]["containerStatuses"][1]["name"] = "proxy"
    api.end_pod(pod, 3, message="no input file")
    ended = api.objects["pods"][("team-demo", name)]
    ended["status"]["containerStatuses"][1]["state"] = {"terminated": {"exitCode": 0}}
    api.put("pods", ended)
    api.finish(job, "Failed", "BackoffLimitExceeded", "it failed")
    await task
    told = log.lines[log.lines.index(next(line for line in log.lines if line.startswith("error"))) :]
    assert "BackoffLimitExceeded" in told[0]
    assert "exit code 3" in told[1]
    assert "no input file" in told[1]
    assert told[2] == f"info The last lines of container main of Pod {name}:"
    assert told[3:23] == [f"output line {number}" for number in range(10, 30)]
    assert told[23:] == [f"info Event of Pod {name}: BackOff (3 times): restarting"]
    assert api.calls["get logs"] == 1


async def test_last_lines_are_fetched_for_a_failure_that_the_tail_cut_off(api, life, log):
    task = asyncio.ensure_future(life(options={"tail_lines": 1}).run())
    pod = api.run_pod(await created(api))
    api.say(pod["metadata"]["name"], "main", "why", "bye")
    api.end_pod(pod, 3)
    api.finish(api.job(), "Failed", "BackoffLimitExceeded")
    await task
    assert log.outputs == ["... not shown before these lines: 1 (tail_lines=1)", "bye", "why", "bye"]


@pytest.mark.parametrize("missing", ["list events", "get logs"])
async def test_right_that_is_missing_does_not_matter_for_a_failure(api, life, log, missing):
    api.faults[missing] = [fault(403, "Forbidden", "cannot")] * 9
    result = await play(api, life(options={"logs": False}).run(), exit_code=3)
    assert "exit code 3" in result.message
    assert result.outcome is Outcome.FAILED


async def test_job_with_many_failed_pods_is_explained_by_the_newest(api, life, log):
    task = asyncio.ensure_future(life(options={"logs": False}).run())
    job = await created(api)
    for number in range(20):
        pod = api.run_pod(job, f"pod{number:02}")
        pod["metadata"]["creationTimestamp"] = f"2026-01-01T03:00:{number:02}Z"
        api.say(pod["metadata"]["name"], "main", f"from {number}")
        api.end_pod(pod, 1)
    api.finish(job, "Failed", "BackoffLimitExceeded")
    await task
    assert api.calls["list events"] == 3
    assert log.outputs == ["from 17", "from 18", "from 19"]
    assert sum(line.startswith("error Container") for line in log.lines) == 10
    assert "error ... and 10 more like these" in log.lines


async def test_failed_pod_that_the_job_controller_deleted_is_still_explained(api, life, log):
    """It does so with a Pod that restarts its containers, when they failed too often."""
    task = asyncio.ensure_future(life(options={"logs": False}).run())
    job = await created(api)
    pod = api.run_pod(job)
    waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 1}
    failed = {"name": "main", "lastState": {"terminated": {"exitCode": 7, "reason": "Error"}}, **waiting}
    pod["status"]["containerStatuses"] = [failed]
    api.put("pods", pod)
    await until(lambda: any("ends again and again" in line for line in log.lines))
    api.remove("pods", "team-demo", pod["metadata"]["name"])
    api.finish(job, "Failed", "BackoffLimitExceeded", "it failed")
    assert "exit code 7" in (await task).message


async def test_job_that_failed_without_a_pod_is_explained_by_its_events(api, life, log):
    api.events = [
        {"reason": "SuccessfulCreate", "message": "Created pod: a"},
        {"reason": "FailedCreate", "message": "exceeded quota"},
    ]
    task = asyncio.ensure_future(life().run())
    api.finish(await created(api), "Failed", "DeadlineExceeded")
    assert (await task).message.endswith("; Event FailedCreate: exceeded quota")


# Logs on demand -------------------------------------------------------------------------------------------------------


async def test_logs_that_are_off_are_not_read(api, life, log):
    result = await play(api, life(options={"logs": False}).run())
    assert result.outcome is Outcome.SUCCEEDED
    assert api.calls["get logs"] == 0
    assert log.outputs == []


async def test_tail_shows_the_last_lines_each_so_often_and_at_the_end(api, life, log):
    options = {"tail_lines": 1, "tail_every_seconds": 0.05}
    task = asyncio.ensure_future(life(options=options).run())
    pod = api.run_pod(await created(api))
    api.say(pod["metadata"]["name"], "main", "one", "two")
    await until(lambda: "two" in log.outputs)
    api.say(pod["metadata"]["name"], "main", "three", "four", "five")
    api.end_pod(pod)
    api.finish(api.job())
    await task
    assert log.outputs[-1] == "five"
    assert "one" not in log.outputs
    assert not task.cancelled()


# The time before the start --------------------------------------------------------------------------------------------


def pending(api: FakeApi, job: dict[str, Any], **waiting: str) -> dict[str, Any]:
    pod = api.run_pod(job)
    pod["status"] = {
        "phase": "Pending",
        "containerStatuses": [{"name": "main", "image": "x", "state": {"waiting": waiting}}],
    }
    return api.put("pods", pod)


@pytest.mark.parametrize(("policy", "left"), [("always", 0), ("on_success", 1)])
async def test_job_that_never_starts_is_stopped_with_the_last_diagnosis(api, life, policy, left):
    task = asyncio.ensure_future(life(policy, options={"start_timeout_seconds": 0.3}).run())
    pending(api, await created(api), reason="CreateContainerConfigError", message='secret "db" not found')
    with pytest.raises(JobFailedError, match=r'start_timeout of 0 s.*secret "db" not found.*Create the ConfigMap'):
        await task
    assert len(api.objects["jobs"]) == left
    assert all(job["spec"]["suspend"] is True for job in api.objects["jobs"].values())


async def test_job_without_any_pod_is_stopped_with_the_reason_of_its_events(api, life):
    api.events = [{"reason": "FailedCreate", "message": "exceeded quota: team"}]
    with pytest.raises(JobFailedError, match=r"start_timeout.*quota is used up"):
        await life(options={"start_timeout_seconds": 0.2}).run()


async def test_job_that_started_in_time_is_not_stopped_later(api, life):
    task = asyncio.ensure_future(life(options={"start_timeout_seconds": 0.3}).run())
    job = await created(api)
    pod = api.run_pod(job)
    api.say(pod["metadata"]["name"], "main", "x")
    await until(lambda: api.calls["get logs"])
    api.end_output(pod["metadata"]["name"], "main")
    api.remove("pods", "team-demo", pod["metadata"]["name"])
    done, _ = await asyncio.wait([task], timeout=0.6)
    assert not done
    api.finish(job)
    assert (await task).outcome is Outcome.SUCCEEDED


async def test_start_that_the_watch_missed_is_looked_up_before_giving_up(api, life, watch):
    """The API server may be away just when the first container starts."""
    api.watch_mode = "silent"
    task = asyncio.ensure_future(life(options={"start_timeout_seconds": 1.0}).run())
    job = await created(api)
    await until(lambda: api.calls["watch pods"])
    api.run_pod(job)
    await until(lambda: api.calls["list pods"] >= 2)
    assert not task.done()
    api.watch_mode = "normal"
    api.end_pod(next(iter(api.objects["pods"].values())))
    api.finish(job)
    assert (await task).outcome is Outcome.SUCCEEDED


async def test_missing_image_is_waited_for_no_longer_than_the_start_may_take(api, life):
    task = asyncio.ensure_future(life(options={"start_timeout_seconds": 0.3}).run())
    pending(api, await created(api), reason="ErrImagePull", message="not found")
    with pytest.raises(JobFailedError, match="imagePullSecrets"):
        await task


# Take-over and leftovers ----------------------------------------------------------------------------------------------


async def test_job_of_a_deleted_run_of_the_same_id_is_replaced(api, life, log):
    old = job_of(replace(IDENTITY, instance_id="old"), spec_hash="other")
    old["metadata"]["uid"] = "old"
    api.put("jobs", old)
    task = asyncio.ensure_future(life(identity=replace(IDENTITY, instance_id="new")).run())
    job = await until(lambda: [j for j in api.objects["jobs"].values() if j["metadata"]["uid"] != "old"])
    assert ("delete jobs", "Foreground", "old") in [
        (what, body.get("propagationPolicy"), (body.get("preconditions") or {}).get("uid")) for what, body in api.bodies
    ]
    api.finish(job[0])
    assert (await task).outcome is Outcome.SUCCEEDED
    assert "run that was deleted" in log.text()


async def test_job_from_before_instances_had_ids_is_adopted(api, life):
    """A deployment may be upgraded while Jobs run."""
    api.put("jobs", job_of() | {"metadata": job_of()["metadata"] | {"uid": "first"}})
    result = await play(api, life(identity=replace(IDENTITY, instance_id="new")).run())
    assert result.outcome is Outcome.SUCCEEDED
    assert api.calls["delete jobs"] == 0


async def test_late_news_of_the_job_before_ours_is_not_taken_for_ours(api, life, watch):
    """The watch may lag behind the create call when a Job of our name was just deleted."""
    old = job_of(replace(IDENTITY, instance_id="old"))
    old["metadata"] |= {"uid": "old", "resourceVersion": "5", "deletionTimestamp": "2026-01-01T03:00:00Z"}
    task = asyncio.ensure_future(life(identity=replace(IDENTITY, instance_id="new")).run())
    job = await created(api)
    await until(lambda: len(api._watchers) == 2)
    api.send_to_watchers("jobs", {"type": "MODIFIED", "object": old})
    api.send_to_watchers("jobs", {"type": "DELETED", "object": old})
    api.send_to_watchers("jobs", {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "100000"}}})
    await until(lambda: watch.jobs._version == "100000")
    api.finish(job)
    assert (await task).outcome is Outcome.SUCCEEDED


# What is told to others -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adopted", [False, True], ids=["created", "adopted"])
async def test_creation_is_told_once(api, life, adopted):
    if adopted:
        api.put("jobs", job_of() | {"metadata": job_of()["metadata"] | {"uid": "first"}})
    told: list[str] = []
    subject = life()

    async def tell(job: dict[str, Any]) -> None:
        told.append(job["metadata"]["uid"])

    subject.on_created = tell
    await play(api, subject.run())
    assert told == [api.job()["metadata"]["uid"]]


async def test_fault_in_telling_does_not_fail_the_task(api, life, log):
    subject = life()

    async def tell(_job: dict[str, Any]) -> None:
        raise RuntimeError("no database")

    subject.on_created = tell
    assert (await play(api, subject.run())).outcome is Outcome.SUCCEEDED
    assert "no database" in log.text()


async def test_measurements_of_a_success(api, life, metrics):
    await play(api, life(metrics=metrics).run())
    assert metrics.counts["cronlift.jobs.ended succeeded"] == 1
    assert len(metrics.timings["cronlift.job.start_seconds"]) == 1
    assert 0 <= metrics.timings["cronlift.job.detection_seconds"][0] < 3
    assert metrics.gauges == [("cronlift.jobs.running own team-demo", 1), ("cronlift.jobs.running own team-demo", 0)]
    requests = {name.partition(" ")[2]: count for name, count in metrics.counts.items() if "api.requests" in name}
    assert requests == {
        "create jobs": 1, "patch jobs": 1, "log pods": 1,
        "list jobs": 1, "list pods": 1, "watch jobs": 1, "watch pods": 1,
    }  # fmt: skip


@pytest.mark.parametrize("refused", [False, True], ids=["job", "create"])
async def test_failures_are_counted(api, life, metrics, refused):
    if refused:
        api.faults["create jobs"] = [fault(403, "Forbidden", "no")]
        with pytest.raises(ForbiddenError):
            await life(metrics=metrics).run()
    else:
        await play(api, life(metrics=metrics).run(), exit_code=1)
    assert metrics.counts["cronlift.jobs.ended failed"] == 1


async def test_take_over_of_a_finished_job_measures_nothing_but_its_end(api, life, metrics):
    """Otherwise a restart would look like a slow start and a slow detection."""
    api.put("jobs", job_of() | {"metadata": job_of()["metadata"] | {"uid": "first"}})
    api.end_pod(api.run_pod(api.job()))
    api.finish(api.job())
    await life(metrics=metrics).run()
    assert metrics.timings == {}


async def test_right_that_is_withdrawn_while_the_job_runs_is_no_verdict(api, life, watch, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.patience.RETRY_PAUSE_SECONDS", 0.01)
    task = asyncio.ensure_future(life().run())
    job = await created(api)
    await until(lambda: watch.jobs.store)
    api.faults["get jobs"] = [fault(403, "Forbidden", "withdrawn")] * 3
    watch._notify(watch.jobs.store.popitem()[0])
    await until(lambda: api.calls["get jobs"] >= 4)
    assert not task.done()
    api.finish(job)
    assert (await task).outcome is Outcome.SUCCEEDED
