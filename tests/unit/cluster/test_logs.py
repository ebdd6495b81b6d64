"""Logs of every container, live, without a line twice or lost, within bounds."""

import asyncio
from datetime import UTC, datetime

import pytest

from cronlift.cluster.container_log import log_lines
from cronlift.cluster.logs import JobLogs
from cronlift.job.loglines import LINE_LIMIT_CHARACTERS, Capped
from tests.unit.cluster.conftest import until
from tests.unit.cluster.fake_api import FakeApi, fault


class Pods:
    """A source of Pods that a test changes."""

    def __init__(self, *names: str, containers: tuple[str, ...] = ("main",), inits: tuple[str, ...] = ()) -> None:
        self.pods = [self._pod(name, containers, inits) for name in names]

    @staticmethod
    def _pod(name: str, containers: tuple[str, ...], inits: tuple[str, ...]):
        def statuses(kind):
            return [{"name": each, "containerID": f"c-{name}-{each}", "state": {"running": {}}} for each in kind]

        return {
            "metadata": {"name": name},
            "spec": {
                "initContainers": [{"name": each} for each in inits],
                "containers": [{"name": each} for each in containers],
            },
            "status": {"initContainerStatuses": statuses(inits), "containerStatuses": statuses(containers)},
        }

    def end(self) -> None:
        for pod in self.pods:
            for kind in ("initContainerStatuses", "containerStatuses"):
                for each in pod["status"][kind]:
                    each["state"] = {"terminated": {"exitCode": 0}}


@pytest.fixture
def read():
    return []


@pytest.fixture
def make(client, read):
    def build(pods: Pods, **more) -> JobLogs:
        output = more.pop("output", None) or Capped(lambda _moment, text: read.append(text))
        return JobLogs(client, "team-demo", pods, output, settle_seconds=0.2, pause_seconds=0.01)

    return build


def end(api: FakeApi, pods: Pods) -> None:
    for pod in pods.pods:
        for kind in ("initContainers", "containers"):
            for each in pod["spec"][kind]:
                api.end_output(pod["metadata"]["name"], each["name"])
    pods.end()


async def test_lines_arrive_while_the_container_runs(api, make, read):
    pods = Pods("p")
    logs = make(pods)
    logs.follow()
    api.say("p", "main", "first")
    await until(lambda: read == ["first"])
    api.say("p", "main", "second")
    await until(lambda: read == ["first", "second"])
    end(api, pods)
    await logs.drain()
    assert api.calls["get logs"] == 1


async def test_line_carries_the_time_of_the_container(api, client):
    pods, moments = Pods("p"), []
    logs = JobLogs(client, "team-demo", pods, Capped(lambda moment, _text: moments.append(moment)))
    api.say("p", "main", "x")
    end(api, pods)
    await logs.drain()
    assert moments == [datetime(2026, 1, 1, 3, 0, tzinfo=UTC)]


@pytest.mark.parametrize("cuts", [[1], [3, 1], [0, 0, 2], [6]], ids=str)
async def test_cut_stream_goes_on_without_a_line_twice_or_lost(api, make, read, cuts):
    pods = Pods("p")
    texts = ["a", "b", "b", "c", "b", "d"]
    api.say("p", "main", *texts)
    api.outputs[("p", "main")].cut_after = list(cuts)
    logs = make(pods)
    logs.follow()
    await until(lambda: len(read) == 6)
    api.say("p", "main", "last")
    end(api, pods)
    await logs.drain()
    assert read == [*texts, "last"]


async def test_stream_that_ends_while_its_container_runs_is_opened_again(api, make, read):
    """The kubelet ends streams after four hours, as if the container had ended."""
    pods = Pods("p")
    logs = make(pods)
    api.say("p", "main", "before")
    api.end_output("p", "main")
    logs.follow()
    await until(lambda: api.calls["get logs"] >= 2)
    api.say("p", "main", "after")
    pods.end()
    await logs.drain()
    assert read == ["before", "after"]


async def test_single_container_needs_no_prefix(api, make, read):
    pods = Pods("p")
    api.say("p", "main", "x")
    end(api, pods)
    await make(pods).drain()
    assert read == ["x"]


