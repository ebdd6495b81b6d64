"""The life of one task's Job: create or adopt, follow, read its logs to the end, explain, tidy.

It knows nothing of Airflow: a trigger gives it the Job and a place to write, and gets a `Result`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from cronlift import errors
from cronlift.cluster.client import Json, KubernetesClient
from cronlift.cluster.container_log import container_statuses
from cronlift.cluster.failure import report_failure
from cronlift.cluster.logs import JobLogs
from cronlift.cluster.metrics import DETECTION_SECONDS, JOBS_ENDED, START_SECONDS, Metrics, NullMetrics
from cronlift.cluster.options import DeletePolicy, LifeOptions, Result, TaskLog
from cronlift.cluster.patience import persistently
from cronlift.cluster.removal import Removal
from cronlift.cluster.results import Results
from cronlift.cluster.start import Started, Starter
from cronlift.cluster.waiting import Waiting
from cronlift.cluster.watch import SharedWatch, Subscription
from cronlift.job import naming
from cronlift.job.conditions import Outcome, Verdict, verdict_of
from cronlift.job.loglines import Capped, Tail
from cronlift.job.naming import TaskIdentity
from cronlift.job.objects import Objects
from cronlift.job.result import gives_list

__all__ = ["DeletePolicy", "JobLife", "LifeOptions", "Result", "TaskLog"]

# After the Job's end, how long to wait for the last news of its Pods before their logs are taken as they are.
LAST_NEWS_SECONDS = 5.0
LATE_DRAIN_SECONDS = 3.0
# How long to go on asking whether a Job that the watch calls gone is really gone: no answer is no verdict.
CONFIRM_SECONDS = 3600.0
MOST_JOB_EVENTS = 5


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
        metrics: Where measurements go; None for nowhere.

    Attributes:
        on_created: Awaited once with the Job, when it was created or adopted; what it raises is only written.
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
        self.namespace: str = objects.job["metadata"]["namespace"]
        self.name: str = objects.job["metadata"]["name"]
        self.uid: str | None = None
        self._removal = Removal(client, self.namespace, self.name, options.delete_policy, log)
        self._results = Results(options.result_from) if options.result_from is not None else None
        output = Capped(log.output)
        self._tail = Tail(output, options.tail_lines, options.tail_every_seconds) if options.tail_lines else None
        self._output = self._tail or output
        self._pods_seen: set[str] = set()

    async def run(self) -> Result:
        """Run the Job to its end.

        Raises:
            JobConflictError: Its name, or a companion's, is taken by something else.
            JobFailedError: It was deleted, ran out of time, or never could start.
            ClusterError: The API server refused to create it.
        """
        try:
            result = await self._run()
        except errors.CronliftError:
            self._metrics.count(JOBS_ENDED, outcome=Outcome.FAILED.value)
            raise
        self._metrics.count(JOBS_ENDED, outcome=result.outcome.value)
        return result

    async def kill(self) -> None:
        """Delete the Job, in the foreground, if it is this try's."""
        uid = self.uid
        if uid is None:
            try:
                found = await self._client.get_job(self.namespace, self.name)
            except errors.NotFoundError:
                return
            if not naming.is_ours(found, self._objects.job):
                return
            uid = found["metadata"]["uid"]
        await self._removal.delete(uid, foreground=True)
        self._log.info(f"Deleted Job {self.namespace}/{self.name}, because the task was stopped")

    async def _run(self) -> Result:
        began = asyncio.get_running_loop().time()
        starter = Starter(self._client, self._removal, self._log, self._deadline)
        started = await starter.start(self._objects, self._identity)
        self.uid = started.job["metadata"]["uid"]
        await self._tell_created(started.job)
        subscription = self._watch.subscribe(self.name, seed=started.job)
        logs = self._open_logs(subscription, started.job)
        self._objects = Objects({})  # a manifest may be large, and a task may wait for days
        try:
            verdict = await self._follow(subscription, logs, started, began)
            await self._hear_the_last(subscription, verdict)
            if logs is not None:
                await logs.drain()
            result = await self._conclude(verdict, subscription)
            await self._removal.tidy(subscription.job, result.outcome)
            return result
        finally:
            if logs is not None:
                await logs.stop()
            self._watch.unsubscribe(subscription)

    async def _tell_created(self, job: Json) -> None:
        if self.on_created is None:
            return
        try:
            await self.on_created(job)
        except Exception as error:  # a link, say; the Job runs
            self._log.warning(f"Cannot tell of the Job's creation: {type(error).__name__}: {error}")

    def _open_logs(self, subscription: Subscription, job: Json) -> JobLogs | None:
        if not self._options.reads_logs:
            return None
        marked = self._results.lines if self._results is not None else None
        return JobLogs(
            self._client, self.namespace, subscription, self._output, marked=marked, many_pods=_runs_many_pods(job)
        )

    async def _follow(
        self, subscription: Subscription, logs: JobLogs | None, started: Started, began: float
    ) -> Verdict:
        """Wait for the verdict; write each change of what holds the Job up."""
        waiting = Waiting(
            self._client, started.job, self._log, self._options.start_timeout_seconds, adopted=started.adopted
        )
        looks = 0
        while True:
            await subscription.wait(self._patience(waiting, subscription))
            if logs is not None:
                logs.follow()
            job, pods = await self._current(subscription), subscription.pods
            self._note(pods, waiting, None if started.adopted else began)
            verdict = verdict_of(job)
            looks += 1
            if verdict is not None and verdict.settled:
                self._note_detection(job, was_over=started.adopted and looks == 1)
                return verdict
            if self._is_late():
                await self._stop_late(waiting, logs)
            if verdict is None and (useless := await waiting.look(job, pods)) is not None:
                await self._give_up(useless)
            if self._tail is not None:
                self._tail.tick(asyncio.get_running_loop().time())
            with contextlib.suppress(errors.ClusterError):
                # Whatever ails the API server, the watch tells when it is over; it is no verdict on the Job.
                await subscription.refresh_if_stale()

    def _note(self, pods: Sequence[Json], waiting: Waiting, began: float | None) -> None:
        """Take note of Pods before they are gone."""
        self._pods_seen.update(pod["metadata"]["name"] for pod in pods)
        if self._results is not None:
            self._results.look(pods)
        had_started = waiting.has_started
        waiting.note_start(pods)
        if waiting.has_started and not had_started and began is not None:
            self._metrics.timing(START_SECONDS, asyncio.get_running_loop().time() - began)

    def _note_detection(self, job: Json, *, was_over: bool) -> None:
        ended = _ended_at(job)
        if ended is not None and not was_over:
            self._metrics.timing(DETECTION_SECONDS, max(0.0, (datetime.now(UTC) - ended).total_seconds()))

    async def _current(self, subscription: Subscription) -> Json:
        """Return the Job; make sure of it with the API server before calling it gone."""
        job = subscription.job or await persistently(subscription.refresh, CONFIRM_SECONDS, passes=_any_error)
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

    async def _give_up(self, why: str) -> None:
        if self.uid is not None:
            await self._removal.give_up(self.uid)
        raise errors.JobFailedError(f"Job {self.namespace}/{self.name} cannot start. {why}")

    def _patience(self, waiting: Waiting, subscription: Subscription) -> float:
        """Return how long to wait for news before looking at the clock."""
        patience = waiting.patience(subscription.pods)
        if self._tail is not None and self._options.tail_every_seconds is not None:
            patience = min(patience, self._options.tail_every_seconds)
        if self._deadline is not None:
            patience = min(patience, (self._deadline - datetime.now(UTC)).total_seconds())
        return max(0.05, patience)

    def _is_late(self) -> bool:
        return self._deadline is not None and datetime.now(UTC) >= self._deadline

    async def _stop_late(self, waiting: Waiting, logs: JobLogs | None) -> None:
        """Stop the Job before Airflow gives up on the trigger: Airflow 3.3.2 would cancel it without a word to us."""
        if self.uid is not None:
            await self._removal.delete(self.uid, foreground=True)
        if logs is not None:
            await logs.drain(LATE_DRAIN_SECONDS)
        raise errors.JobFailedError(
            f"Job {self.namespace}/{self.name} was stopped: the task's execution_timeout is over. "
            + (f"It waited: {waiting.found}" if waiting.found else "Raise execution_timeout, or make the Job faster.")
        )

    async def _hear_the_last(self, subscription: Subscription, verdict: Verdict) -> None:
        """Wait until the Pods' own ends are known, so that no container's log, message or exit code is missed."""
        wanted = self._options.reads_logs or self._results is not None or verdict.outcome is Outcome.FAILED
        end = asyncio.get_running_loop().time() + LAST_NEWS_SECONDS
        while wanted and not self._pods_have_ended(subscription) and asyncio.get_running_loop().time() < end:
            await subscription.wait(0.5)
            self._pods_seen.update(pod["metadata"]["name"] for pod in subscription.pods)

    def _pods_have_ended(self, subscription: Subscription) -> bool:
        """Tell whether as many Pods as the Job counts have ended or gone; about logs only, never about the verdict."""
        status = (subscription.job or {}).get("status") or {}
        counted = int(status.get("succeeded") or 0) + int(status.get("failed") or 0)
        pods = subscription.pods
        for pod in pods:
            if any("running" in (each.get("state") or {}) for _, each in container_statuses(pod)):
                return False
        ended = [pod for pod in pods if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")]
        return len(ended) + len(self._pods_seen) - len(pods) >= counted

    async def _conclude(self, verdict: Verdict, subscription: Subscription) -> Result:
        job, pods = f"{self.namespace}/{self.name}", subscription.pods
        if verdict.outcome is Outcome.FAILED:
            return await self._conclude_failure(verdict, pods)
        if self._results is None:
            self._log.info(f"Job {job} succeeded")
            return Result(verdict.outcome, job, "")
        self._results.look(pods)
        try:
            value: Any = self._results.value(subscription.job or {})
        except errors.ResultError as error:
            message = f"Job {job} succeeded, but the task fails for want of its result. {error}"
            self._log.error(message)
            return Result(Outcome.FAILED, job, message)
        self._log.info(f"Job {job} succeeded and gave a result")
        return Result(verdict.outcome, job, "", value, has_value=True)

    async def _conclude_failure(self, verdict: Verdict, pods: Sequence[Json]) -> Result:
        """Write why, the most telling first."""
        job = f"{self.namespace}/{self.name}"
        message = f"Job {job} failed: {verdict.explain()}"
        self._log.error(message)
        hidden = not self._options.reads_logs or self._tail is not None
        findings = await report_failure(self._client, self._log, pods, with_lines=hidden)
        if not findings:
            findings = await self._job_events()
            for finding in findings:
                self._log.error(finding)
        may_retry = verdict.reason != "PodFailurePolicy"
        return Result(verdict.outcome, job, "; ".join([message, *findings[:1]]), may_retry=may_retry)

    async def _job_events(self) -> list[str]:
        try:
            events = await self._client.list_events(self.namespace, "Job", self.name)
        except errors.ClusterError:
            return []  # they only add to what is known
        return [f"Event {each.get('reason')}: {each.get('message')}" for each in events[-MOST_JOB_EVENTS:]]


def _any_error(error: errors.ClusterError) -> bool:
    """A right that was withdrawn, say, is no verdict on a Job that runs."""
    return True


def _runs_many_pods(job: Json) -> bool:
    spec = job.get("spec") or {}
    return gives_list(job) or int(spec.get("parallelism") or 1) > 1


def _ended_at(job: Json) -> datetime | None:
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("type") in ("Complete", "Failed") and condition.get("status") == "True":
            stamp = condition.get("lastTransitionTime")
            return datetime.fromisoformat(stamp) if stamp else None
    return None
