"""Start a try's Job exactly once: clean up after smaller tries, create, and adopt what an earlier attempt created."""

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC, datetime

from cronlift import errors
from cronlift.cluster.client import Json, KubernetesClient
from cronlift.cluster.companions import Companions, awaits_companions, job_to_create
from cronlift.cluster.options import TaskLog
from cronlift.cluster.patience import asked_pause, is_passing
from cronlift.cluster.removal import Removal
from cronlift.job import naming
from cronlift.job.conditions import verdict_of
from cronlift.job.naming import TaskIdentity
from cronlift.job.objects import Objects

# How long to go on trying while the API server is away; a control plane upgrade takes minutes.
PATIENCE_SECONDS = 900.0
# Rights may be away while a Role is applied anew; that nobody ever gave them should show soon.
RIGHTS_PATIENCE_SECONDS = 120.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 20.0
# How long a Job that is being deleted may take to go: its Pods' grace period, and a slow node.
DELETION_SECONDS = 300.0
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Started:
    """A Job that is there.

    Args:
        job: As the API server has it.
        adopted: Whether an earlier attempt created it.
    """

    job: Json
    adopted: bool


class Starter:
    """Creates or adopts Jobs, with their companions.

    Args:
        client: Calls as the team's launcher.
        removal: Deletes a Job that never may start, because a companion was refused.
        log: The task's log.
        deadline: When to stop trying; None for the default patience.
        start_timeout_seconds: How long to wait while a quota is used up; None for ever.
    """

    def __init__(
        self,
        client: KubernetesClient,
        removal: Removal,
        log: TaskLog,
        deadline: datetime | None = None,
        start_timeout_seconds: float | None = None,
    ) -> None:
        self._client, self._removal, self._log, self._deadline = client, removal, log, deadline
        self._start_timeout = start_timeout_seconds
        self._companions = Companions(client, log)
        self._incomplete: str | None = None

    async def start(self, objects: Objects, identity: TaskIdentity) -> Started:
        """Make sure that the Job of a try exists, once, with all that it needs.

        Args:
            objects: As `build_objects` made them.
            identity: The try.

        Raises:
            JobConflictError: The name of the Job, or of a companion, is taken by something else.
            JobFailedError: The API server refused a companion.
            ClusterError: The API server refused the Job, or was away for too long.
        """
        loop = asyncio.get_running_loop()
        began, pause = loop.time(), FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._start(objects, identity)
            except errors.CronliftError as error:
                patience = self._patience(error)
                if loop.time() + pause > began + patience or self._is_late():
                    if self._incomplete is not None:
                        await self._removal.delete(self._incomplete, foreground=False)
                    raise
                if pause == FIRST_PAUSE_SECONDS:
                    self._log.warning(f"{error}. {_prospect(error, patience)}")
                asked = asked_pause(error)
            await asyncio.sleep(max(pause, asked))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _patience(self, error: errors.CronliftError) -> float:
        """Return for how many seconds to go on after an error, counted from the start; 0 to give up.

        A quota that is used up is no fault but a queue: others of the team run. Only the task's own limits end that.
        """
        if is_used_up(error):
            return self._start_timeout or math.inf
        if is_right_missing(error):
            return RIGHTS_PATIENCE_SECONDS
        passes = isinstance(error, errors.ClusterError) and _may_pass(error)
        return PATIENCE_SECONDS if passes else 0.0

    async def _start(self, objects: Objects, identity: TaskIdentity) -> Started:
        if identity.try_number > 1:
            await self._end_smaller_tries(objects.job["metadata"]["namespace"], identity)
        started = await self._create_or_adopt(objects)
        if not awaits_companions(started.job):
            return started
        self._incomplete = started.job["metadata"]["uid"]
        job = await self._companions.complete(started.job, objects.companions)
        self._incomplete = None
        return Started(job, started.adopted)

    async def _create_or_adopt(self, objects: Objects) -> Started:
        job = job_to_create(objects)
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        try:
            created = await self._client.create_job(namespace, job)
        except errors.ConflictError as conflict:
            found = await self._found_under(namespace, name)
            if found is not None and naming.is_ours(found, objects.job):
                self._log.info(f"Found Job {namespace}/{name} of this try, and go on with it")
                return Started(found, adopted=True)
            if found is not None and not naming.is_leftover(found, objects.job):
                raise errors.JobConflictError(_conflict(found, job)) from conflict
            if found is not None:
                await self._clear_away(found)
            created = await self._client.create_job(namespace, job)
        self._log.info(f"Created Job {namespace}/{name}")
        return Started(created, adopted=False)

    async def _clear_away(self, leftover: Json) -> None:
        """Delete what a deleted run of the same run id left, and wait until its Pods are gone."""
        namespace, name = leftover["metadata"]["namespace"], leftover["metadata"]["name"]
        self._log.warning(
            f"Job {namespace}/{name} is left from a run that was deleted and had the same run id, deleting it first"
        )
        await self._client.delete_job(namespace, name, leftover["metadata"]["uid"], foreground=True)
        await self._found_under(namespace, name)

    async def _found_under(self, namespace: str, name: str) -> Json | None:
        """Return the Job that has the name; wait for one that is being deleted to go, and return None."""
        end = asyncio.get_running_loop().time() + DELETION_SECONDS
        while True:
            try:
                found = await self._client.get_job(namespace, name)
            except errors.NotFoundError:
                return None
            if not found["metadata"].get("deletionTimestamp"):
                return found
            if asyncio.get_running_loop().time() > end or self._is_late():
                raise errors.JobConflictError(
                    f"Job {namespace}/{name} is in deletion and does not go. "
                    "Look for Pods that do not end, or finalizers: kubectl describe job."
                )
            await asyncio.sleep(POLL_SECONDS)

    async def _end_smaller_tries(self, namespace: str, identity: TaskIdentity) -> None:
        """Delete live Jobs of earlier tries and wait until they are gone, so that no two tries run at once."""
        selector = f"{naming.LABEL_TASK_INSTANCE}={naming.task_instance_hash(identity)}"
        for job in await self._client.list_jobs(namespace, selector):
            labels, name = job["metadata"].get("labels") or {}, job["metadata"]["name"]
            verdict = verdict_of(job)
            finished = verdict is not None and verdict.settled
            if int(labels.get(naming.LABEL_TRY, "0")) >= identity.try_number or finished:
                continue
            self._log.warning(
                f"Job {namespace}/{name} of try {labels.get(naming.LABEL_TRY)} still runs, deleting it first"
            )
            await self._client.delete_job(namespace, name, job["metadata"]["uid"], foreground=True)
            await self._found_under(namespace, name)

    def _is_late(self) -> bool:
        return self._deadline is not None and datetime.now(UTC) >= self._deadline


