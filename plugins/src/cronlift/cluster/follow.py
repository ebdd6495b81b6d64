"""Follow a Job that is there to its verdict: wait for news, read its logs, say what holds it up."""

import asyncio
import contextlib
from datetime import UTC, datetime

from cronlift import errors
from cronlift.cluster.client import Json, KubernetesClient
from cronlift.cluster.container_log import container_statuses
from cronlift.cluster.failure import failed_containers
from cronlift.cluster.logs import JobLogs
from cronlift.cluster.metrics import DETECTION_SECONDS, START_SECONDS, Metrics
from cronlift.cluster.options import LifeOptions, TaskLog
from cronlift.cluster.patience import persistently
from cronlift.cluster.removal import Removal
from cronlift.cluster.results import Results
from cronlift.cluster.start import Started
from cronlift.cluster.waiting import Waiting
from cronlift.cluster.watch import Subscription
from cronlift.job.conditions import Outcome, Verdict, verdict_of
from cronlift.job.loglines import Capped, Tail
from cronlift.job.result import gives_list

# After the Job's end, how long to wait for the last news of its Pods before their logs are taken as they are.
LAST_NEWS_SECONDS = 5.0
LATE_DRAIN_SECONDS = 3.0
# Failed Pods that are kept in mind to explain a failure.
REMEMBERED_PODS = 10
# How long to go on asking whether a Job that the watch calls gone is really gone: no answer is no verdict.
CONFIRM_SECONDS = 3600.0


