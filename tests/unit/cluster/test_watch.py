"""The shared watch: one list and one watch for all, and nothing that ends it."""

import asyncio
import contextvars
import itertools
import time

import pytest

from cronlift.cluster.reflector import lines
from cronlift.cluster.watch import SharedWatch, trim_job, trim_pod
from cronlift.errors import ClusterConfigError
from cronlift.job import naming
from tests.unit.cluster.conftest import DEPLOYMENT, until
from tests.unit.cluster.fake_api import FakeApi, fault

SELECTED = {"labels": dict([naming.selector(DEPLOYMENT).split("=")])}


def job(name: str = "a", **metadata):
    return {
        "metadata": {"name": name, "namespace": "team-demo", "uid": f"uid-{name}", **SELECTED, **metadata},
        "spec": {},
    }


async def synced(api: FakeApi, count: int = 1) -> None:
    await until(lambda: api.calls["watch jobs"] >= count and api.calls["watch pods"] >= count)


async def test_change_wakes_the_subscriber_of_that_job_only(api, watch):
    one, other = watch.subscribe("a"), watch.subscribe("b")
    await synced(api)
    await one.wait()
    await other.wait()
    api.put("jobs", job("a"))
    assert await one.wait(2)
    assert one.job["metadata"]["name"] == "a"
    assert not await other.wait(0.05)


async def test_requests_do_not_grow_with_the_number_of_tasks(api, watch):
    subscriptions = [watch.subscribe(f"job-{number}") for number in range(200)]
    await synced(api)
    for number in range(200):
        api.put("jobs", job(f"job-{number}"))
    await until(lambda: all(each.job for each in subscriptions))
    assert dict(api.calls) == {"list jobs": 1, "list pods": 1, "watch jobs": 1, "watch pods": 1}


async def test_store_has_what_happened_before_the_subscription(api, watch):
    api.put("jobs", job("early"))
    watch.subscribe("other")
    await synced(api)
    late = watch.subscribe("early")
    assert await late.wait(0)
    assert late.job is not None


async def test_pods_are_found_by_their_job(api, watch):
    subscription = watch.subscribe("a")
    await synced(api)
    pod = api.run_pod(job("a") | {"spec": {"template": {"metadata": SELECTED}}})
    await until(lambda: subscription.pods)
    api.remove("pods", "team-demo", pod["metadata"]["name"])
    await until(lambda: not subscription.pods)
    assert watch.pods_of == {}


async def test_watch_resumes_after_410_by_listing_again(api, watch):
    api.watch_mode = "expired"
    subscription = watch.subscribe("a")
    api.put("jobs", job("a"))
    await until(lambda: api.calls["list jobs"] + api.calls["list pods"] >= 3)
    await until(lambda: subscription.job)


async def test_list_removes_what_vanished_while_the_watch_was_away(api, watch):
    subscription = watch.subscribe("a")
    api.put("jobs", job("a"))
    await until(lambda: subscription.job)
    api.faults["watch jobs"] = [fault(410, "Expired", "too old")]
    del api.objects["jobs"][("team-demo", "a")]
    api._version += 10
    api.cut_watches()
    await until(lambda: subscription.job is None)


async def test_seed_survives_a_list_that_is_older(api, watch):
    """A Job created while the first list was under way is not taken for deleted."""
    subscription = watch.subscribe("a", seed=job("a", resourceVersion="999999"))
    await synced(api)
    assert subscription.job is not None


async def test_watch_waits_as_long_as_429_asks(api, watch):
    api.faults["list jobs"] = [fault(429, "TooManyRequests", "slow down", Retry_After="0.3")]
    began = time.monotonic()
    watch.subscribe("a")
    await synced(api)
    assert time.monotonic() - began >= 0.3
    assert api.calls["list jobs"] == 2


async def test_watch_reads_its_token_again_after_401(api, watch, client, tmp_path):
    token = tmp_path / "token"
    token.write_text("old")
    client._config.read_token = token.read_text
    api.token = "old"
    subscription = watch.subscribe("a")
    await synced(api)
    api.token = "new"
    token.write_text("new")
    api.cut_watches()
    api.put("jobs", job("a"))
    await until(lambda: subscription.job)


