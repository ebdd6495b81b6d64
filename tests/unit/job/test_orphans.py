"""Whose a Job is, and whether anybody waits for it."""

from datetime import UTC, datetime, timedelta

import pytest

from cronlift.errors import JobError
from cronlift.job import naming
from cronlift.job.naming import TaskIdentity
from cronlift.job.orphans import (
    WAITING_STATES,
    TaskRecord,
    age_of,
    is_held,
    is_live,
    read_identity,
    why_orphaned,
)

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
IDENTITY = TaskIdentity("cronlift/cronlift", "demo__a", "manual__1", "group.work", -1, 2, "id-2")


def job(identity=IDENTITY, *, status=None, spec=None, age=timedelta(hours=1), **metadata):
    return {
        "metadata": {
            "name": naming.job_name(identity),
            "namespace": "team-demo",
            "creationTimestamp": f"{NOW - age:%Y-%m-%dT%H:%M:%SZ}",
            "labels": naming.labels(identity),
            "annotations": naming.annotations(identity),
            **metadata,
        },
        "spec": spec or {},
        "status": status or {},
    }


def condition(kind):
    return {"conditions": [{"type": kind, "status": "True"}]}


def record(state="deferred", try_number=2, instance_id="id-2"):
    return TaskRecord(state, try_number, instance_id)


@pytest.mark.parametrize(
    ("status", "metadata", "live"),
    [
        ({}, {}, True),
        (condition("Suspended"), {}, True),
        (condition("FailureTarget"), {}, True),
        (condition("Complete"), {}, False),
        (condition("Failed"), {}, False),
        ({}, {"deletionTimestamp": "2026-01-02T11:59:00Z"}, False),
    ],
    ids=["new", "suspended", "pods-still-end", "complete", "failed", "in-deletion"],
)
def test_a_job_is_live_until_its_verdict_is_settled(status, metadata, live):
    assert is_live(job(status=status, **metadata)) is live


def test_age_counts_from_the_creation():
    assert age_of(job(age=timedelta(minutes=7)), NOW) == timedelta(minutes=7)


def test_identity_is_read_back_from_the_annotations():
    mapped = TaskIdentity("cronlift/cronlift", "demo__a", "manual__1", "work", 3, 1)
    assert read_identity(job(), "cronlift/cronlift") == IDENTITY
    assert read_identity(job(mapped), "cronlift/cronlift") == mapped


@pytest.mark.parametrize("name", ["deployment", "dag-id", "run-id", "task-id", "map-index", "try-number"])
def test_a_missing_annotation_is_named(name):
    damaged = job()
    del damaged["metadata"]["annotations"][naming.ANNOTATION_PREFIX + name]
    with pytest.raises(JobError, match=f"annotation cronlift.dev/{name} is missing"):
        read_identity(damaged, "cronlift/cronlift")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "debugging"}, "is this one a copy"),
        ({"annotations": None}, "cronlift.dev/deployment is missing"),
        ({"annotations": naming.annotations(IDENTITY) | {"cronlift.dev/try-number": "two"}}, "'two', no number"),
        ({"annotations": naming.annotations(IDENTITY) | {"cronlift.dev/deployment": "x/y"}}, "of deployment x/y"),
    ],
    ids=["copied-by-hand", "no-annotations", "no-number", "foreign-deployment"],
)
def test_an_identity_that_is_not_consistent_is_refused(change, words):
    with pytest.raises(JobError, match=words):
        read_identity(job(**change), "cronlift/cronlift")


@pytest.mark.parametrize("state", sorted(WAITING_STATES))
def test_somebody_waits_for_the_job_of_a_task_that_goes_on(state):
    assert why_orphaned(IDENTITY, record(state)) is None


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "its run was deleted"),
        (record("deferred", try_number=3), "at try 3, the Job is of try 2"),
        (record("success", try_number=3), "at try 3"),
        (record("deferred", try_number=1), "made again: the task is at try 1"),
        (record("deferred", instance_id="id-other"), "made again"),
        (record("success"), "its task is success"),
        (record("failed"), "its task is failed"),
        (record("up_for_retry"), "its task is up_for_retry"),
        (record(None), "its task was cleared"),
        (record("removed"), "its task is removed"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_nobody_waits_for_the_job_of_a_task_that_is_over(found, words):
    assert words in why_orphaned(IDENTITY, found)


def test_a_job_without_an_instance_id_is_judged_by_try_and_state():
    old = TaskIdentity("cronlift/cronlift", "demo__a", "manual__1", "group.work", -1, 2)
    assert why_orphaned(old, record("deferred")) is None


def test_a_task_that_is_cleared_while_it_runs_keeps_its_job_until_it_is_stopped():
    assert why_orphaned(IDENTITY, record("restarting", instance_id="id-next")) is None


def test_an_unknown_state_is_no_reason_to_delete():
    with pytest.raises(JobError, match="'dreaming', which this version of cronlift does not know"):
        why_orphaned(IDENTITY, record("dreaming"))


@pytest.mark.parametrize(
    ("made", "state", "held"),
    [
        (job(spec={"suspend": True}), "failed", True),
        (job(spec={"suspend": True}), "success", False),
        (job(), "failed", False),
        (job(spec={"suspend": True}, age=timedelta(hours=25)), "failed", False),
        (job(spec={"suspend": True}, labels={"kueue.x-k8s.io/queue-name": "q"}), "failed", False),
    ],
    ids=["could-not-start", "marked-success", "runs", "of-yesterday", "in-a-queue"],
)
def test_a_job_that_could_not_start_is_left_for_a_day(made, state, held):
    assert is_held(made, record(state), NOW) is held
    assert is_held(made, None, NOW) is False
