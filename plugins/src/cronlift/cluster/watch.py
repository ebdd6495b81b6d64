"""One list and one watch of Jobs, and one of Pods, for all tasks of a namespace.

A task does not ask the API server how its Job fares: it subscribes here and is woken when its Job, or a Pod of it,
changes. So the number of requests does not grow with the number of running tasks, nor with their length.

The watch keeps a store, because a Job may end before its task subscribes. Subscribers read the store and wait on an
asyncio.Event; no code of theirs runs in the watch, so nothing that they raise can end it, and no queue can grow.
"""

import asyncio
import contextvars
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from cronlift import errors
from cronlift.cluster.client import Json
from cronlift.cluster.job_events import JobEvents
from cronlift.cluster.metrics import JOBS_RUNNING, Metrics, NullMetrics
from cronlift.cluster.reflector import Change, Reflector, WatchClient
from cronlift.job.conditions import verdict_of

# Tasks come and go; a watch that lingers saves its list call for the next one.
LINGER_SECONDS = 60.0
# Bookmarks come about once a minute. After three silent minutes a subscriber no longer trusts the watch.
STALE_AFTER_SECONDS = 180.0
JOB_NAME_LABEL = "batch.kubernetes.io/job-name"

# What is kept of each object: what verdicts, diagnoses, logs and results read.
_JOB_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_JOB_SPEC = ("suspend", "completions", "parallelism", "completionMode", "ttlSecondsAfterFinished")
_JOB_STATUS = ("startTime", "active", "ready", "succeeded", "failed", "conditions")
_POD_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
_POD_ANNOTATIONS = ("batch.kubernetes.io/job-completion-index", "kubectl.kubernetes.io/default-container")
_POD_LABELS = (JOB_NAME_LABEL, "job-name")
_POD_STATUS = ("phase", "reason", "message")
_CONTAINER_KINDS = ("initContainers", "containers")
_STATUS_KINDS = ("initContainerStatuses", "containerStatuses")
_CONTAINER_STATUS = ("name", "image", "containerID", "state", "lastState", "restartCount")


class JobReader(WatchClient, Protocol):
    """What the watch needs of a client."""

    async def get_job(self, namespace: str, name: str) -> Json:
        """Read one Job."""

    async def list_job_warnings(self, namespace: str) -> list[Json]:
        """List the warnings about all Jobs of a namespace."""