def _may_pass(error: errors.ClusterError) -> bool:
    """Tell whether to try to start again; a conflict is a race, with another Job's going or with the quota's count."""
    return is_passing(error) or isinstance(error, errors.ConflictError)


def is_used_up(error: errors.CronliftError) -> bool:
    """Tell whether the API server refused because a ResourceQuota is used up."""
    return isinstance(error, errors.ForbiddenError) and "exceeded quota" in error.message


def is_right_missing(error: errors.CronliftError) -> bool:
    """Tell whether the API server refused because of RBAC, and not because of what was asked."""
    return isinstance(error, errors.ForbiddenError) and "cannot " in error.message and "User " in error.message


def _prospect(error: errors.CronliftError, patience_seconds: float) -> str:
    if is_used_up(error):
        return "The task waits until others of the team have ended; raise the quota in teams.yaml if that is too long"
    cure = "`cronlift doctor` prints the Role that is missing. " if is_right_missing(error) else ""
    return f"{cure}Will go on trying for {patience_seconds / 60:.0f} minutes"


def _conflict(found: Json, wanted: Json) -> str:
    name = f"{wanted['metadata']['namespace']}/{wanted['metadata']['name']}"
    have, want = (each["metadata"].get("annotations") or {} for each in (found, wanted))

    def described(annotations: Json) -> str:
        keys = ("deployment", "dag-id", "run-id", "task-id", "map-index", "try-number", "spec-hash")
        return ", ".join(f"{key} {annotations.get(naming.ANNOTATION_PREFIX + key, 'none')}" for key in keys)

    return (
        f"Job {name} exists already and is not this task's. It has {described(have)}; this task has {described(want)}. "
        "Delete that Job if nobody needs it, then clear the task."
    )
