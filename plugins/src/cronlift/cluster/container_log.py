"""Read the log of one container, from its start to its last line, over as many connections as it takes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

from cronlift import errors
from cronlift.cluster.client import Json
from cronlift.cluster.patience import asked_pause
from cronlift.job.loglines import Line, Resume, parse_line

# After a stream ended, how long to wait for the news that its container did. It nearly always did, and on a busy node
# the news takes seconds; a second stream for each task would be the price of less patience.
SETTLE_SECONDS = 20.0
# The same once the Job has ended, so that a task does not wait for news that never comes.
LAST_SETTLE_SECONDS = 3.0
REOPEN_PAUSE_SECONDS = 1.0
# The pause grows with each failure up to so many times the first one; less once the container has ended.
LONGEST_PAUSE, LONGEST_LAST_PAUSE = 10, 5
# Give up on a log that cannot be opened for so many times in a row, but never while its container runs: an API server
# may be away for long.
ATTEMPTS = 8
# Once the Job has ended, open a stream again that has been silent for so long.
SILENCE_SECONDS = 10.0
# Between two looks at other tasks while one container prints without a pause.
LINES_PER_TURN = 200
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class LogClient(Protocol):
    """What reading logs needs of a client."""

    def stream(
        self, call: str, path: str, params: Mapping[str, str], silence_seconds: float | None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a streaming answer."""

    async def reload_credentials(self) -> None:
        """Read the token again."""


@dataclass(frozen=True)
class Start:
    """One start of a container, as its Pod tells it.

    Args:
        gone: Why its log can no longer be read: "Pod" or "restart"; None while it can.
        ended_at: When it ended; None while it runs.
        is_previous: Whether the container has been started again since.
    """

    gone: str | None = None
    ended_at: datetime | None = None
    is_previous: bool = False


def start_of(pod: Json, container: str, identity: str) -> Start:
    """Return what a Pod tells of one start of a container.

    Args:
        pod: The Pod as last seen; empty when it is gone.
        container: The container's name.
        identity: The container ID of that start.
    """
    status = dict(container_statuses(pod)).get(container)
    if status is None:
        return Start(gone="Pod")
    is_current = status.get("containerID") == identity
    for key in ("state", "lastState"):
        ended = (status.get(key) or {}).get("terminated")
        if ended and (ended.get("containerID") == identity or (is_current and key == "state")):
            finished = ended.get("finishedAt")
            at = datetime.fromisoformat(finished) if finished else _LONG_AGO
            return Start(ended_at=at, is_previous=not is_current)
    return Start() if is_current else Start(gone="restart")


