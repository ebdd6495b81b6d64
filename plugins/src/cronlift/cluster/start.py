"""Start a try's Job exactly once: clean up after smaller tries, create, and adopt what an earlier attempt created."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cronlift import errors
from cronlift.cluster.client import Json, KubernetesClient
from cronlift.job import naming
from cronlift.job.conditions import verdict_of
from cronlift.job.naming import TaskIdentity

if TYPE_CHECKING:
    from cronlift.cluster.options import TaskLog

# How long to go on trying while the API server is away; a control plane upgrade takes minutes.
PATIENCE_SECONDS = 900.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 20.0
# How long a Job that is being deleted may take to go: its Pods' grace period, and a slow node.
DELETION_SECONDS = 300.0
POLL_SECONDS = 1.0


class Starter:
    """Creates or adopts Jobs.

    Args:
        client: Calls as the team's launcher.
        log: The task's log.
        deadline: When to stop trying; None for the default patience.
    """

    def __init__(self, client: KubernetesClient, log: "TaskLog", deadline: datetime | None = None) -> None:
        self._client, self._log, self._deadline = client, log, deadline

    async def start(self, job: Json, identity: TaskIdentity) -> Json:
        """Make sure that the Job of a try exists, once.

        Args:
            job: As `build_job` made it.
            identity: The try.

        Returns:
            The Job as the API server has it.

        Raises:
            JobConflictError: The name is taken by something else.
            ClusterError: The API server refused, or was away for too long.
        """
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + PATIENCE_SECONDS, FIRST_PAUSE_SECONDS
        while True:
            try:
                if identity.try_number > 1:
                    await self._end_smaller_tries(job["metadata"]["namespace"], identity)
                return await self._create_or_adopt(job)
            except errors.ClusterError as error:
                if not is_passing(error) or loop.time() + pause > end or self._is_late():
                    raise
                if pause == FIRST_PAUSE_SECONDS:
                    self._log.warning(f"{error}. Will go on trying for {PATIENCE_SECONDS / 60:.0f} minutes")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _create_or_adopt(self, job: Json) -> Json:
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        try:
            created = await self._client.create_job(namespace, job)
        except errors.ConflictError as conflict:
            found = await self._found_under(namespace, name)
            if found is None:
                return await self._client.create_job(namespace, job)
            if not naming.is_ours(found, job):
                raise errors.JobConflictError(_conflict(found, job)) from conflict
            self._log.info(f"Found Job {namespace}/{name} of this try, and go on with it")
            return found
        self._log.info(f"Created Job {namespace}/{name}")
        return created

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
            if asyncio.get_running_loop().time() > end:
                raise errors.JobConflictError(
                    f"Job {namespace}/{name} has been in deletion for {DELETION_SECONDS:.0f} s. "
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


def is_passing(error: errors.ClusterError) -> bool:
    """Tell an error that may be gone in a minute from one that somebody has to put right."""
    if isinstance(error, errors.ApiError):
        return error.code in (401, 429) or error.code >= 500
    return isinstance(error, errors.ConnectionLostError)


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
