"""What the tasks of an event loop share."""

import asyncio

from cronlift.cluster.config import ClusterConfig
from cronlift.cluster.hub import Hub, hub, use
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