class Following:
    """One Job from when it is there to its end.

    Args:
        client: Reads logs, events, and what the watch must be doubted about.
        subscription: Tells of changes; the caller gives it back.
        started: The Job as it was created or adopted.
        options: What the task asks for.
        removal: Stops the Job.
        log: The task's log.
        metrics: Where measurements go.
        began: When the task came, by the event loop's clock.
        deadline: When to stop the Job and fail the task; None for never.

    Attributes:
        results: The Job's result as far as it is known; None when nobody wants one.
    """

    def __init__(
        self,
        client: KubernetesClient,
        subscription: Subscription,
        started: Started,
        options: LifeOptions,
        removal: Removal,
        log: TaskLog,
        metrics: Metrics,
        began: float,
        deadline: datetime | None = None,
    ) -> None:
        self._subscription, self._options, self._removal = subscription, options, removal
        self._metrics, self._began, self._deadline = metrics, began, deadline
        self._adopted = started.adopted
        self._uid: str = started.job["metadata"]["uid"]
        self._job = f"{started.job['metadata']['namespace']}/{started.job['metadata']['name']}"
        self._pods_seen: set[str] = set()
        self._failed: dict[str, Json] = {}
        self._waiting = Waiting(
            client,
            subscription.warnings,
            started.job,
            log,
            options.start_timeout_seconds,
            adopted=started.adopted,
        )
        self.results = Results(options.result_from) if options.result_from is not None else None
        output = Capped(log.output)
        self._tail = Tail(output, options.tail_lines, options.tail_every_seconds) if options.tail_lines else None
        self._logs = self._open_logs(client, started.job, self._tail or output) if options.reads_logs else None

    async def to_the_end(self) -> Verdict:
        """Wait for the verdict, and read what the Job printed to its last line.

        Raises:
            JobFailedError: It was deleted, ran out of time, or never could start.
        """
        verdict = await self._verdict()
        await self._hear_the_last(verdict)
        if self._logs is not None:
            await self._logs.drain()
        return verdict

    def pods(self) -> list[Json]:
        """Return the Job's Pods, oldest first, with those that failed and are gone: the Job controller deletes some."""
        pods = self._subscription.pods
        present = {pod["metadata"]["name"] for pod in pods}
        return [pod for name, pod in self._failed.items() if name not in present] + pods

    async def stop(self) -> None:
        """Stop reading logs, whatever happened."""
        if self._logs is not None:
            await self._logs.stop()

    def _open_logs(self, client: KubernetesClient, job: Json, output: Capped | Tail) -> JobLogs:
        marked = self.results.lines if self.results is not None else None
        many = gives_list(job) or int((job.get("spec") or {}).get("parallelism") or 1) > 1
        namespace = job["metadata"]["namespace"]
        return JobLogs(client, namespace, self._subscription, output, marked=marked, many_pods=many)

    async def _verdict(self) -> Verdict:
        was_over = self._adopted
        while True:
            await self._subscription.wait(self._patience())
            if self._logs is not None:
                self._logs.follow()
            job = await self._current()
            self._note_pods()
            verdict = verdict_of(job)
            if verdict is not None and verdict.settled:
                if not was_over:
                    self._measure_detection(job)
                return verdict
            was_over = False
            if self._is_late():
                await self._stop_late()
            if verdict is None:
                await self._look_for_hindrances(job)
            if self._tail is not None:
                self._tail.tick(asyncio.get_running_loop().time())
            with contextlib.suppress(errors.ClusterError):
                # Whatever ails the API server, the watch tells when it is over; it is no verdict on the Job.
                await self._subscription.refresh_if_stale()

    async def _current(self) -> Json:
        """Return the Job; make sure of it with the API server before calling it gone."""
        job = self._subscription.job
        if job is None:
            job = await persistently(self._subscription.refresh, CONFIRM_SECONDS, passes=_any_error)
        if job is None:
            raise errors.JobFailedError(
                f"Job {self._job} was deleted while the task waited for it. "
                "Clear the task to run it again; to stop a Job for good, mark its task failed."
            )
        if job["metadata"].get("uid") != self._uid:
            raise errors.JobFailedError(
                f"Job {self._job} was deleted and another one was created under its name. "
                "Find out who did (kubectl get events), then clear the task."
            )
        return job

    async def _look_for_hindrances(self, job: Json) -> None:
        useless = await self._waiting.look(job, self._subscription.pods)
        if useless is not None:
            await self._removal.give_up(self._uid)
            raise errors.JobFailedError(f"Job {self._job} cannot start. {useless}")

    def _note_pods(self) -> None:
        """Take note of Pods before they are gone."""
        pods = self._subscription.pods
        self._pods_seen.update(pod["metadata"]["name"] for pod in pods)
        for pod in pods:
            if failed_containers(pod):
                self._failed[pod["metadata"]["name"]] = pod
        while len(self._failed) > REMEMBERED_PODS:
            del self._failed[next(iter(self._failed))]
        if self.results is not None:
            self.results.look(pods)
        had_started = self._waiting.has_started
        self._waiting.note_start(pods)
        if self._waiting.has_started and not had_started and not self._adopted:
            self._metrics.timing(START_SECONDS, asyncio.get_running_loop().time() - self._began)

    def _measure_detection(self, job: Json) -> None:
        ended = _ended_at(job)
        if ended is not None:
            self._metrics.timing(DETECTION_SECONDS, max(0.0, (datetime.now(UTC) - ended).total_seconds()))

    def _patience(self) -> float:
        """Return how long to wait for news before looking at the clock."""
        patience = self._waiting.patience(self._subscription.pods)
        if self._tail is not None and self._options.tail_every_seconds is not None:
            patience = min(patience, self._options.tail_every_seconds)
        if self._deadline is not None:
            patience = min(patience, (self._deadline - datetime.now(UTC)).total_seconds())
        return max(0.05, patience)

    def _is_late(self) -> bool:
        return self._deadline is not None and datetime.now(UTC) >= self._deadline

    async def _stop_late(self) -> None:
        """Stop the Job before Airflow gives up on the trigger: Airflow 3.3.2 would cancel it without a word to us."""
        await self._removal.delete(self._uid, foreground=True)
        if self._logs is not None:
            await self._logs.drain(LATE_DRAIN_SECONDS)
        found = self._waiting.found
        raise errors.JobFailedError(
            f"Job {self._job} was stopped: the task's execution_timeout is over. "
            + (f"It waited: {found}" if found else "Raise execution_timeout, or make the Job faster.")
        )

    async def _hear_the_last(self, verdict: Verdict) -> None:
        """Wait until the Pods' own ends are known, so that no container's log, message or exit code is missed."""
        wanted = self._logs is not None or self.results is not None or verdict.outcome is Outcome.FAILED
        end = asyncio.get_running_loop().time() + LAST_NEWS_SECONDS
        while wanted and not self._pods_have_ended() and asyncio.get_running_loop().time() < end:
            await self._subscription.wait(0.5)
            self._note_pods()

    def _pods_have_ended(self) -> bool:
        """Tell whether as many Pods as the Job counts have ended or gone; about logs only, never about the verdict."""
        status = (self._subscription.job or {}).get("status") or {}
        counted = int(status.get("succeeded") or 0) + int(status.get("failed") or 0)
        pods = self._subscription.pods
        for pod in pods:
            if any("running" in (each.get("state") or {}) for _, each in container_statuses(pod)):
                return False
        ended = [pod for pod in pods if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")]
        return len(ended) + len(self._pods_seen) - len(pods) >= counted


def _any_error(error: errors.ClusterError) -> bool:
    """A right that was withdrawn, say, is no verdict on a Job that runs."""
    return True


def _ended_at(job: Json) -> datetime | None:
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("type") in ("Complete", "Failed") and condition.get("status") == "True":
            stamp = condition.get("lastTransitionTime")
            return datetime.fromisoformat(stamp) if stamp else None
    return None
