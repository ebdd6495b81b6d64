"""Follow the output of every container of a Job, live, until its last line.

Reading logs never decides how a task ends: what cannot be read is said in the log, and the Job's conditions go on to
rule. What was handed on is remembered, so a stream that is cut (the kubelet does so after four hours) goes on where it
was.
"""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from cronlift.cluster.client import Json
from cronlift.cluster.container_log import (
    REOPEN_PAUSE_SECONDS,
    SETTLE_SECONDS,
    ContainerLog,
    LogClient,
    Start,
    container_statuses,
    start_of,
)
from cronlift.job.loglines import LINE_LIMIT_CHARACTERS, Line, LogOutput, moment_of
from cronlift.job.result import RESULT_LIMIT_CHARACTERS, MarkedLines

# After the Job has ended, how long its last lines may take.
DRAIN_SECONDS = 120.0
# Meanwhile, how often to look for news of its Pods, which have mostly come before.
LOOK_SECONDS = 0.5
# A Job may have thousands of Pods at once. The logs of more than these are read when others have ended.
STREAMS_AT_ONCE = 64


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
        marked: Takes those lines of a result; None when the result is not read here.
        many_pods: Whether the Job is made for several Pods at once, so that each line names its Pod.
        settle_seconds: See `container_log.SETTLE_SECONDS`.
        pause_seconds: See `container_log.REOPEN_PAUSE_SECONDS`.
    """

    def __init__(
        self,
        client: LogClient,
        namespace: str,
        source: PodSource,
        output: LogOutput,
        *,
        marked: MarkedLines | None = None,
        many_pods: bool = False,
        settle_seconds: float = SETTLE_SECONDS,
        pause_seconds: float = REOPEN_PAUSE_SECONDS,
    ) -> None:
        self._client, self._namespace, self._source, self._output = client, namespace, source, output
        self._settle_seconds, self._pause_seconds = settle_seconds, pause_seconds
        self._marked, self._many_pods = marked, many_pods
        # A line of a result counts whole. A character takes four bytes at most.
        self._line_limit = 4 * (LINE_LIMIT_CHARACTERS if marked is None else RESULT_LIMIT_CHARACTERS)
        self._slots, self._is_over = asyncio.Semaphore(STREAMS_AT_ONCE), False
        self._readers: dict[tuple[str, str, str], asyncio.Task[None]] = {}
        self._reading: set[ContainerLog] = set()
        self._newest: dict[tuple[str, str], str] = {}
        self._several: dict[str, bool] = {}

    def follow(self) -> None:
        """Start a reader for each container that has started and has none yet; call it at every change."""
        for log in self._reading:
            log.notify()
        for pod in self._source.pods:
            for container, status in container_statuses(pod):
                identity = status.get("containerID")
                key = (pod["metadata"]["name"], container, str(identity))
                if identity and key not in self._readers:
                    self._several[key[0]] = len(all_containers(pod)) > 1
                    self._newest[key[:2]] = key[2]
                    if self._marked is not None:
                        self._marked.forget(*key[:2])  # an earlier start of it gives no result
                    self._readers[key] = asyncio.create_task(self._read(*key))

    async def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Wait until every container's log has been read to its end, then hand on the tail.

        Args:
            seconds: How long that may take; what is missing then is said.
        """
        self.follow()
        self._is_over = True
        if self._readers:
            await asyncio.sleep(0)  # let those begin that were just made
            for log in self._reading:
                log.hurry()
            if not await self._have_ended(seconds):
                self._say(f"... the log was not complete after {seconds:.0f} s; see the Pod")
        await self.stop()
        self._output.finish()

    async def _have_ended(self, seconds: float) -> bool:
        """Wait for all readers, passing on what becomes known of their Pods; tell whether they ended in time."""
        loop, reading = asyncio.get_running_loop(), set(self._readers.values())
        end = loop.time() + seconds
        while reading and (left := end - loop.time()) > 0:
            _, reading = await asyncio.wait(reading, timeout=min(left, LOOK_SECONDS))
            for log in self._reading:
                log.notify()
        return not reading

    async def stop(self) -> None:
        """Stop reading."""
        for reader in self._readers.values():
            reader.cancel()
        await asyncio.gather(*self._readers.values(), return_exceptions=True)

    async def _read(self, pod: str, container: str, identity: str) -> None:
        log = ContainerLog(
            self._client,
            self._namespace,
            pod,
            container,
            look=partial(self._start, pod, container, identity),
            take=partial(self._take, pod, container, identity),
            say=self._say,
            line_limit=self._line_limit,
            settle_seconds=self._settle_seconds,
            pause_seconds=self._pause_seconds,
        )
        try:
            async with self._slots:
                self._reading.add(log)
                if self._is_over:
                    log.hurry()
                await log.read()
        except Exception as error:
            self._say(f"... reading the log of {pod}/{container} failed: {type(error).__name__}: {error}")
        finally:
            self._reading.discard(log)

    def _start(self, pod: str, container: str, identity: str) -> Start:
        found = next((each for each in self._source.pods if each["metadata"]["name"] == pod), {})
        return start_of(found, container, identity)

    def _take(self, pod: str, container: str, identity: str, line: Line) -> None:
        if self._marked is not None and self._newest[(pod, container)] == identity:
            self._marked.add(pod, container, line.text)
        prefix = self._prefix(pod, container)
        self._output.add(moment_of(line.stamp), prefix + line.text, prefix)

    def _prefix(self, pod: str, container: str) -> str:
        """Name the container when there is more than one, and the Pod when there is more than one."""
        if self._many_pods or len(self._several) > 1:
            return f"[{pod}/{container}] "
        return f"[{container}] " if self._several[pod] else ""

    def _say(self, words: str) -> None:
        self._output.add(datetime.now(UTC), words)


def all_containers(pod: Json) -> list[str]:
    """Return the names of a Pod's containers, init containers first."""
    spec = pod.get("spec") or {}
    return [each["name"] for kind in ("initContainers", "containers") for each in spec.get(kind) or []]
