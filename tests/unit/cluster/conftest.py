"""A fake API server, a client of it, and a watch, each on the test's event loop; leftover tasks fail the test."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime
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
async def client(api: FakeApi, metrics: "Measured") -> AsyncIterator[KubernetesClient]:
    async with aiohttp.ClientSession() as session:
        yield KubernetesClient(session, ClusterConfig(api.url), LAUNCHER, metrics)


@pytest.fixture
async def watch(client: KubernetesClient, metrics: "Measured") -> AsyncIterator[SharedWatch]:
    shared = SharedWatch(
        client,
        "team-demo",
        naming.selector(DEPLOYMENT),
        silence_seconds=0.4,
        first_pause_seconds=0.02,
        linger_seconds=0.05,
        metrics=metrics,
    )
    yield shared
    await shared.close()
    left = [each for each in asyncio.all_tasks() if "Reflector" in repr(each.get_coro())]
    assert left == []


class Written:
    """A task's log, kept."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.outputs: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(f"info {text}")

    def warning(self, text: str) -> None:
        self.lines.append(f"warning {text}")

    def error(self, text: str) -> None:
        self.lines.append(f"error {text}")

    def output(self, moment: datetime, text: str) -> None:
        self.outputs.append(text)
        self.lines.append(f"output {text}")

    def text(self) -> str:
        """Return all of it, a line each."""
        return "\n".join(self.lines)


@pytest.fixture
def log() -> Written:
    return Written()


class Measured:
    """Measurements, kept: each a name with its tags in order, and its value."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.timings: dict[str, list[float]] = {}
        self.gauges: list[tuple[str, float]] = []

    def count(self, name: str, value: int = 1, **tags: str) -> None:
        self.counts[" ".join([name, *tags.values()])] += value

    def timing(self, name: str, seconds: float, **tags: str) -> None:
        self.timings.setdefault(" ".join([name, *tags.values()]), []).append(seconds)

    def gauge(self, name: str, value: float, **tags: str) -> None:
        self.gauges.append((" ".join([name, *tags.values()]), value))


@pytest.fixture
def metrics() -> Measured:
    return Measured()
