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
