"""What the tasks of an event loop share."""

import asyncio
import socket
import threading

import pytest

from cronlift.cluster.config import ClusterConfig
from cronlift.cluster.hub import Hub, hub, use
from cronlift.errors import ClusterConfigError
from tests.unit.cluster.conftest import until


async def test_tasks_of_a_team_share_session_and_watch(api):
    shared = Hub(ClusterConfig(api.url))
    one, other = await shared.client("launcher-a"), await shared.client("launcher-a")
    assert one._session is other._session
    assert shared.watch(one, "team-a", "x=y") is shared.watch(other, "team-a", "x=y")
    await shared.close()


async def test_teams_share_the_session_but_no_watch(api):
    shared = Hub(ClusterConfig(api.url))
    one, other = await shared.client("launcher-a"), await shared.client("launcher-b")
    assert one._session is other._session
    assert shared.watch(one, "team-a", "x=y") is not shared.watch(other, "team-b", "x=y")
    await shared.close()


async def test_idle_watch_is_forgotten(api):
    shared = Hub(ClusterConfig(api.url))
    client = await shared.client("launcher")
    watch = shared.watch(client, "team-demo", "x=y")
    watch._linger_seconds = 0.01
    watch.unsubscribe(watch.subscribe("a"))
    await until(lambda: not shared._watches)
    await shared.close()


async def test_named_cluster_is_loaded_once_and_watched_apart(api):
    loaded: list[str] = []

    def load() -> ClusterConfig:
        loaded.append(threading.current_thread().name)
        return ClusterConfig(api.url)

    shared = Hub(ClusterConfig("http://own.invalid"), configs={"gpu": load})
    one, other = await asyncio.gather(shared.client("launcher", "gpu"), shared.client("launcher", "gpu"))
    assert await one.list_jobs("team-demo", "") == await other.list_jobs("team-demo", "") == []
    assert len(loaded) == 1
    assert loaded != [threading.main_thread().name]
    own = await shared.client("launcher")
    assert shared.watch(one, "team-demo", "x=y", "gpu") is shared.watch(other, "team-demo", "x=y", "gpu")
    assert shared.watch(own, "team-demo", "x=y") is not shared.watch(one, "team-demo", "x=y", "gpu")
    await shared.close()


@pytest.mark.parametrize(
    ("configs", "known"), [({}, "none"), ({"gpu": None, "edge": None}, "edge, gpu")], ids=["none", "some"]
)
async def test_unknown_cluster_is_an_error_that_lists_the_known_ones(configs, known):
    shared = Hub(ClusterConfig("http://own.invalid"), configs=configs)
    with pytest.raises(ClusterConfigError, match=f"no cluster 'gpv'.*deployment: {known}. Correct the task's"):
        await shared.client("launcher", "gpv")


async def test_cluster_that_cannot_be_loaded_is_tried_again_at_the_next_task(api):
    answers = [ClusterConfigError("no file yet"), ClusterConfig(api.url)]

    def load() -> ClusterConfig:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = Hub(configs={"gpu": load})
    with pytest.raises(ClusterConfigError):
        await shared.client("launcher", "gpu")
    assert await (await shared.client("launcher", "gpu")).list_jobs("team-demo", "") == []
    await shared.close()


async def test_hub_hands_its_metrics_to_client_and_watch(api, metrics):
    shared = Hub(ClusterConfig(api.url), metrics)
    client = await shared.client("launcher")
    await client.list_jobs("team-demo", "")
    watch = shared.watch(client, "team-demo", "x=y")
    watch.unsubscribe(watch.subscribe("a"))
    assert metrics.counts["cronlift.api.requests list jobs"] >= 1
    assert [value for _, value in metrics.gauges] == [1, 0]
    await shared.close()


async def test_connection_is_probed_so_that_a_dead_one_is_found(api):
    """A log stream may be silent for hours, and a network that was cut says nothing."""
    shared = Hub(ClusterConfig(api.url))
    client = await shared.client("launcher")
    api.say("p", "main", "x")
    path = "/api/v1/namespaces/team-demo/pods/p/log"
    async with client.stream("read", path, {"container": "main", "follow": "true"}, None):
        (made,) = shared._session.connector._acquired
        options = made.transport.get_extra_info("socket")
        assert options.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert options.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 10
    await shared.close()


async def test_hub_is_made_at_first_use_as_asked():
    mine = Hub(ClusterConfig("http://own.invalid"))
    assert hub(lambda: mine) is mine
    assert hub() is mine


async def test_hub_belongs_to_its_event_loop(api):
    mine = Hub(ClusterConfig(api.url))
    use(mine)
    assert hub() is mine

    def ask() -> bool:
        async def other() -> bool:
            return hub() is mine

        return asyncio.run(other())

    assert not await asyncio.to_thread(ask)


async def test_clients_of_a_cluster_share_how_many_calls_there_are_at_once(api, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.hub.CALLS_AT_ONCE", 2)
    shared, at_once, most = Hub(ClusterConfig(api.url)), 0, 0
    create = api._create_job

    async def slow(request):
        nonlocal at_once, most
        at_once, most = at_once + 1, max(most, at_once + 1)
        await asyncio.sleep(0.02)
        at_once -= 1
        return await create(request)

    api._create_job = slow
    clients = [await shared.client(f"launcher-{number % 3}") for number in range(9)]
    jobs = [{"metadata": {"name": f"job-{number}", "namespace": "team-demo"}} for number in range(9)]
    await asyncio.gather(*(each.create_job("team-demo", job) for each, job in zip(clients, jobs, strict=True)))
    assert most == 2
    assert len(api.objects["jobs"]) == 9
    await shared.close()


async def test_lists_and_deletes_do_not_queue_behind_the_calls_of_other_tasks(api, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.hub.CALLS_AT_ONCE", 1)
    shared, release = Hub(ClusterConfig(api.url)), asyncio.Event()
    create = api._create_job

    async def stuck(request):
        await release.wait()
        return await create(request)

    api._create_job = stuck
    client = await shared.client("launcher")
    creation = asyncio.create_task(
        client.create_job("team-demo", {"metadata": {"name": "a", "namespace": "team-demo"}})
    )
    await until(lambda: client._slots.locked())
    async with asyncio.timeout(5):
        await client.list_page("/apis/batch/v1/namespaces/team-demo/jobs", {})
        await client.delete_job("team-demo", "none", "uid", foreground=True)
    release.set()
    await creation
    await shared.close()
