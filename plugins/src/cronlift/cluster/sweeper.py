"""Find the Jobs that nobody waits for any more, and delete them on request.

Jobs are read before Airflow's database: a Job that appears between the two is not looked at, and a task that ended
between the two is judged by its newer state. Right before a deletion both are read again.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum

from cronlift.cluster.client import Json, KubernetesClient
from cronlift.errors import ClusterError, DatabaseError, JobError, NotFoundError
from cronlift.job import orphans
from cronlift.job.naming import TaskIdentity, selector
from cronlift.job.orphans import TaskKey, TaskRecord, task_key

ReadRecords = Callable[[Sequence[TaskIdentity]], Mapping[TaskKey, TaskRecord]]
"""Looks task instances up in Airflow's database; blocking."""


class Fate(Enum):
    """What becomes of a live Job."""

    YOUNG = "young"
    WANTED = "wanted"
    HELD = "held"
    UNCLEAR = "unclear"
    ORPHAN = "orphan"
    DELETED = "deleted"
    SPARED = "spared"
    FAILED = "failed"


@dataclass(frozen=True)
class Place:
    """A namespace in which Jobs run.

    Args:
        namespace: Its name.
        client: Acts as the team's launcher there.
        cluster: Name of the other cluster that it is on; empty for our own.
    """

    namespace: str
    client: KubernetesClient
    cluster: str = ""


@dataclass(frozen=True)
class Sighting:
    """A live Job, and what is to be thought of it.

    Args:
        place: Where it is.
        name: Its name.
        uid: Its uid.
        age: Since its creation.
        fate: What becomes of it.
        why: The reason in words; empty when somebody waits for it.
        identity: Whose it is; None when that cannot be read.
    """

    place: Place
    name: str
    uid: str
    age: timedelta
    fate: Fate
    why: str = ""
    identity: TaskIdentity | None = None


class Sweeper:
    """Looks for orphans of one deployment.

    Args:
        deployment: `<namespace>/<release>`; other deployments' Jobs are not looked at.
        read_records: Looks task instances up.
        min_age: Younger Jobs are left alone.
    """

    def __init__(self, deployment: str, read_records: ReadRecords, min_age: timedelta) -> None:
        self._deployment, self._read_records, self._min_age = deployment, read_records, min_age

    async def look(self, places: Iterable[Place]) -> tuple[list[Sighting], list[ClusterError]]:
        """Judge every live Job.

        Returns:
            The Jobs, and the errors of the places that could not be looked at.

        Raises:
            DatabaseError: What the tasks do is not known, so nothing can be said. Not raised while there is nothing
                to look up.
        """
        found: list[tuple[Sighting, Json]] = []
        errors: list[ClusterError] = []
        for place in places:
            try:
                jobs = await place.client.list_jobs(place.namespace, selector(self._deployment))
            except ClusterError as error:
                errors.append(error)
            else:
                found += [(self._first_look(place, job), job) for job in jobs if orphans.is_live(job)]
        doubtful = [seen.identity for seen, _ in found if seen.fate is Fate.WANTED and seen.identity is not None]
        records = await asyncio.to_thread(self._read_records, doubtful) if doubtful else {}
        return [_judge(seen, job, records) for seen, job in found], errors

    async def remove(self, orphan: Sighting) -> Sighting:
        """Delete an orphan with its Pods, unless a second look shows that it is none any more.

        Returns:
            The same Job: deleted, spared or, when the second look or the deletion was not possible, failed.
        """
        place, identity = orphan.place, orphan.identity
        if orphan.fate is not Fate.ORPHAN or identity is None:
            raise ValueError(f"Job {place.namespace}/{orphan.name} is no orphan but {orphan.fate.value}")
        try:
            job = await place.client.get_job(place.namespace, orphan.name)
            if job["metadata"]["uid"] != orphan.uid or not orphans.is_live(job):
                return replace(orphan, fate=Fate.SPARED, why="it ended meanwhile")
            seen = _judge(replace(orphan, fate=Fate.WANTED, why=""), job, await self._record_of(identity))
            if seen.fate is not Fate.ORPHAN:
                return replace(seen, fate=Fate.SPARED, why=seen.why or "its task goes on")
            await place.client.delete_job(place.namespace, orphan.name, orphan.uid, foreground=True)
        except NotFoundError:
            return replace(orphan, fate=Fate.SPARED, why="it is gone already")
        except (ClusterError, DatabaseError) as error:
            return replace(orphan, fate=Fate.FAILED, why=str(error))
        return replace(orphan, fate=Fate.DELETED)

    async def _record_of(self, identity: TaskIdentity) -> Mapping[TaskKey, TaskRecord]:
        return await asyncio.to_thread(self._read_records, [identity])

    def _first_look(self, place: Place, job: Json) -> Sighting:
        """Say what the Job alone tells; one that the database has to judge counts as wanted until then."""
        metadata = job["metadata"]
        seen = Sighting(
            place, metadata["name"], metadata["uid"], orphans.age_of(job, datetime.now(UTC)), fate=Fate.WANTED
        )
        try:
            seen = replace(seen, identity=orphans.read_identity(job, self._deployment))
        except JobError as error:
            return replace(seen, fate=Fate.UNCLEAR, why=str(error))
        return replace(seen, fate=Fate.YOUNG) if seen.age < self._min_age else seen


def _judge(seen: Sighting, job: Json, records: Mapping[TaskKey, TaskRecord]) -> Sighting:
    if seen.fate is not Fate.WANTED or seen.identity is None:
        return seen
    record = records.get(task_key(seen.identity))
    try:
        why = orphans.why_orphaned(seen.identity, record)
    except JobError as error:
        return replace(seen, fate=Fate.UNCLEAR, why=str(error))
    if why is None:
        return seen
    held = orphans.is_held(job, record, datetime.now(UTC))
    return replace(seen, fate=Fate.HELD if held else Fate.ORPHAN, why=why)
