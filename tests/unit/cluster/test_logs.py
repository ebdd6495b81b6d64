"""Logs of every container, live, without a line twice or lost, within bounds."""

import asyncio
import tracemalloc
from datetime import UTC, datetime

import pytest

from cronlift.cluster import container_log
from cronlift.cluster import logs as logs_module
from cronlift.cluster.container_log import log_lines
from cronlift.cluster.logs import JobLogs
from cronlift.job.loglines import LINE_LIMIT_CHARACTERS, Capped
from cronlift.job.result import MarkedLines
from tests.unit.cluster.conftest import until
from tests.unit.cluster.fake_api import FakeApi, Output, fault


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


class Counted(Capped):
    """Counts the lines that it takes and the characters that it shows."""

    def __init__(self) -> None:
        super().__init__(self.show, 1_000_000, 100_000)
        self.taken = self.shown = 0

    def show(self, _moment: datetime, text: str) -> None:
        self.shown += len(text)

    def add(self, moment: datetime, text: str, source: str = "") -> None:
        self.taken += 1
        super().add(moment, text, source)


@pytest.fixture
def read():
    return []


@pytest.fixture
def make(client, read):
    def build(pods: Pods, **more) -> JobLogs:
        output = more.pop("output", None) or Capped(lambda _moment, text: read.append(text))
        return JobLogs(client, "team-demo", pods, output, settle_seconds=0.2, pause_seconds=0.01, **more)

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


async def test_late_news_of_a_containers_end_costs_no_second_stream(api, client, read):
    """On a busy node the news comes seconds after the stream's end; each stream is a request (300 tasks made 900)."""
    pods = Pods("p")
    logs = JobLogs(client, "team-demo", pods, Capped(lambda _moment, text: read.append(text)), pause_seconds=0.01)
    logs.follow()
    api.say("p", "main", "a")
    api.end_output("p", "main")
    await until(lambda: read == ["a"])
    await asyncio.sleep(0.1)
    pods.end()
    logs.follow()
    await until(lambda: all(each.done() for each in logs._readers.values()))
    await logs.drain()
    assert (read, api.calls["get logs"]) == (["a"], 1)


async def test_news_that_never_comes_holds_up_no_ended_job(api, client, read, monkeypatch):
    monkeypatch.setattr(container_log, "LAST_SETTLE_SECONDS", 0.05)
    pods = Pods("p")
    logs = JobLogs(client, "team-demo", pods, Capped(lambda _moment, text: read.append(text)), pause_seconds=0.01)
    logs.follow()
    api.say("p", "main", "a")
    api.end_output("p", "main")
    await until(lambda: read == ["a"])
    async with asyncio.timeout(3):
        await logs.drain(0.5)
    assert api.calls["get logs"] > 1


async def test_job_of_many_pods_has_a_bounded_number_of_streams_and_no_line_is_lost(api, make, read, monkeypatch):
    monkeypatch.setattr(logs_module, "STREAMS_AT_ONCE", 3)
    pods = Pods(*(f"p{number:02}" for number in range(10)))
    for pod in pods.pods:
        api.say(pod["metadata"]["name"], "main", "a")
    logs = make(pods)
    logs.follow()
    await until(lambda: len(read) == 3)
    await asyncio.sleep(0.05)
    assert api.calls["get logs"] == 3
    end(api, pods)
    await logs.drain()
    assert sorted(read) == [f"[p{number:02}/main] a" for number in range(10)]
    assert api.calls["get logs"] == 10


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
    pods, output, most_in_a_turn = Pods("p"), Counted(), 0

    async def other_task() -> None:
        nonlocal most_in_a_turn
        while True:
            before = output.taken
            await asyncio.sleep(0)
            most_in_a_turn = max(most_in_a_turn, output.taken - before)

    api.say("p", "main", *("x" for _ in range(10_000)))
    end(api, pods)
    other = asyncio.create_task(other_task())
    await make(pods, output=output).drain()
    other.cancel()
    assert output.taken == 10_000
    assert most_in_a_turn <= 200


