"""What a manifest brings beside its Job: created in order, owned, never twice, never left behind, never quoted."""

import asyncio
from typing import Any

import pytest

from cronlift.cluster.companions import ANNOTATION_AWAITS, QUEUE_LABEL
from cronlift.cluster.options import DeletePolicy
from cronlift.cluster.removal import Removal
from cronlift.cluster.start import Starter
from cronlift.errors import JobConflictError, JobFailedError
from cronlift.job.naming import TaskIdentity, annotations
from cronlift.job.objects import Objects
from tests.unit.cluster.conftest import DEPLOYMENT, until
from tests.unit.cluster.fake_api import fault

IDENTITY = TaskIdentity(DEPLOYMENT, "demo__a", "manual__1", "export", -1, 1)


def job(name: str = "export-1", *, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team-demo", "labels": labels or {}, "annotations": annotations(IDENTITY)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": {}, **spec}}


def companion(kind: str = "ConfigMap", name: str = "export-1-config", **annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "annotations": annotations},
        "data": {"a": "1"},
    }


KEPT = companion("PersistentVolumeClaim", "lasting", **{"cronlift.dev/keep": "true"})


@pytest.fixture
def starter(client, log, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.start.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("cronlift.cluster.companions.POLL_SECONDS", 0.01)
    return Starter(client, Removal(client, "team-demo", "export-1", DeletePolicy.NEVER, log), log)


async def test_job_waits_suspended_until_its_companions_are_there(api, starter):
    started = await starter.start(Objects(job(), (companion(), companion("Secret", "s"))), IDENTITY)
    assert [what for what, _ in api.bodies] == ["create jobs", "create configmaps", "create secrets", "patch jobs"]
    assert api.bodies[0][1]["spec"]["suspend"] is True
    assert api.bodies[-1][1] == {"metadata": {"annotations": {ANNOTATION_AWAITS: None}}, "spec": {"suspend": False}}
    assert started.job["spec"]["suspend"] is False
    assert ANNOTATION_AWAITS not in started.job["metadata"]["annotations"]
    assert not started.adopted


async def test_companion_is_owned_by_the_job(api, starter):
    started = await starter.start(Objects(job(), (companion(),)), IDENTITY)
    (found,) = api.objects["configmaps"].values()
    assert found["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": "export-1",
            "uid": started.job["metadata"]["uid"],
            "controller": False,
            "blockOwnerDeletion": False,
        }
    ]
    assert api.seen[1][2] == {"fieldManager": "cronlift", "fieldValidation": "Strict"}


async def test_job_without_companions_is_one_request(api, starter):
    await starter.start(Objects(job()), IDENTITY)
    assert dict(api.calls) == {"create jobs": 1}
    assert "suspend" not in api.bodies[0][1]["spec"]


@pytest.mark.parametrize(
    ("subject", "suspended"),
    [(job(labels={QUEUE_LABEL: "team"}), None), (job(suspend=True), True)],
    ids=["queue", "manifest"],
)
async def test_suspend_of_a_queue_or_of_the_manifest_is_not_touched(api, starter, subject, suspended):
    started = await starter.start(Objects(subject, (companion(),)), IDENTITY)
    assert api.bodies[0][1]["spec"].get("suspend") is suspended
    assert "spec" not in api.bodies[-1][1]
    assert started.job["spec"].get("suspend") is suspended
    assert len(api.objects["configmaps"]) == 1


async def test_kept_companion_is_applied_and_not_owned(api, starter):
    await starter.start(Objects(job(), (KEPT,)), IDENTITY)
    (found,) = api.objects["persistentvolumeclaims"].values()
    assert "ownerReferences" not in found["metadata"]
    ((_, headers, query),) = [each for each in api.seen if each[0] == "patch persistentvolumeclaims"]
    assert headers["Content-Type"] == "application/apply-patch+yaml"
    assert query == {"fieldManager": "cronlift", "force": "false", "fieldValidation": "Strict"}


