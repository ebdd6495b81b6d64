"""The life of one task's Job: create or adopt, follow, read its logs to the end, explain, tidy.

It knows nothing of Airflow: a trigger gives it the Job and a place to write, and gets a `Result`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from cronlift import errors
from cronlift.cluster.client import Json, KubernetesClient
from cronlift.cluster.logs import JobLogs, container_statuses
from cronlift.cluster.metrics import Metrics, NullMetrics
from cronlift.cluster.options import DeletePolicy, LifeOptions, Result, TaskLog
from cronlift.cluster.start import Starter, is_passing
from cronlift.cluster.watch import SharedWatch, Subscription
from cronlift.job import naming
from cronlift.job.conditions import Outcome, Verdict, is_suspended, verdict_of
from cronlift.job.diagnosis import Diagnosis, diagnose, explain_failure
from cronlift.job.loglines import Capped
from cronlift.job.naming import TaskIdentity
from cronlift.job.objects import Objects

__all__ = ["DeletePolicy", "JobLife", "LifeOptions", "Result", "TaskLog"]

# Without any news, look at the clock and at the watch's health this often; costs no request.
TICK_SECONDS = 30.0
# A Job normally has its Pods within a second.
POD_EXPECTED_SECONDS = 10.0
# After the Job's end, how long to wait for the last news of its Pods before their logs are taken as they are.
LAST_NEWS_SECONDS = 5.0
# The Job outlives its task by this long, see `JobLife._tidy`.
TTL_SECONDS = 300
LATE_DRAIN_SECONDS = 3.0
# How long to go on trying to stop or to tidy a Job while the API server is away; Airflow gives on_kill 30 s.
CALL_PATIENCE_SECONDS = 25.0
# How long to go on asking whether a Job that the watch calls gone is really gone: no answer is no verdict.
CONFIRM_SECONDS = 3600.0
RETRY_PAUSE_SECONDS = 1.0

Answer = TypeVar("Answer")


class JobLife:
    """One Job from its creation to its end.

    Args:
        client: Calls as the team's launcher.
        watch: The shared watch of the namespace.
        objects: The Job to create and its companions, as `build_objects` made them.
        identity: The try that it belongs to.
        options: What the task asks for.
        log: The task's log.
        deadline: When to stop it and fail the task; None for never.
        metrics: Where measurements go.

    Attributes:
        on_created: Awaited once with the Job, when it was created or adopted.
    """

    def __init__(
        self,
        client: KubernetesClient,
        watch: SharedWatch,
        objects: Objects,
        identity: TaskIdentity,
        options: LifeOptions,
        log: TaskLog,
        deadline: datetime | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._client, self._watch, self._objects, self._identity = client, watch, objects, identity
        self._options, self._log, self._deadline = options, log, deadline
        self._metrics = metrics or NullMetrics()
        self.on_created: Callable[[Json], Awaitable[None]] | None = None
        self._job = objects.job
        self._delete_policy = options.delete_policy
        self.namespace: str = self._job["metadata"]["namespace"]
        self.name: str = self._job["metadata"]["name"]
        self.uid: str | None = None
        self._found: Diagnosis | None = None
        self._events: list[Json] = []
        self._events_at = 0.0

    async def run(self) -> Result:
        """Run the Job to its end.

        Raises:
            JobConflictError: Its name is taken by something else.
            JobFailedError: It was deleted, ran out of time, or never could start.
            ClusterError: The API server refused to create it.
        """
        starter = Starter(self._client, self._log, self._deadline)
        created = await starter.start(self._job, self._identity)
        self.uid = created["metadata"]["uid"]
        if self.on_created is not None:
            await self.on_created(created)
        subscription = self._watch.subscribe(self.name, seed=created)
        output = Capped(self._log.output)
        logs = JobLogs(self._client, self.namespace, subscription, output, many_pods=_runs_many_pods(self._job))
        try:
            verdict = await self._follow(subscription, logs)
            await self._hear_the_last(subscription)
            await logs.drain()
            result = await self._conclude(verdict, subscription.pods)
            await self._tidy(subscription.job, verdict)
            return result
        finally:
            await logs.stop()
            self._watch.unsubscribe(subscription)

    async def kill(self) -> None:
        """Delete the Job, in the foreground, if it is this try's."""
        uid = self.uid
        if uid is None:
            try:
                found = await self._client.get_job(self.namespace, self.name)
            except errors.NotFoundError:
                return
            if not naming.is_ours(found, self._job):
                return
            uid = found["metadata"]["uid"]
        await self._delete(uid, foreground=True)
        self._log.info(f"Deleted Job {self.namespace}/{self.name}, because the task was stopped")

    async def _follow(self, subscription: Subscription, logs: JobLogs) -> Verdict:
        """Wait for the verdict; write each change of what holds the Job up."""
        started = asyncio.get_running_loop().time()
        while True:
            await subscription.wait(self._patience(subscription.pods))
            logs.follow()
            job = await self._current(subscription)
            verdict = verdict_of(job)
            if verdict is not None and verdict.settled:
                return verdict
            if self._is_late():
                await self._stop_late(logs)
            if verdict is None and not is_suspended(job):
                waited = asyncio.get_running_loop().time() - started
                await self._diagnose(subscription.pods, waited)
            with contextlib.suppress(errors.ClusterError):
                # Whatever ails the API server, the watch tells when it is over; it is no verdict on the Job.
                await subscription.refresh_if_stale()

    async def _current(self, subscription: Subscription) -> Json:
        """Return the Job; make sure of it with the API server before calling it gone."""
        job = subscription.job or await _persistently(subscription.refresh, CONFIRM_SECONDS)
        if job is None:
            raise errors.JobFailedError(
                f"Job {self.namespace}/{self.name} was deleted while the task waited for it. "
                "Clear the task to run it again; to stop a Job for good, mark its task failed."
            )
        if job["metadata"].get("uid") != self.uid:
            raise errors.JobFailedError(
                f"Job {self.namespace}/{self.name} was deleted and another one was created under its name. "
                "Find out who did (kubectl get events), then clear the task."
            )
        return job

    async def _diagnose(self, pods: Sequence[Json], waited_seconds: float) -> None:
        if not pods and waited_seconds > POD_EXPECTED_SECONDS:
            await self._load_events()
        found = diagnose(pods, [] if pods else self._events, datetime.now(UTC))
        if found is None:
            self._found = None
            return
        if self._found is None or found.advice != self._found.advice:
            self._log.warning(f"Job {self.namespace}/{self.name} waits. {found}")
        self._found = found
        if found.fatal:
            await self._give_up(found)

    async def _give_up(self, found: Diagnosis) -> None:
        if self.uid is not None and self._delete_policy in (DeletePolicy.ALWAYS, DeletePolicy.ON_FAILURE):
            await self._delete(self.uid, foreground=False)
        elif self.uid is not None:
            # Keep it for people to look at, but let it never start behind the failed task's back.
            await self._quietly("suspend", {"spec": {"suspend": True}})
        raise errors.JobFailedError(f"Job {self.namespace}/{self.name} cannot start. {found}")

    async def _load_events(self) -> None:
        """Read the Job's events at most twice a minute; only a Job without Pods needs them."""
        now = asyncio.get_running_loop().time()
        if now - self._events_at < TICK_SECONDS and self._events_at:
            return
        self._events_at = now
        try:
            self._events = await self._client.list_events(self.namespace, "Job", self.name)
        except errors.ClusterError as error:
            self._log.info(f"Cannot read the Job's events: {error}")

    def _patience(self, pods: Sequence[Json]) -> float:
        """Return how long to wait for news: less while there is no Pod, whose absence only the clock tells."""
        tick = TICK_SECONDS if pods else POD_EXPECTED_SECONDS + 0.5
        if self._deadline is None:
            return tick
        left = (self._deadline - datetime.now(UTC)).total_seconds()
        return min(tick, max(0.05, left))

    def _is_late(self) -> bool:
        return self._deadline is not None and datetime.now(UTC) >= self._deadline

    async def _stop_late(self, logs: JobLogs) -> None:
        """Stop the Job before Airflow gives up on the trigger: Airflow 3.3.2 would cancel it without a word to us."""
        if self.uid is not None:
            await self._delete(self.uid, foreground=True)
        await logs.drain(LATE_DRAIN_SECONDS)
        raise errors.JobFailedError(
            f"Job {self.namespace}/{self.name} was stopped: the task's execution_timeout is over. "
            + (f"It waited: {self._found}" if self._found else "Raise execution_timeout, or make the Job faster.")
        )

    async def _hear_the_last(self, subscription: Subscription) -> None:
        """Wait until the Pods' own ends are known, so that no container's log is missed."""
        end = asyncio.get_running_loop().time() + LAST_NEWS_SECONDS
        while not _pods_have_ended(subscription) and asyncio.get_running_loop().time() < end:
            await subscription.wait(0.5)

    async def _conclude(self, verdict: Verdict, pods: Sequence[Json]) -> Result:
        job = f"{self.namespace}/{self.name}"
        if verdict.outcome is Outcome.SUCCEEDED:
            self._log.info(f"Job {job} succeeded")
            return Result(verdict.outcome, job, "")
        message = f"Job {job} failed: {verdict.explain()}"
        self._log.error(message)
        findings = explain_failure(pods)
        if not findings:
            await self._load_events()
            findings = [f"Event {each.get('reason')}: {each.get('message')}" for each in self._events[-5:]]
        for finding in findings:
            self._log.error(finding)
        return Result(verdict.outcome, job, "; ".join([message, *findings[:1]]))

    async def _tidy(self, job: Json | None, verdict: Verdict) -> None:
        """Have Kubernetes remove the Job a few minutes from now.

        Not at once: between here and the moment when Airflow has stored the task's end, this process may die. Whoever
        takes over must find the finished Job, or would run it a second time.
        """
        if not self._delete_policy.removes(verdict.outcome):
            return
        set_already = ((job or {}).get("spec") or {}).get("ttlSecondsAfterFinished")
        if set_already is None or set_already > TTL_SECONDS:
            await self._quietly("remove", {"spec": {"ttlSecondsAfterFinished": TTL_SECONDS}})

    async def _delete(self, uid: str, *, foreground: bool) -> None:
        async def delete() -> None:
            await self._client.delete_job(self.namespace, self.name, uid, foreground=foreground)

        try:
            await _persistently(delete, CALL_PATIENCE_SECONDS)
        except errors.ClusterError as error:
            self._log.warning(f"The Job may still run, delete it by hand: {error}")

    async def _quietly(self, what: str, patch: Json) -> None:
        async def change() -> Json:
            return await self._client.patch_job(self.namespace, self.name, patch)

        try:
            await _persistently(change, CALL_PATIENCE_SECONDS)
        except errors.NotFoundError:
            return
        except errors.ClusterError as error:
            self._log.warning(f"Cannot {what} the Job, do it by hand: {error}")


async def _persistently(call: Callable[[], Awaitable[Answer]], seconds: float) -> Answer:
    """Make a call, again and again while the API server is away, for so long."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await call()
        except errors.ClusterError as error:
            if not is_passing(error) or asyncio.get_running_loop().time() > end:
                raise
        await asyncio.sleep(RETRY_PAUSE_SECONDS)


def _runs_many_pods(job: Json) -> bool:
    spec = job.get("spec") or {}
    return any(isinstance(spec.get(key), int) and spec[key] > 1 for key in ("completions", "parallelism"))


def _pods_have_ended(subscription: Subscription) -> bool:
    """Tell whether as many Pods as the Job counts have been seen to end; about logs only, never about the verdict."""
    status = (subscription.job or {}).get("status") or {}
    counted = int(status.get("succeeded") or 0) + int(status.get("failed") or 0)
    ended = 0
    for pod in subscription.pods:
        statuses = [status for _, status in container_statuses(pod)]
        if any("running" in (each.get("state") or {}) for each in statuses):
            return False
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            ended += 1
    return ended >= counted
