"""Follow the output of every container of a Job, live, until its last line.

Reading logs never decides how a task ends: what cannot be read is said in the log, and the Job's conditions go on to
rule. What was handed on is remembered, so a stream that is cut (the kubelet does so after four hours) goes on where it
was.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

from cronlift import errors
from cronlift.cluster.client import Json
from cronlift.job.loglines import LINE_LIMIT_CHARACTERS, Capped, Line, Resume, moment_of, parse_line

# After a stream ended, how long to wait for the news that its container did.
SETTLE_SECONDS = 3.0
REOPEN_PAUSE_SECONDS = 1.0
# Give up on a container whose log cannot be opened for so many times in a row.
ATTEMPTS = 8
# After the Job has ended, how long its last lines may take.
DRAIN_SECONDS = 120.0
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


class PodSource(Protocol):
    """Where the current state of Pods comes from."""

    @property
    def pods(self) -> list[Json]:
        """The Job's Pods as last seen."""


class JobLogs:
    """The logs of one Job.

    Args:
        client: Opens the streams.
        namespace: Namespace of the Pods.
        source: Tells the Job's Pods.
        output: Takes the lines.
        many_pods: Whether the Job is made for several Pods at once, so that each line names its Pod.
        settle_seconds: See SETTLE_SECONDS.
        pause_seconds: See REOPEN_PAUSE_SECONDS.
    """

    def __init__(
        self,
        client: LogClient,
        namespace: str,
        source: PodSource,
        output: Capped,
        *,
        many_pods: bool = False,
        settle_seconds: float = SETTLE_SECONDS,
        pause_seconds: float = REOPEN_PAUSE_SECONDS,
    ) -> None:
        self._client, self._namespace, self._source, self._output = client, namespace, source, output
        self._settle_seconds, self._pause_seconds = settle_seconds, pause_seconds
        self._many_pods = many_pods
        self._readers: dict[tuple[str, str, str], asyncio.Task[None]] = {}

    def follow(self) -> None:
        """Start a reader for each container that has started and has none yet; call it at every change."""
        for pod in self._source.pods:
            for container, status in container_statuses(pod):
                identity = status.get("containerID")
                key = (pod["metadata"]["name"], container, str(identity))
                if identity and key not in self._readers:
                    self._readers[key] = asyncio.create_task(self._read(pod["metadata"]["name"], container, identity))

    async def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Wait until every container's log has been read to its end, then hand on the tail.

        Args:
            seconds: How long that may take; what is missing then is said.
        """
        self.follow()
        if self._readers:
            _, late = await asyncio.wait(self._readers.values(), timeout=seconds)
            if late:
                self._say(f"... the log was not complete after {seconds:.0f} s; see the Pod")
        await self.stop()
        self._output.finish()

    async def stop(self) -> None:
        """Stop reading."""
        for reader in self._readers.values():
            reader.cancel()
        await asyncio.gather(*self._readers.values(), return_exceptions=True)

    async def _read(self, pod: str, container: str, identity: str) -> None:
        """Read one container's log to its end, over as many connections as it takes."""
        resume, failures, opened = Resume(), 0, 0
        while True:
            try:
                had_ended = self._end_of(pod, container, identity) is not None
                opened += 1
                if await self._read_once(pod, container, resume):
                    failures = 0
                if had_ended:
                    return
                stream_ended = datetime.now(UTC)
                finished = await self._wait_for_end(pod, container, identity)
                if finished is not None and opened == 1 and stream_ended >= finished:
                    return
                if finished is not None:
                    continue  # the stream was cut before the container ended: read what came after the cut
            except errors.NotFoundError:
                self._say(f"... the log of {pod}/{container} is gone with its Pod")
                return
            except errors.UnauthorizedError:
                await self._client.reload_credentials()
                failures += 1
            except errors.ClusterError as error:
                failures += 1
                if failures == ATTEMPTS:
                    self._say(f"... gave up reading the log of {pod}/{container}: {error}")
                    return
            await asyncio.sleep(self._pause_seconds * min(failures + 1, 5))

    async def _read_once(self, pod: str, container: str, resume: Resume) -> bool:
        """Follow one connection to its end; tell whether it brought anything."""
        params = {"container": container, "follow": "true", "timestamps": "true"}
        since = resume.since_time()
        if since is not None:
            params["sinceTime"] = since
        path = f"/api/v1/namespaces/{quote(self._namespace)}/pods/{quote(pod)}/log"
        brought, count = False, 0
        call = f"read the log of {self._namespace}/{pod}, container {container}"
        async with self._client.stream(call, path, params, None) as chunks:
            async for raw in log_lines(chunks):
                line = parse_line(raw)
                if line is None:
                    self._say(raw.decode("utf-8", "replace"))
                elif resume.is_new(line):
                    self._hand_on(pod, container, line)
                    brought = True
                count += 1
                if count % LINES_PER_TURN == 0:
                    await asyncio.sleep(0)
        return brought

    async def _wait_for_end(self, pod: str, container: str, identity: str) -> datetime | None:
        """Tell an end from a cut: after an end, the news of the container's end follows within moments.

        Returns:
            When the container ended, or None when it still runs.
        """
        for _ in range(10):
            finished = self._end_of(pod, container, identity)
            if finished is not None:
                return finished
            await asyncio.sleep(self._settle_seconds / 10)
        return None

    def _end_of(self, pod: str, container: str, identity: str) -> datetime | None:
        """Return when a container ended; the beginning of time when its Pod, or it, is no longer there."""
        status = dict(container_statuses(self._pod(pod))).get(container)
        if status is None or status.get("containerID") != identity:
            return _LONG_AGO
        ended = (status.get("state") or {}).get("terminated")
        if ended is None:
            return None
        finished = ended.get("finishedAt")
        return datetime.fromisoformat(finished) if finished else _LONG_AGO

    def _pod(self, name: str) -> Json:
        return next((pod for pod in self._source.pods if pod["metadata"]["name"] == name), {})

    def _hand_on(self, pod: str, container: str, line: Line) -> None:
        self._output.add(moment_of(line.stamp), self._prefix(pod, container) + line.text)

    def _prefix(self, pod: str, container: str) -> str:
        """Name the container when there is more than one, and the Pod when there is more than one."""
        pods = {each for each, _, _ in self._readers}
        containers = len(list(all_containers(self._pod(pod))))
        if self._many_pods or len(pods) > 1:
            return f"[{pod}/{container}] "
        return f"[{container}] " if containers > 1 else ""

    def _say(self, words: str) -> None:
        self._output.add(datetime.now(UTC), words)


def all_containers(pod: Json) -> list[str]:
    """Return the names of a Pod's containers, init containers first."""
    spec = pod.get("spec") or {}
    return [each["name"] for kind in ("initContainers", "containers") for each in spec.get(kind) or []]


def container_statuses(pod: Json) -> list[tuple[str, Json]]:
    """Return a Pod's container statuses by name, init containers first."""
    status = pod.get("status") or {}
    kinds = ("initContainerStatuses", "containerStatuses")
    return [(each["name"], each) for kind in kinds for each in status.get(kind) or []]


async def log_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut a log into lines, the last one with or without its newline; an endless line is cut and the rest dropped."""
    limit, buffer, skipping = LINE_LIMIT_CHARACTERS * 4, bytearray(), False
    async for chunk in chunks:
        buffer += chunk
        start = 0
        while (end := buffer.find(b"\n", start)) >= 0:
            if not skipping:
                yield bytes(buffer[start:end])
            skipping, start = False, end + 1
        del buffer[:start]
        if len(buffer) > limit:
            if not skipping:
                yield bytes(buffer)
            skipping = True
            buffer.clear()
    if buffer and not skipping:
        yield bytes(buffer)
