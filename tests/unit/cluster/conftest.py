"""A fake API server, a client of it, and a watch, each on the test's event loop; leftover tasks fail the test."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from cronlift.cluster.client import KubernetesClient
from cronlift.cluster.config import ClusterConfig
from cronlift.cluster.watch import SharedWatch
from cronlift.job import naming
from tests.unit.cluster.fake_api import FakeApi

DEPLOYMENT = "cronlift/cronlift"
LAUNCHER = "system:serviceaccount:team-demo:cronlift-launcher"


async def until(condition: Callable[[], Any]) -> Any:
    """Wait until a condition holds, five seconds at most, and return its value."""
    async with asyncio.timeout(5):
        found = condition()
        while not found:
            await asyncio.sleep(0.005)  # polls: what is waited for is often inside the server under test
            found = condition()
        return found


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with FakeApi().serve() as served:
        yield served


@pytest.fixture
async def client(api: FakeApi) -> AsyncIterator[KubernetesClient]:
    async with aiohttp.ClientSession() as session:
        yield KubernetesClient(session, ClusterConfig(api.url), LAUNCHER)


@pytest.fixture
async def watch(client: KubernetesClient) -> AsyncIterator[SharedWatch]:
    shared = SharedWatch(
        client,
        "team-demo",
        naming.selector(DEPLOYMENT),
        silence_seconds=0.4,
        first_pause_seconds=0.02,
        linger_seconds=0.05,
    )
    yield shared
    await shared.close()
    left = [each for each in asyncio.all_tasks() if "Reflector" in repr(each.get_coro())]
    assert left == []