async def test_silent_watch_is_opened_again_without_a_list(api, watch):
    api.watch_mode = "silent"
    subscription = watch.subscribe("a")
    await until(lambda: api.calls["watch jobs"] >= 1)
    api.watch_mode = "normal"
    api.put("jobs", job("a"))
    await until(lambda: subscription.job)
    assert api.calls["list jobs"] == 1


async def test_bookmark_moves_the_point_where_a_watch_resumes(api, watch):
    watch.subscribe("a")
    await synced(api)
    await until(lambda: len(api._watchers) == 2)
    api.bookmark()
    bookmarked = api._version
    await until(lambda: int(watch.jobs._version) >= bookmarked - 1)
    api.cut_watches()
    await synced(api, 2)
    resumed = [int(query["resourceVersion"]) for call, _, query in api.seen if call == "watch jobs"][-1]
    assert resumed >= bookmarked - 1
    assert api.calls["list jobs"] == 1


async def test_watch_survives_an_api_server_restart(api, watch):
    subscription = watch.subscribe("a")
    await synced(api)
    api.faults["watch jobs"] = [fault(503, "ServiceUnavailable", "starting")] * 3
    api.cut_watches()
    await synced(api, 2)
    api.put("jobs", job("a"))
    await until(lambda: subscription.job)


async def test_watch_survives_nonsense(api, watch):
    """Whatever one answer holds, the tasks of a whole namespace depend on the next one."""
    watch.subscribe("a")
    await synced(api)
    for _, queue in api._watchers:
        queue.put_nowait({"type": "BOOKMARK", "object": {"no": "metadata"}})
    subscription = watch.subscribe("b")
    api.put("jobs", job("b"))
    await until(lambda: subscription.job)


async def test_exception_of_a_subscriber_ends_nobody_else(api, watch):
    bad, good = watch.subscribe("a"), watch.subscribe("a")

    async def misbehave() -> None:
        await bad.wait()
        raise RuntimeError("a fault of one task")

    with pytest.raises(RuntimeError):
        await asyncio.create_task(misbehave())
    api.put("jobs", job("a"))
    await until(lambda: good.job)


async def test_stale_watch_is_bypassed_by_a_direct_read(api, client):
    watch = SharedWatch(client, "team-demo", naming.selector(DEPLOYMENT), stale_after_seconds=0.0)
    api.watch_mode = "silent"
    subscription = watch.subscribe("a")
    await until(lambda: api.calls["watch jobs"])
    api.put("jobs", job("a"))
    await subscription.refresh_if_stale()
    assert subscription.job is not None
    assert api.calls["get jobs"] == 1
    await watch.close()


async def test_healthy_watch_is_trusted(api, watch):
    subscription = watch.subscribe("a")
    await synced(api)
    await subscription.refresh_if_stale()
    assert api.calls["get jobs"] == 0


async def test_direct_read_of_a_missing_job_says_so(api, watch):
    assert await watch.subscribe("none").refresh() is None


async def test_watch_stops_when_nobody_is_left(api, watch):
    subscription = watch.subscribe("a")
    await synced(api)
    watch.unsubscribe(subscription)
    await until(lambda: not watch._tasks)
    assert watch._subscriptions == {}


async def test_watch_lingers_for_the_next_task(api, watch):
    first = watch.subscribe("a")
    await synced(api)
    watch.unsubscribe(first)
    watch.subscribe("b")
    await asyncio.sleep(0.1)
    assert api.calls["list jobs"] == 1


