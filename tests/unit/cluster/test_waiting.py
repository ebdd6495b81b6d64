"""The time before a Job's first container starts, by the Job's own times, without what it spends suspended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cronlift.cluster.waiting import Waiting, has_run
from tests.unit.cluster.fake_api import fault


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(created: float = 0.0, *, suspend: bool = False, started: float | None = None, **status: Any) -> dict[str, Any]:
    if started is not None:
        status["startTime"] = ago(started)
    metadata = {"name": "a", "namespace": "team-demo", "uid": "u", "creationTimestamp": ago(created)}
    return {"metadata": metadata, "spec": {"suspend": suspend}, "status": status}


SUSPENDED = [{"type": "Suspended", "status": "True"}]


@pytest.fixture
def make(client, log):
    def build(subject: dict[str, Any], timeout: float | None = 3600.0, *, adopted: bool = True) -> Waiting:
        async def no_warnings(_since: float) -> list[dict[str, Any]]:
            return []

        return Waiting(client, no_warnings, subject, log, timeout, adopted=adopted)

    return build


@pytest.mark.parametrize(
    ("subject", "overdue"),
    [
        (job(4000), True),
        (job(3000), False),
        (job(9999, started=4000), True),
        (job(9999, started=3000), False),
        (job(9999, suspend=True), False),
        (job(9999, suspend=True, started=4000), False),
        (job(9999, conditions=SUSPENDED), False),
    ],
    ids=[
        "created long ago", "created lately", "resumed long ago", "resumed lately",
        "suspended", "suspended again", "resumed a moment ago",
    ],
)  # fmt: skip
async def test_take_over_goes_by_the_jobs_own_times(make, subject, overdue):
    assert (await make(subject).look(subject, []) is not None) is overdue


async def test_clock_of_the_api_server_may_differ_from_ours(make):
    """We created it just now, whatever its creation time says."""
    subject = job(9999)
    assert await make(subject, adopted=False).look(subject, []) is None


async def test_time_in_a_queue_is_not_counted_when_the_queue_lets_go(make):
    """Kueue unsuspends; the Job controller writes the start time a moment later."""
    waiting = make(job(9999, suspend=True))
    assert await waiting.look(job(9999, suspend=True), []) is None
    assert await waiting.look(job(9999), []) is None


async def test_nobody_waits_for_a_job_that_is_known_to_have_started(make):
    subject = job(9999)
    waiting = make(subject)
    waiting.note_start([{"status": {"containerStatuses": [{"state": {"running": {}}}]}}])
    assert await waiting.look(subject, []) is None
    assert waiting.patience([]) > 10


async def test_job_whose_pod_ran_and_is_gone_has_started(make):
    subject = job(9999, failed=1)
    assert await make(subject).look(subject, []) is None


async def test_start_that_nobody_bounds_is_waited_for(make):
    subject = job(10**7)
    assert await make(subject, None).look(subject, []) is None


async def test_api_server_that_is_away_gives_no_reason_to_give_up(make, api):
    await api.vanish()
    subject = job(9999)
    waiting = make(subject)
    assert await waiting.look(subject, []) is None
    assert 0 < waiting.patience([]) <= 5
    await api.listen()
    waiting._pause_until = 0.0
    assert await waiting.look(subject, []) is not None


async def test_doubt_costs_one_request_each_so_often(make, api):
    """News of other Pods must not turn into requests while the API server answers nothing of use."""
    api.answers["list pods"] = lambda: fault(503, "ServiceUnavailable", "away")
    subject = job(9999)
    waiting = make(subject)
    for _ in range(5):
        assert await waiting.look(subject, []) is None
    assert api.calls["list pods"] == 1


@pytest.mark.parametrize(
    ("status", "ran"),
    [
        ({}, False),
        ({"state": {"waiting": {}}}, False),
        ({"state": {"waiting": {}}, "lastState": {}, "restartCount": 0}, False),
        ({"state": {"running": {}}}, True),
        ({"state": {"terminated": {}}}, True),
        ({"state": {"waiting": {}}, "lastState": {"terminated": {}}}, True),
        ({"state": {"waiting": {}}, "restartCount": 1}, True),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["initContainerStatuses", "containerStatuses"])
def test_container_that_runs_or_ran_is_told(kind, status, ran):
    assert has_run({"status": {kind: [status]}}) is ran
