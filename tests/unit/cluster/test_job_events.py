"""The warnings about Jobs: one answer for all tasks that wait."""

import asyncio

import pytest

from cronlift import errors
from cronlift.cluster.job_events import JobEvents
from tests.unit.cluster.fake_api import fault


def event(job: str, message: str) -> dict:
    return {"involvedObject": {"kind": "Job", "name": job}, "reason": "FailedCreate", "message": message}


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_tasks_that_ask_together_share_one_answer(api, client):
    api.events = [event("a", "first"), event("b", "other"), event("a", "second")]
    events = JobEvents(client, "team-demo")
    since = now()
    answers = await asyncio.gather(*(events.of(name, since) for name in ["a", "b", "c"] * 100))
    assert api.calls["list events"] == 1
    assert [each["message"] for each in answers[0]] == ["first", "second"]
    assert [each["message"] for each in answers[1]] == ["other"]
    assert answers[2] == []


async def test_answer_that_is_young_enough_serves_again_and_an_old_one_does_not(api, client):
    events = JobEvents(client, "team-demo")
    before = now()
    await events.of("a", before)
    api.events = [event("a", "news")]
    assert await events.of("a", before) == []
    assert [each["message"] for each in await events.of("a", now())] == ["news"]
    assert api.calls["list events"] == 2


async def test_fault_is_told_to_all_who_asked_and_not_kept_for_later(api, client):
    api.faults["list events"] = [fault(429, "TooManyRequests", "later")]
    events = JobEvents(client, "team-demo")
    since = now()
    answers = await asyncio.gather(*(events.of("a", since) for _ in range(50)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {errors.TooManyRequestsError}
    assert api.calls["list events"] == 1
    assert await events.of("a", now()) == []


async def test_task_that_stops_asking_does_not_stop_the_others(api, client):
    events = JobEvents(client, "team-demo")
    since = now()
    first, second = (asyncio.ensure_future(events.of("a", since)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    async with asyncio.timeout(5):
        assert await second == []


async def test_warnings_are_read_to_the_last_page(client, monkeypatch):
    pages = {None: ({"continue": "p2"}, ["a", "b"]), "p2": ({}, ["c"])}

    async def answer(call, method, path, *, params):
        metadata, names = pages[params.get("continue")]
        return {"metadata": metadata, "items": [event(name, "") for name in names]}

    monkeypatch.setattr(client, "_call", answer)
    found = await client.list_job_warnings("team-demo")
    assert [each["involvedObject"]["name"] for each in found] == ["a", "b", "c"]