async def test_log_is_tried_again_as_long_as_the_container_runs(api, make, read, monkeypatch):
    """An API server may be away for longer than any count of attempts."""
    monkeypatch.setattr("cronlift.cluster.container_log.ATTEMPTS", 3)
    pods = Pods("p")
    logs = make(pods)
    api.faults["get logs"] = [fault(503, "ServiceUnavailable", "away")] * 8
    logs.follow()
    await until(lambda: api.calls["get logs"] == 9)
    api.say("p", "main", "after all")
    end(api, pods)
    await logs.drain()
    assert len(read) == 2
    assert "trying again until the container ends" in read[0]
    assert read[1] == "after all"


async def test_previous_start_of_a_container_is_read_to_its_end(api, make, read):
    """A container that crashes is started again before its log was read."""
    pods = Pods("p")
    logs = make(pods)
    api.faults["get logs"] = [fault(500, "InternalError", "not now")]
    logs.follow()
    await until(lambda: api.calls["get logs"])
    api.say("p", "main", "first life")
    first = api.outputs.pop(("p", "main"))
    first.ended = True
    status = pods.pods[0]["status"]["containerStatuses"][0]
    status["lastState"] = {"terminated": {"exitCode": 1, "containerID": status["containerID"]}}
    status["containerID"] = "c-second"
    api.say("p", "main", "second life")
    api.outputs[("p", "main")].previous = first
    logs.follow()
    await until(lambda: len(read) == 2)
    assert sorted(read) == ["first life", "second life"]
    end(api, pods)
    await logs.drain()
    assert [query.get("previous") for call, _, query in api.seen if call == "get logs"].count("true") == 1
    assert len(read) == 2


async def test_start_before_the_previous_one_is_said_to_be_gone(api, make, read):
    pods = Pods("p")
    logs = make(pods)
    api.faults["get logs"] = [fault(500, "InternalError", "not now")]
    logs.follow()
    await until(lambda: api.calls["get logs"])
    pods.pods[0]["status"]["containerStatuses"][0]["containerID"] = "c-third"
    await until(lambda: read)
    assert read == ["... the log of p/main is gone with an earlier start of the container"]
    await logs.stop()


async def test_container_that_waits_to_be_restarted_is_not_asked_again_and_again(api, make, read):
    """Its status keeps the ID of the start that ended, without a state of its own."""
    pods = Pods("p")
    status = pods.pods[0]["status"]["containerStatuses"][0]
    status["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    status["lastState"] = {"terminated": {"exitCode": 1, "containerID": status["containerID"]}}
    api.say("p", "main", "x")
    api.end_output("p", "main")
    logs = make(pods)
    await logs.drain()
    assert read == ["x"]
    assert api.calls["get logs"] == 1


async def test_line_that_a_cut_left_without_its_end_is_read_whole_later(api, make, read):
    pods = Pods("p")
    logs = make(pods)
    output = api.outputs[("p", "main")]
    output.last_piece = "2026-01-01T03:00:00.000000000Z a li"
    api.end_output("p", "main")
    logs.follow()
    await until(lambda: api.calls["get logs"] == 2)
    api.say("p", "main", "a line")
    end(api, pods)
    await logs.drain()
    assert read == ["a line"]


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("2026-01-01T03:00:00.000000000Z no newline", ["no newline"]),
        ("unable to retrieve container logs for containerd://1", ["unable to retrieve container logs for containerd://1"]),
        ("2026-01-01T03:0", []),
    ],
    ids=["line", "remark", "half a stamp"],
)  # fmt: skip
async def test_last_piece_of_a_complete_log_is_a_line(api, make, read, piece, expected):
    pods = Pods("p")
    api.outputs[("p", "main")].last_piece = piece
    end(api, pods)
    await make(pods).drain()
    assert read == expected