async def test_shared_tasks_do_not_run_in_the_context_of_the_first_subscriber(api, watch):
    """Airflow 3.3.2 sends log lines to the task that the context names (fact 14)."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("trigger", default="nobody")
    variable.set("the first trigger")
    watch.subscribe("a")
    assert (
        {task.get_context().get(variable, "nobody") for task in watch._tasks} == {"nobody"}
        if hasattr(asyncio.Task, "get_context")
        else True
    )


async def test_watch_survives_an_api_server_that_is_down_for_a_while(api, watch, metrics):
    subscription = watch.subscribe("a")
    await synced(api)
    await api.vanish()
    await until(lambda: watch.jobs._failures >= 3)
    api.put("jobs", job("a"))
    await api.listen()
    await until(lambda: subscription.job)
    assert api.calls["list jobs"] == 1
    assert metrics.counts["cronlift.watch.restarts jobs"] >= 3
    await until(lambda: watch.jobs._failures == 0)


async def test_list_whose_pages_expire_is_read_at_once(api, watch):
    """The pages of a list are of one moment, which a busy API server forgets."""
    api.page_size = 2
    for number in range(5):
        api.put("jobs", job(f"job-{number}"))
    answers = iter([None, fault(410, "Expired", "The provided continue parameter is too old")])
    api.answers["list jobs"] = lambda: next(answers, None)
    watch.subscribe("job-4")
    await synced(api)
    assert len(watch.jobs.store) == 5
    limits = [query.get("limit") for call, _, query in api.seen if call == "list jobs"]
    assert limits == ["500", "500", None]


async def test_large_collection_is_read_page_by_page(api, watch):
    api.page_size = 2
    for number in range(5):
        api.put("jobs", job(f"job-{number}"))
    watch.subscribe("job-4")
    await synced(api)
    assert len(watch.jobs.store) == 5
    assert api.calls["list jobs"] == 3


async def test_server_that_always_says_expired_is_asked_less_and_less(api, watch):
    api.answers["watch jobs"] = lambda: fault(410, "Expired", "too old")
    watch.subscribe("a")
    await until(lambda: watch.jobs._failures >= 5)
    assert api.calls["list jobs"] <= 6
    assert watch.jobs._failures >= 5  # a list that works is no sign that the watch does


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "0.05"}, {"Retry_After": "soon"}], ids=str)
async def test_storm_of_429_ends_in_a_watch_that_works(api, watch, headers):
    storm = [fault(429, "TooManyRequests", "slow down", **headers) for _ in range(2)]
    api.faults["list jobs"], api.faults["watch jobs"] = list(storm), list(storm)
    subscription = watch.subscribe("a")
    await synced(api, 1)
    api.put("jobs", job("a"))
    await until(lambda: subscription.job)
    assert api.calls["list jobs"] == 3


async def test_pause_grows_with_each_failure(api, watch, monkeypatch):
    pauses: list[float] = []
    original = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await original(0)

    api.answers["list jobs"] = lambda: fault(429, "TooManyRequests", "slow down")
    monkeypatch.setattr("cronlift.cluster.reflector.asyncio.sleep", sleep)
    task = asyncio.ensure_future(watch.jobs.run())
    async with asyncio.timeout(5):
        while watch.jobs._failures < 14:
            await original(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    grown = [pause for pause in pauses if pause > 0]
    assert grown[0] <= 0.02
    assert 5 <= max(grown) <= 10
    assert all(one <= other * 4 for one, other in zip(grown[1:], grown, strict=False))


async def test_event_of_an_unknown_type_is_passed_over(api, watch):
    subscription = watch.subscribe("a")
    await synced(api)
    await until(lambda: len(api._watchers) == 2)
    api.send_to_watchers("jobs", {"type": "SOMETHING", "object": job("x", resourceVersion="1000")})
    api.put("jobs", job("a"))
    await until(lambda: subscription.job)
    assert api.calls["list jobs"] == 1
    assert "x" not in watch.jobs.store


@pytest.mark.parametrize("text", ['{"type": "MODIF\n', '{"type": "MODIFIED", "object": {"metadata": {"na', "\x00\n"])
async def test_line_that_is_cut_ends_nothing(api, watch, text):
    """With its newline it is nonsense, without one it waits for its rest, which a cut never brings."""
    subscription = watch.subscribe("a")
    await synced(api)
    await until(lambda: len(api._watchers) == 2)
    api.send_to_watchers("jobs", text)
    api.cut_watches()
    api.put("jobs", job("a"))
    await until(lambda: subscription.job)


@pytest.mark.parametrize("code", [410, 500, 504], ids=str)
async def test_error_event_ends_nothing(api, watch, code):
    subscription = watch.subscribe("a")
    await synced(api)
    await until(lambda: len(api._watchers) == 2)
    error = {"kind": "Status", "code": code, "reason": "SomeReason", "message": "some words"}
    api.send_to_watchers("jobs", {"type": "ERROR", "object": error})
    api.put("jobs", job("a"))
    await until(lambda: subscription.job)
    assert api.calls["list jobs"] == (2 if code == 410 else 1)


async def test_token_that_expires_in_the_middle_costs_neither_list_nor_news(api, watch, client, tmp_path):
    token = tmp_path / "token"
    token.write_text("old")
    client._config.read_token = token.read_text
    api.token = "old"
    subscription = watch.subscribe("a")
    await synced(api)
    api.token = "new"
    api.cut_watches()
    await until(lambda: watch.jobs._failures >= 2)  # the new token is written late
    token.write_text("new")
    api.put("jobs", job("a"))
    await until(lambda: subscription.job)
    assert api.calls["list jobs"] == 1


async def test_unreadable_token_ends_nothing(api, watch, client):
    def read() -> str:
        if next(tries) < 3:
            raise ClusterConfigError("the volume is not there yet")
        return "token"

    tries = itertools.count()
    client._config.read_token = read
    subscription = watch.subscribe("a")
    api.put("jobs", job("a"))
    await until(lambda: subscription.job)


async def test_quiet_watch_is_no_failing_one(api, client, monkeypatch):
    """Where no bookmarks come, silence ends the watch again and again: news must not wait longer each time."""
    monkeypatch.setattr("cronlift.cluster.reflector.SHORT_WATCH_SECONDS", 0.01)
    watch = SharedWatch(client, "team-demo", "", silence_seconds=0.03, first_pause_seconds=0.001)
    watch.subscribe("a")
    await until(lambda: watch.jobs.restarts >= 6)
    assert watch.jobs._failures <= 1
    await watch.close()


async def test_older_object_does_not_replace_a_newer_one(api, watch):
    watch.subscribe("a", seed=job("a", resourceVersion="500"))
    watch.jobs.offer(job("a", resourceVersion="400", deletionTimestamp="2026-01-01T00:00:00Z"))
    assert "deletionTimestamp" not in watch.jobs.store["a"]["metadata"]


async def test_number_of_running_jobs_is_measured_by_cluster_and_namespace(client, metrics):
    watch = SharedWatch(client, "team-demo", "", cluster="gpu", metrics=metrics)
    one, other = watch.subscribe("a"), watch.subscribe("b")
    watch.unsubscribe(one)
    watch.unsubscribe(other)
    assert metrics.gauges == [("cronlift.jobs.running gpu team-demo", number) for number in (1, 2, 1, 0)]
    await watch.close()


async def test_event_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr("cronlift.cluster.reflector.EVENT_LIMIT_BYTES", 100)

    async def chunks():
        while True:
            yield b"x" * 60

    with pytest.raises(ValueError, match="more than 100 bytes"):
        assert [line async for line in lines(chunks())] == []


def test_stored_job_is_small_and_tells_what_tasks_ask():
    whole = {
        "metadata": {
            "name": "a",
            "uid": "u",
            "resourceVersion": "1",
            "annotations": {"x": "y" * 999},
            "managedFields": [],
        },
        "spec": {"suspend": False, "completions": 2, "template": {"spec": {"containers": ["x" * 999]}}},
        "status": {"succeeded": 1, "conditions": [{"type": "Complete"}], "uncountedTerminatedPods": {}},
    }
    assert trim_job(whole) == {
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "1"},
        "spec": {"suspend": False, "completions": 2},
        "status": {"succeeded": 1, "conditions": [{"type": "Complete"}]},
    }


def test_stored_pod_is_small():
    pod = {
        "metadata": {"name": "p", "managedFields": ["x"], "annotations": {"a": "b"}, "labels": {}},
        "spec": {"containers": [{"name": "main", "image": "x", "env": ["y"] * 99}], "volumes": ["z"], "nodeName": "n"},
        "status": {"phase": "Running"},
    }
    kept = trim_pod(pod)
    assert kept == {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Running"},
    }