class Subscription:
    """One task's view of its Job.

    Args:
        watch: The shared watch.
        name: Name of the Job.
    """

    def __init__(self, watch: "SharedWatch", name: str) -> None:
        self._watch, self.name, self._changed = watch, name, asyncio.Event()
        self._pods: list[Json] | None = None
        self._ended: Json | None = None
        self._changed.set()

    @property
    def job(self) -> Json | None:
        """The Job as last seen; None when it was never seen, or went before its end."""
        return self._watch.jobs.store.get(self.name) or self._ended

    def keep_ended(self, job: Json) -> None:
        """Keep a Job that went after its end, as its time to live, or somebody's cleaning, may have it."""
        self._ended = job

    @property
    def pods(self) -> list[Json]:
        """The Job's Pods as last seen, oldest first; Pods that are gone are not among them."""
        if self._pods is None:  # a Job may have thousands, and several readers between two changes
            store = self._watch.pods.store
            self._pods = [store[each] for each in self._watch.pods_of.get(self.name, ()) if each in store]
            self._pods.sort(key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"]))
        return self._pods

    async def warnings(self, since: float) -> list[Json]:
        """Return the events that warn about the Job, oldest first; see `JobEvents.of`."""
        return await self._watch.events.of(self.name, since)

    def notify(self) -> None:
        """Wake whoever waits for a change."""
        self._pods = None
        self._changed.set()

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait for a change since the last call.

        Args:
            timeout_seconds: Give up after so long; None to wait for ever.

        Returns:
            Whether something changed; the first call returns at once, so that the store is looked at.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    async def refresh_if_stale(self) -> None:
        """Read the Job directly when the watch has heard nothing for minutes, for whatever reason."""
        if time.monotonic() - self._watch.jobs.heard_at > self._watch.stale_after_seconds:
            await self.refresh()

    async def refresh(self) -> Json | None:
        """Read the Job directly and put what is found into the store.

        Returns:
            The Job, or None when it does not exist.
        """
        try:
            job = await self._watch.client.get_job(self._watch.namespace, self.name)
        except errors.NotFoundError:
            self._watch.jobs.store.pop(self.name, None)
            self.notify()
            return None
        self._watch.jobs.offer(job)
        return job


class SharedWatch:
    """The watch of one namespace, as one user, for all tasks of a deployment.

    Args:
        client: Calls as that user.
        namespace: The namespace.
        selector: Label selector of the deployment's own objects.
        linger_seconds: How long to go on without subscribers.
        stale_after_seconds: See STALE_AFTER_SECONDS.
        on_idle: Called when it has stopped because nobody was left.
        cluster: Name of the cluster, for metrics; empty for the own one.
        metrics: Where measurements go; None for nowhere.
        options: Passed on to `Reflector`, for tests.
    """

    def __init__(
        self,
        client: JobReader,
        namespace: str,
        selector: str,
        *,
        linger_seconds: float = LINGER_SECONDS,
        stale_after_seconds: float = STALE_AFTER_SECONDS,
        on_idle: Callable[[], None] | None = None,
        cluster: str = "",
        metrics: Metrics | None = None,
        **options: Any,
    ) -> None:
        self.client, self.namespace = client, namespace
        self._metrics = options["metrics"] = metrics or NullMetrics()
        self._tags = {"cluster": cluster or "own", "namespace": namespace}
        self.stale_after_seconds = stale_after_seconds
        self._linger_seconds, self._on_idle = linger_seconds, on_idle
        self.events = JobEvents(client, namespace)
        self.pods_of: dict[str, set[str]] = {}
        self._running = 0
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: asyncio.Task[None] | None = None
        path = f"namespaces/{namespace}"
        self.jobs = Reflector(client, f"/apis/batch/v1/{path}/jobs", selector, self._job_changed, trim_job, **options)
        self.pods = Reflector(client, f"/api/v1/{path}/pods", selector, self._pod_changed, trim_pod, **options)

    def subscribe(self, name: str, seed: Json | None = None) -> Subscription:
        """Follow a Job; start the watch if nobody did.

        Args:
            name: Name of the Job.
            seed: The Job as the create call returned it, in case the watch has not seen it yet.

        Returns:
            A subscription; give it back to `unsubscribe`.
        """
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        if not self._tasks:
            self._tasks = [_detached(self.jobs.run()), _detached(self.pods.run())]
        subscription = Subscription(self, name)
        self._subscriptions.setdefault(name, set()).add(subscription)
        self._count_running(1)
        if seed is not None:
            self.jobs.offer(seed)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop following; the last one to leave stops the watch after a linger."""
        remaining = self._subscriptions.get(subscription.name, set())
        if subscription in remaining:
            remaining.discard(subscription)
            self._count_running(-1)
        if not remaining:
            self._subscriptions.pop(subscription.name, None)
        if not self._subscriptions and self._tasks and self._closing is None:
            self._closing = _detached(self._close_after_linger())

    async def close(self) -> None:
        """Stop at once."""
        tasks, self._tasks = self._tasks, []
        closing, self._closing = self._closing, None
        if closing is not None and closing is not asyncio.current_task():
            tasks.append(closing)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _close_after_linger(self) -> None:
        await asyncio.sleep(self._linger_seconds)
        self._closing = None
        await self.close()
        if self._on_idle is not None:
            self._on_idle()

    def _count_running(self, change: int) -> None:
        self._running += change
        self._metrics.gauge(JOBS_RUNNING, self._running, **self._tags)

    def _job_changed(self, change: Change, job: Json) -> None:
        name, verdict = job["metadata"]["name"], verdict_of(job)
        if change is Change.DELETED and verdict is not None and verdict.settled:
            for subscription in self._subscriptions.get(name, ()):
                subscription.keep_ended(job)
        self._notify(name)

    def _pod_changed(self, change: Change, pod: Json) -> None:
        name, job = pod["metadata"]["name"], job_of(pod)
        if job is None:
            return
        if change is Change.DELETED:
            names = self.pods_of.get(job, set())
            names.discard(name)
            if not names:
                self.pods_of.pop(job, None)
        else:
            self.pods_of.setdefault(job, set()).add(name)
        self._notify(job)

    def _notify(self, name: str) -> None:
        for subscription in self._subscriptions.get(name, ()):
            subscription.notify()


def job_of(pod: Json) -> str | None:
    """Return the name of the Job that a Pod belongs to."""
    labels = pod["metadata"].get("labels") or {}
    name = labels.get(JOB_NAME_LABEL) or labels.get("job-name")
    return str(name) if name else None


def trim_job(job: Json) -> Json:
    """Keep what tasks read of a Job, which is all but its template and its annotations."""
    metadata, spec, status = job["metadata"], job.get("spec") or {}, job.get("status") or {}
    return {
        "metadata": _kept(metadata, _JOB_METADATA),
        "spec": _kept(spec, _JOB_SPEC),
        "status": _kept(status, _JOB_STATUS),
    }


def trim_pod(pod: Json) -> Json:
    """Keep what tasks read of a Pod; 5,000 whole ones would fill the triggerer."""
    spec, metadata, status = pod.get("spec") or {}, pod["metadata"], pod.get("status") or {}
    kept = _kept(metadata, _POD_METADATA)
    if annotations := _kept(metadata.get("annotations") or {}, _POD_ANNOTATIONS):
        kept["annotations"] = annotations
    if labels := _kept(metadata.get("labels") or {}, _POD_LABELS):
        kept["labels"] = labels
    containers = {kind: [{"name": each["name"]} for each in spec[kind]] for kind in _CONTAINER_KINDS if spec.get(kind)}
    statuses = {
        kind: [_kept(each, _CONTAINER_STATUS) for each in status[kind]] for kind in _STATUS_KINDS if status.get(kind)
    }
    conditions = [each for each in status.get("conditions") or [] if each.get("status") == "False"]
    more: Json = {"conditions": conditions} if conditions else {}
    return {"metadata": kept, "spec": containers, "status": {**_kept(status, _POD_STATUS), **statuses, **more}}


def _kept(found: Json, keys: tuple[str, ...]) -> Json:
    return {key: found[key] for key in keys if key in found}


def _detached(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start a task that belongs to no trigger.

    Airflow 3.3.2 sends log lines to the task whose id is in the context, and a task inherits its creator's context: the
    shared watch would write into the log of whoever came first.
    """
    return asyncio.create_task(work, context=contextvars.Context())