async def test_containers_are_named_when_there_are_several(api, make, read):
    pods = Pods("p", containers=("main", "sidecar"), inits=("prepare",))
    for name in ("prepare", "main", "sidecar"):
        api.say("p", name, "x")
    end(api, pods)
    await make(pods).drain()
    assert sorted(read) == ["[main] x", "[prepare] x", "[sidecar] x"]


async def test_pods_are_named_when_there_are_several(api, make, read):
    pods = Pods("p", "q")
    api.say("p", "main", "x")
    api.say("q", "main", "y")
    end(api, pods)
    await make(pods).drain()
    assert sorted(read) == ["[p/main] x", "[q/main] y"]


async def test_restarted_container_is_read_again(api, make, read):
    pods = Pods("p")
    logs = make(pods)
    api.say("p", "main", "first life")
    api.end_output("p", "main")
    logs.follow()
    await until(lambda: read == ["first life"])
    api.outputs.pop(("p", "main"))
    pods.pods[0]["status"]["containerStatuses"][0]["containerID"] = "c-second"
    api.say("p", "main", "second life")
    logs.follow()
    await until(lambda: read == ["first life", "second life"])
    end(api, pods)
    await logs.drain()


async def test_container_that_has_not_started_is_not_asked_for(api, make):
    pods = Pods("p")
    pods.pods[0]["status"]["containerStatuses"][0]["containerID"] = ""
    logs = make(pods)
    logs.follow()
    await logs.drain()
    assert api.calls["get logs"] == 0


async def test_log_that_is_gone_is_said_once(api, make, read):
    pods = Pods("p")
    api.faults["get logs"] = [fault(404, "NotFound", "pods not found")]
    pods.end()
    await make(pods).drain()
    assert read == ["... the log of p/main is gone with its Pod"]


async def test_log_that_cannot_be_read_is_given_up_and_said(api, make, read, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.container_log.ATTEMPTS", 3)
    pods = Pods("p")
    api.faults["get logs"] = [fault(500, "InternalError", "no route to node")] * 3
    pods.end()
    await make(pods).drain()
    assert len(read) == 1
    assert "no route to node" in read[0]


async def test_large_log_is_bounded_and_its_end_is_kept(api, make, read):
    pods = Pods("p")
    api.say("p", "main", *(f"line {number:05} {'x' * 90}" for number in range(5000)))
    end(api, pods)
    await make(pods, output=Capped(lambda _moment, text: read.append(text), 10_000, 5_000)).drain()
    assert sum(len(text) for text in read) < 20_000
    assert read[0].startswith("line 00000")
    assert read[-1].startswith("line 04999")


async def test_drain_gives_up_on_a_log_without_an_end(api, make, read):
    pods = Pods("p")
    logs = make(pods)
    logs.follow()
    await until(lambda: api.calls["get logs"])
    await logs.drain(0.1)
    assert read == ["... the log was not complete after 0 s; see the Pod"]
    assert all(reader.done() for reader in logs._readers.values())


async def test_other_tasks_get_their_turn_while_one_prints(api, make):
    pods, turns = Pods("p"), 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    api.say("p", "main", *("x" for _ in range(20_000)))
    end(api, pods)
    other = asyncio.create_task(count())
    await make(pods).drain()
    other.cancel()
    assert turns > 50


async def chunks(*parts: bytes):
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((b"a\nb\n",), [b"a", b"b"]),
        ((b"a", b"b\nc"), [b"ab", b"c"]),
        ((b"\n", b"\n"), [b"", b""]),
        ((), []),
        ((b"x" * (LINE_LIMIT_CHARACTERS * 4 + 1), b"y" * 10, b"\nz\n"), [b"x" * (LINE_LIMIT_CHARACTERS * 4 + 1), b"z"]),
    ],
    ids=["lines", "across chunks", "empty lines", "nothing", "endless line"],
)
async def test_log_is_cut_into_lines(parts, expected):
    assert [line async for line, _ in log_lines(chunks(*parts), LINE_LIMIT_CHARACTERS * 4)] == expected