async def test_kept_companion_that_somebody_else_changed_is_a_conflict(api, starter):
    api.faults["patch persistentvolumeclaims"] = [fault(409, "Conflict", 'conflict with "kubectl": .spec.resources')]
    with pytest.raises(JobConflictError, match=r'kept, and somebody else .*"kubectl": \.spec\.resources'):
        await starter.start(Objects(job(), (KEPT,)), IDENTITY)
    assert api.objects["jobs"] == {}


async def test_kept_companion_that_has_an_owner_is_warned_of(api, starter, log):
    held = {
        "metadata": {**KEPT["metadata"], "namespace": "team-demo", "ownerReferences": [{"kind": "Job", "name": "x"}]}
    }
    api.put("persistentvolumeclaims", held)
    await starter.start(Objects(job(), (KEPT,)), IDENTITY)
    assert "Job x owns it and takes it along" in log.text()


@pytest.mark.parametrize("calls", range(5), ids=lambda calls: f"after {calls} calls")
async def test_whoever_takes_over_completes_what_was_begun(api, client, log, starter, calls):
    """A triggerer may die between any two calls."""
    objects = Objects(job(), (companion(), companion("Secret", "s"), KEPT))

    class Died(BaseException):
        pass

    left = calls
    original = client._once

    async def once(*args: Any) -> bytes:
        nonlocal left
        if left == 0:
            raise Died
        left -= 1
        return await original(*args)

    client._once = once
    with pytest.raises(Died):
        await starter.start(objects, IDENTITY)
    client._once = original
    started = await starter.start(objects, IDENTITY)
    assert started.adopted is (calls > 0)
    assert started.job["spec"]["suspend"] is False
    assert ANNOTATION_AWAITS not in started.job["metadata"]["annotations"]
    for resource in ("configmaps", "secrets"):
        (found,) = api.objects[resource].values()
        assert found["metadata"]["ownerReferences"][0]["uid"] == started.job["metadata"]["uid"]
    assert len(api.objects["persistentvolumeclaims"]) == len(api.objects["jobs"]) == 1


async def test_adopted_job_that_has_its_companions_is_not_patched_again(api, starter):
    objects = Objects(job(), (companion(),))
    await starter.start(objects, IDENTITY)
    api.calls.clear()
    await starter.start(objects, IDENTITY)
    assert dict(api.calls) == {"create jobs": 1, "get jobs": 1}


async def test_job_that_somebody_paused_is_not_resumed_by_a_take_over(api, starter):
    objects = Objects(job(), (companion(),))
    started = await starter.start(objects, IDENTITY)
    started.job["spec"]["suspend"] = True
    api.put("jobs", started.job)
    assert (await starter.start(objects, IDENTITY)).job["spec"]["suspend"] is True


async def test_name_of_a_companion_that_is_taken_is_a_conflict_that_names_both(api, starter):
    owner = [{"apiVersion": "batch/v1", "kind": "Job", "name": "other-2", "uid": "other"}]
    taken = companion(name="config")
    api.put("configmaps", {"metadata": {"name": "config", "namespace": "team-demo", "ownerReferences": owner}})
    with pytest.raises(JobConflictError) as caught:
        await starter.start(Objects(job(), (taken,)), IDENTITY)
    words = str(caught.value)
    assert "belongs to Job other-2" in words
    assert "this task to Job export-1" in words
    assert "`name: {{ job_name }}-config`" in words
    assert "cronlift.dev/keep" in words
    assert api.objects["jobs"] == {}


async def test_companion_of_an_earlier_job_of_our_name_is_waited_for(api, starter):
    """Kubernetes collects it some seconds after its Job."""
    owner = [{"apiVersion": "batch/v1", "kind": "Job", "name": "export-1", "uid": "gone"}]
    held = {"metadata": {"name": "export-1-config", "namespace": "team-demo", "ownerReferences": owner}}
    api.put("configmaps", held)
    task = asyncio.ensure_future(starter.start(Objects(job(), (companion(),)), IDENTITY))
    await until(lambda: api.calls["get configmaps"] >= 2)
    assert not task.done()
    api.remove("configmaps", "team-demo", "export-1-config")
    await task
    (found,) = api.objects["configmaps"].values()
    assert found["metadata"]["ownerReferences"][0]["uid"] != "gone"


