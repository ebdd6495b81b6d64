"""The life of one task's Job: create or adopt, follow, read its logs to the end, explain, tidy.

It knows nothing of Airflow: a trigger gives it the Job and a place to write, and gets a `Result`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from cronlift import errors
from cronlift.cluster.client import Json, KubernetesClient
from cronlift.cluster.ending import Ending
from cronlift.cluster.follow import Following
from cronlift.cluster.metrics import JOBS_ENDED, Metrics, NullMetrics
from cronlift.cluster.options import DeletePolicy, LifeOptions, Result, TaskLog
from cronlift.cluster.removal import Removal
from cronlift.cluster.start import Starter
from cronlift.cluster.watch import SharedWatch
from cronlift.job import naming
from cronlift.job.conditions import Outcome, verdict_of
from cronlift.job.naming import TaskIdentity
from cronlift.job.objects import Objects

__all__ = ["DeletePolicy", "JobLife", "LifeOptions", "Result", "TaskLog"]


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
        last_seen: The Job when it was last heard of, once `run` has ended; empty before.
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
        self.last_seen: Json = {}
        self._removal = Removal(client, self.namespace, self.name, options.delete_policy, log)

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
        """Delete the Job, in the foreground, if it is this try's and has not ended.

        One that has ended is left to its delete policy: another triggerer may have ended the task, while this one was
        taken for dead.
        """
        verdict = verdict_of(self.last_seen)
        if verdict is not None and verdict.settled:
            await self._removal.tidy(self.last_seen, verdict.outcome)
            return
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
        limit = self._options.start_timeout_seconds
        starter = Starter(self._client, self._removal, self._log, self._deadline, limit)
        started = await starter.start(self._objects, self._identity)
        self.uid = started.job["metadata"]["uid"]
        self._objects = Objects({})  # a manifest may be large, and a task may wait for days
        await self._tell_created(started.job)
        subscription = self._watch.subscribe(self.name, seed=started.job)
        following = Following(
            self._client,
            subscription,
            started,
            self._options,
            self._removal,
            self._log,
            self._metrics,
            began,
            self._deadline,
        )
        del started
        try:
            verdict = await following.to_the_end()
            ending = Ending(self._client, self._log, f"{self.namespace}/{self.name}", self._options, following.results)
            result = await ending.conclude(verdict, subscription.job or {}, following.pods())
            await self._removal.tidy(subscription.job, result.outcome)
            return result
        finally:
            self.last_seen = subscription.job or {}
            await following.stop()
            self._watch.unsubscribe(subscription)

    async def _tell_created(self, job: Json) -> None:
        if self.on_created is None:
            return
        try:
            await self.on_created(job)
        except Exception as error:  # a link, say; the Job runs
            self._log.warning(f"Cannot tell of the Job's creation: {type(error).__name__}: {error}")