async def test_remark_of_the_kubelet_is_passed_on_once(api, make, read):
    pods = Pods("p")
    logs = make(pods)
    output = api.outputs[("p", "main")]
    output.last_piece = "failed to try resolving symlinks"
    api.end_output("p", "main")
    logs.follow()
    await until(lambda: read)
    output.last_piece = "failed to try resolving symlinks"
    await until(lambda: api.calls["get logs"] >= 3)
    end(api, pods)
    await logs.drain()
    assert read == ["failed to try resolving symlinks"]


async def test_silent_stream_of_an_ended_job_is_opened_again(api, make, read, monkeypatch):
    """Its connection may be dead without a word, after the network was cut."""
    monkeypatch.setattr("cronlift.cluster.container_log.SILENCE_SECONDS", 0.1)
    pods = Pods("p")
    logs = make(pods)
    api.say("p", "main", "one")
    logs.follow()
    await until(lambda: read == ["one"])
    dead, api.outputs[("p", "main")] = api.outputs[("p", "main")], Output(["2026-01-01T03:00:00.000000000Z one"])
    api.say("p", "main", "two")
    end(api, pods)
    await logs.drain()
    assert read == ["one", "two"]
    dead.ended = True


async def test_silent_stream_of_a_running_job_is_left_alone(api, make, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.container_log.SILENCE_SECONDS", 0.02)
    pods = Pods("p")
    logs = make(pods)
    logs.follow()
    await until(lambda: api.calls["get logs"])
    await asyncio.sleep(0.1)
    assert api.calls["get logs"] == 1
    await logs.stop()


async def test_fault_of_our_own_is_said_and_stays_alone(api, make, read, monkeypatch):
    monkeypatch.setattr("cronlift.cluster.container_log.parse_line", lambda _raw: 1 / 0)
    pods = Pods("p")
    api.say("p", "main", "x")
    end(api, pods)
    await make(pods).drain()
    assert read == ["... reading the log of p/main failed: ZeroDivisionError: division by zero"]


async def test_marked_line_counts_whole_however_long(api, make, read):
    pods, marked = Pods("p"), MarkedLines()
    api.say("p", "main", "cronlift-result: " + "x" * 500_000)
    end(api, pods)
    await make(pods, marked=marked).drain()
    assert marked.texts("p") == {"main": "x" * 500_000}
    assert len(read[0]) < LINE_LIMIT_CHARACTERS + 100


async def test_only_the_newest_start_of_a_container_gives_a_result(api, make, read):
    """Also when the log of the start before is read late."""
    pods, marked = Pods("p"), MarkedLines()
    logs = make(pods, marked=marked)
    api.say("p", "main", "cronlift-result: 1", "before the crash")
    logs.follow()
    await until(lambda: "before the crash" in read)
    first = api.outputs.pop(("p", "main"))
    status = pods.pods[0]["status"]["containerStatuses"][0]
    status["lastState"] = {"terminated": {"exitCode": 1, "containerID": status["containerID"]}}
    status["containerID"] = "c-second"
    api.say("p", "main", "cronlift-result: 2")
    api.outputs[("p", "main")].previous = first
    logs.follow()
    await until(lambda: "cronlift-result: 2" in read)
    first.lines.append("2026-01-01T03:00:01.000000000Z cronlift-result: 3")
    first.ended = True
    first.changed.set()
    end(api, pods)
    await logs.drain()
    assert "cronlift-result: 3" in read
    assert marked.texts("p") == {"main": "2"}


async def test_flood_of_output_costs_little_memory(api, make):
    """20 MB; 100 MB took as little memory when that was measured."""
    pods, output = Pods("p"), Counted()
    seconds = (f"2026-01-01T03:{second // 60:02}:{second % 60:02}" for second in range(200))
    api.outputs[("p", "main")].flood = (
        "".join(f"{second}.{number:09}Z {'x' * 1969}\n" for number in range(50)).encode() for second in seconds
    )
    end(api, pods)

    tracemalloc.start()
    await make(pods, output=output).drain()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert output.taken == 10_000
    assert 1_000_000 < output.shown < 1_200_000
    assert peak < 3_000_000


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