async def test_companion_that_does_not_go_is_an_error_with_the_cure(api, starter, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.companions.GOING_SECONDS", 0.02)
    stuck = {"name": "export-1-config", "namespace": "team-demo", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    api.put("configmaps", {"metadata": stuck})
    with pytest.raises(JobConflictError, match=r"finalizers.*kubectl describe configmap export-1-config"):
        await starter.start(Objects(job(), (companion(),)), IDENTITY)
    assert api.objects["jobs"] == {}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (fault(403, "Forbidden", 'User "x" cannot create resource "configmaps"'), "teams.<name>.manifestObjects: true"),
        (fault(403, "Forbidden", "exceeded quota: objects"), "exceeded quota: objects"),
        (fault(422, "Invalid", "data: Invalid value"), "data: Invalid value"),
        (fault(400, "BadRequest", 'strict decoding error: unknown field "dat"'), 'unknown field "dat"'),
    ],
    ids=["right", "quota", "invalid", "unknown field"],
)  # fmt: skip
async def test_refused_companion_takes_the_job_away_and_says_why(api, starter, answer, words):
    api.faults["create configmaps"] = [answer]
    with pytest.raises(JobFailedError) as caught:
        await starter.start(Objects(job(), (companion("Secret", "s"), companion())), IDENTITY)
    assert "ConfigMap team-demo/export-1-config, which Job export-1 needs, was refused" in str(caught.value)
    assert words in str(caught.value)
    assert api.objects["jobs"] == {}


async def test_api_server_that_is_away_meanwhile_is_waited_for(api, starter, log):
    api.faults["create configmaps"] = [
        fault(503, "ServiceUnavailable", "away"),
        fault(409, "Conflict", "quota's count"),
    ]
    started = await starter.start(Objects(job(), (companion(),)), IDENTITY)
    assert started.job["spec"]["suspend"] is False
    assert len(api.objects["configmaps"]) == 1
    assert "Will go on trying" in log.text()


@pytest.mark.parametrize("code", [400, 403, 409, 422, 500], ids=str)
@pytest.mark.parametrize("kept", [False, True], ids=["owned", "kept"])
async def test_message_about_a_secret_is_never_shown(api, starter, log, monkeypatch, code, kept):
    """An admission webhook, or the server itself, may quote what the Secret holds."""
    monkeypatch.setattr("cronlift.cluster.start.PATIENCE_SECONDS", 0.0)
    secret = companion("Secret", "s", **({"cronlift.dev/keep": "true"} if kept else {}))
    answer = fault(code, "SomeReason", "Invalid value: hunter2")
    api.faults["create secrets"], api.faults["patch secrets"] = [answer] * 3, [answer] * 3
    api.put("secrets", {"metadata": {"name": "s", "namespace": "team-demo"}, "data": {"password": "hunter2"}})
    with pytest.raises(Exception, match="Secret") as caught:
        await starter.start(Objects(job(), (secret,)), IDENTITY)
    everything = [caught.value]
    while everything[-1].__cause__ or everything[-1].__context__:
        everything.append(everything[-1].__cause__ or everything[-1].__context__)
    assert all("hunter2" not in f"{error!r} {error} {vars(error)}" for error in everything)
    assert "hunter2" not in log.text()
    assert api.objects["jobs"] == {}


async def test_start_waits_as_long_as_the_server_asks(api, starter, monkeypatch):
    pauses: list[float] = []
    original = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await original(0)

    monkeypatch.setattr("cronlift.cluster.start.asyncio.sleep", sleep)
    api.faults["create jobs"] = [fault(429, "TooManyRequests", "slow down", Retry_After="7")]
    await starter.start(Objects(job()), IDENTITY)
    assert 7.0 in pauses