class ContainerLog:
    """The log of one start of one container.

    Args:
        client: Opens the streams.
        namespace: The Pod's namespace.
        pod: The Pod's name.
        container: The container's name.
        look: Tells the current state of that start.
        take: Takes each line, once and in order.
        say: Takes remarks about the log.
        line_limit: Bytes of a line; the rest of a longer one is dropped.
        settle_seconds: See SETTLE_SECONDS.
        pause_seconds: See REOPEN_PAUSE_SECONDS.
    """

    def __init__(
        self,
        client: LogClient,
        namespace: str,
        pod: str,
        container: str,
        *,
        look: Callable[[], Start],
        take: Callable[[Line], None],
        say: Callable[[str], None],
        line_limit: int,
        settle_seconds: float = SETTLE_SECONDS,
        pause_seconds: float = REOPEN_PAUSE_SECONDS,
    ) -> None:
        self._client, self._look, self._take, self._say = client, look, take, say
        self._namespace, self._pod, self._container = namespace, pod, container
        self._line_limit, self._settle_seconds, self._pause_seconds = line_limit, settle_seconds, pause_seconds
        self._resume = Resume()
        self._opened = 0
        self._brought = False
        self._unended: Line | None = None
        self._remarked = ""
        self._silence: asyncio.Timeout | None = None
        self._news = asyncio.Event()
        self._is_hurried = False

    async def read(self) -> None:
        """Read to the end; what cannot be read is said."""
        failures, was_cut = 0, False
        while True:
            start = self._look()
            if start.gone:
                if was_cut or not self._opened:
                    self._say_gone(start.gone)
                return
            try:
                await self._read_once(start)
                was_cut = start.ended_at is None and not await self._ended_with_its_container()
                if not was_cut:
                    self._take_unended()
                    return
                failures = 0 if self._brought else failures
                if self._look().ended_at is not None:
                    continue  # the stream was cut before the container ended: read what came after the cut
            except errors.NotFoundError:
                self._say_gone("Pod")
                return
            except errors.ClusterError as error:
                failures, was_cut = (1 if self._brought else failures + 1), True
                if failures == ATTEMPTS:
                    self._say_failing(error, goes_on=start.ended_at is None)
                if failures >= ATTEMPTS and start.ended_at is not None:
                    return
                await self._recover(error)
            longest = LONGEST_PAUSE if start.ended_at is None else LONGEST_LAST_PAUSE
            await asyncio.sleep(self._pause_seconds * min(failures + 1, longest))

    def hurry(self) -> None:
        """Doubt streams that are silent from now on: the Job has ended, and a connection may be dead without a word."""
        self._is_hurried = True
        self._settle_seconds = min(self._settle_seconds, LAST_SETTLE_SECONDS)
        self._hear()
        self.notify()

    def notify(self) -> None:
        """Look at the container again: its Pod has changed."""
        self._news.set()

    async def _read_once(self, start: Start) -> None:
        """Follow one connection to its end."""
        params = {"container": self._container, "follow": "true", "timestamps": "true"}
        if start.is_previous:
            params["previous"] = "true"
        since = self._resume.since_time()
        if since is not None:
            params["sinceTime"] = since
        path = f"/api/v1/namespaces/{quote(self._namespace)}/pods/{quote(self._pod)}/log"
        call = f"read the log of {self._namespace}/{self._pod}, container {self._container}"
        self._opened += 1
        self._brought, self._unended, count = False, None, 0
        try:
            async with asyncio.timeout(None) as self._silence:
                self._hear()
                async with self._client.stream(call, path, params, None) as chunks:
                    async for raw, is_whole in log_lines(chunks, self._line_limit):
                        self._hear()
                        self._take_raw(raw, is_whole=is_whole)
                        count += 1
                        if count % LINES_PER_TURN == 0:
                            await asyncio.sleep(0)
        except TimeoutError as error:
            raise errors.ConnectionLostError(f"Cannot {call}: nothing came for {SILENCE_SECONDS:.0f} s") from error
        finally:
            self._silence = None

    def _take_raw(self, raw: bytes, *, is_whole: bool) -> None:
        line = parse_line(raw)
        if line is None:
            # The kubelet's own remark; or, in a stream opened again, the end of a long line that was read before.
            if self._opened == 1 or self._brought:
                self._remark(raw)
        elif not is_whole:
            self._unended = line
        elif self._resume.is_new(line):
            self._brought = True
            self._take(line)

    def _take_unended(self) -> None:
        """Take the last line although it has no newline: there is nothing more to come."""
        if self._unended is not None and self._resume.is_new(self._unended):
            self._take(self._unended)

    def _hear(self) -> None:
        """Take note of a sign of life."""
        if not self._is_hurried or self._silence is None:
            return
        until, set_already = asyncio.get_running_loop().time() + SILENCE_SECONDS, self._silence.when()
        if set_already is None or until > set_already + SILENCE_SECONDS / 10:
            self._silence.reschedule(until)

    async def _ended_with_its_container(self) -> bool:
        """Tell an end from a cut: after an end, the news of the container's end follows within moments."""
        stream_ended, began = datetime.now(UTC), asyncio.get_running_loop().time()
        while True:
            start = self._look()
            if start.gone:
                return True
            if start.ended_at is not None:
                return self._opened == 1 and stream_ended >= start.ended_at
            left = began + self._settle_seconds - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._news.wait()

    async def _recover(self, error: errors.ClusterError) -> None:
        if isinstance(error, errors.UnauthorizedError):
            with contextlib.suppress(errors.CronliftError):  # an unreadable token shows in the next answer
                await self._client.reload_credentials()
        await asyncio.sleep(asked_pause(error))

    def _remark(self, raw: bytes) -> None:
        """Pass on what the kubelet says in place of a log, once; a stamp that was cut in its middle is no remark."""
        words = raw.decode("utf-8", "replace")
        if not words[:4].isdigit() and words != self._remarked:
            self._remarked = words
            self._say(words)

    def _say_gone(self, what: str) -> None:
        rest = "the rest of " if self._brought or self._opened > 1 else ""
        with_what = "its Pod" if what == "Pod" else "an earlier start of the container"
        self._say(f"... {rest}the log of {self._pod}/{self._container} is gone with {with_what}")

    def _say_failing(self, error: errors.ClusterError, *, goes_on: bool) -> None:
        later = ", trying again until the container ends" if goes_on else ""
        self._say(f"... cannot read the log of {self._pod}/{self._container}{later}: {error}")


def container_statuses(pod: Json) -> list[tuple[str, Json]]:
    """Return a Pod's container statuses by name, init containers first."""
    status = pod.get("status") or {}
    kinds = ("initContainerStatuses", "containerStatuses")
    return [(each["name"], each) for kind in kinds for each in status.get(kind) or []]


async def log_lines(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[tuple[bytes, bool]]:
    """Cut a log into lines; an endless line is cut and the rest dropped.

    Args:
        chunks: As they arrive.
        limit: Bytes of a line.

    Yields:
        Each line, and whether it had its newline: the last one may lack it because the stream was cut in its middle.
    """
    buffer, skipping = bytearray(), False
    async for chunk in chunks:
        buffer += chunk
        start = 0
        while (end := buffer.find(b"\n", start)) >= 0:
            if not skipping:
                yield bytes(buffer[start:end]), True
            skipping, start = False, end + 1
        del buffer[:start]
        if len(buffer) > limit:
            if not skipping:
                yield bytes(buffer), True
            skipping = True
            buffer.clear()
    if buffer and not skipping:
        yield bytes(buffer), False
