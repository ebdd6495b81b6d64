"""What holds a Job up before its first container starts: said once a change, and for how long it may."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from cronlift import errors
from cronlift.cluster.client import Json, KubernetesClient
from cronlift.cluster.options import TaskLog
from cronlift.cluster.watch import JOB_NAME_LABEL
from cronlift.job.conditions import is_suspended
from cronlift.job.diagnosis import IMAGE_GRACE_SECONDS, Diagnosis, diagnose

# Without any news, look at the clock and at the watch's health this often; costs no request.
TICK_SECONDS = 30.0
# A Job normally has its Pods within a second.
POD_EXPECTED_SECONDS = 10.0
# The tasks of a team read their Jobs' events together; no reason is reported later than this for it.
EVENTS_AGE_SECONDS = 15.0
# Between two attempts to make sure that a Job really cannot start.
CONFIRM_PAUSE_SECONDS = 5.0
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Waiting:
    """Watches over the time before a Job runs.

    Args:
        client: Reads Pods when the watch must be doubted.
        warnings: Returns the Job's warnings, read since a moment of the event loop's clock.
        job: The Job as it was created or found.
        log: The task's log.
        start_timeout_seconds: How long its first container may take, time suspended not counted; None for ever.
        adopted: Whether an earlier attempt created the Job.

    Attributes:
        found: What holds it up now, if anything.
        has_started: Whether any of its containers ever ran.
    """

    def __init__(
        self,
        client: KubernetesClient,
        warnings: Callable[[float], Awaitable[list[Json]]],
        job: Json,
        log: TaskLog,
        start_timeout_seconds: float | None = None,
        *,
        adopted: bool = False,
    ) -> None:
        self._client, self._warnings, self._log = client, warnings, log
        self._timeout, self._adopted = start_timeout_seconds, adopted
        self._namespace: str = job["metadata"]["namespace"]
        self._name: str = job["metadata"]["name"]
        self._image_grace = min(IMAGE_GRACE_SECONDS, start_timeout_seconds or IMAGE_GRACE_SECONDS)
        self._since = asyncio.get_running_loop().time()
        # The API server's clock may differ from ours: what we saw ourselves bounds what it says.
        self._not_before = _LONG_AGO if adopted else datetime.now(UTC)
        self._waited = 0.0
        self._events: list[Json] = []
        self._cannot_read_events = False
        self._pause_until = 0.0
        self.found: Diagnosis | None = None
        self.has_started = False

    async def look(self, job: Json, pods: Sequence[Json]) -> str | None:
        """Write what holds the Job up, if that is new.

        Args:
            job: The Job as last seen, without a verdict.
            pods: Its Pods as last seen.

        Returns:
            Why it is useless to wait longer, in words; None to go on.
        """
        loop, now = asyncio.get_running_loop(), datetime.now(UTC)
        if _waits_suspended(job):
            self._not_before, self._since = now, loop.time()
            self.found = None
            return None
        self._waited = (now - self._waiting_since(job)).total_seconds()
        if not pods and loop.time() - self._since > POD_EXPECTED_SECONDS:
            await self._load_events(loop.time() - EVENTS_AGE_SECONDS)
        self._tell(diagnose(pods, [] if pods else self._events, now, self._image_grace))
        if not (self._is_overdue() or (self.found is not None and self.found.fatal)):
            return None
        if loop.time() < self._pause_until:
            return None
        self._pause_until = loop.time() + CONFIRM_PAUSE_SECONDS
        return await self._confirm(job)

    def note_start(self, pods: Sequence[Json]) -> None:
        """Take note of containers that run or ran."""
        self.has_started = self.has_started or any(has_run(pod) for pod in pods)

    def patience(self, pods: Sequence[Json]) -> float:
        """Return how long to wait for news: less while there is no Pod, whose absence only the clock tells."""
        tick = TICK_SECONDS if pods else POD_EXPECTED_SECONDS * 1.05
        if self._timeout is None or self.has_started:
            return tick
        left = self._timeout - self._waited
        return min(tick, left if left > 0 else CONFIRM_PAUSE_SECONDS)

    def _waiting_since(self, job: Json) -> datetime:
        """Return when the Job could first have started; from its own times, so that a take-over does not reset it."""
        status, metadata = job.get("status") or {}, job["metadata"]
        stamp = status.get("startTime") or metadata.get("creationTimestamp")
        since = datetime.fromisoformat(stamp) if stamp else _LONG_AGO
        return max(since, self._not_before)

    def _is_overdue(self) -> bool:
        return self._timeout is not None and not self.has_started and self._waited >= self._timeout

    async def _confirm(self, job: Json) -> str | None:
        """Make sure with the API server: the watch may have been away just when the first container started."""
        try:
            pods = await self._client.list_pods(self._namespace, f"{JOB_NAME_LABEL}={self._name}")
        except errors.ClusterError:
            return None
        self.note_start(pods)
        if self._adopted and (job.get("status") or {}).get("failed"):
            self.has_started = True  # by a Pod that is gone
        if not pods:
            await self._load_events(asyncio.get_running_loop().time())
        self._tell(diagnose(pods, [] if pods else self._events, datetime.now(UTC), self._image_grace))
        if self.found is not None and self.found.fatal:
            return str(self.found)
        if self._is_overdue():
            known = self.found or "Kubernetes gives no reason: look at its Pods and events with kubectl describe."
            return f"No container has started within the task's start_timeout of {self._timeout:.0f} s. {known}"
        return None

    def _tell(self, found: Diagnosis | None) -> None:
        if found is not None and (self.found is None or found.advice != self.found.advice):
            self._log.warning(f"Job {self._namespace}/{self._name} waits. {found}")
        self.found = found

    async def _load_events(self, since: float) -> None:
        """Read the Job's events; only a Job without Pods needs them."""
        try:
            self._events = await self._warnings(since)
        except errors.ClusterError as error:
            if not self._cannot_read_events:
                self._log.info(f"Cannot read the Job's events: {error}")
            self._cannot_read_events = True


def has_run(pod: Json) -> bool:
    """Tell whether any container of a Pod ever started, init containers included."""
    status = pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        for each in status.get(kind) or []:
            state = each.get("state") or {}
            if "running" in state or "terminated" in state or each.get("restartCount") or each.get("lastState"):
                return True
    return False


def _waits_suspended(job: Json) -> bool:
    """Tell whether a Job is suspended, or was until a moment ago and its controller has not noticed yet."""
    status = job.get("status") or {}
    if is_suspended(job):
        return True
    conditions = status.get("conditions") or []
    return not status.get("startTime") and any(
        each.get("type") == "Suspended" and each.get("status") == "True" for each in conditions
    )
