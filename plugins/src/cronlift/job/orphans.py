"""Which Jobs nobody waits for any more, judged by what Airflow says of their tasks.

A triggerer deletes the Job of a task that is stopped. One that is down cannot, and with two or more of them Airflow
3.3.2 may remove the trigger's row before any of them has heard of it. Such a Job runs on, and its task has ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cronlift.errors import JobError
from cronlift.job import naming
from cronlift.job.conditions import is_suspended, verdict_of
from cronlift.job.naming import ANNOTATION_PREFIX, TaskIdentity

TaskKey = tuple[str, str, str, int]
"""DAG id, run id, task id, map index: what a task instance is called whatever its try."""

# Somebody waits for the Job of a task in these states, or will as soon as it goes on.
WAITING_STATES = frozenset({"deferred", "running", "queued", "scheduled", "restarting", "up_for_reschedule"})
# Nobody does in these: the try is over, or was taken back (None: cleared, and not yet scheduled again).
ENDED_STATES = frozenset({"success", "failed", "skipped", "upstream_failed", "removed", "up_for_retry", None})
# A Job that could not start is suspended when its task fails, so that people can look at it. It runs nothing.
HELD_FOR = timedelta(days=1)
KUEUE_LABEL = "kueue.x-k8s.io/queue-name"


@dataclass(frozen=True)
class TaskRecord:
    """What Airflow's database says of a task instance at this moment.

    Args:
        state: Its state; None when it was cleared or never scheduled.
        try_number: The try that it is at.
        instance_id: Airflow's own id of that try.
    """

    state: str | None
    try_number: int
    instance_id: str = ""


def task_key(identity: TaskIdentity) -> TaskKey:
    """Return what Airflow finds a task instance by."""
    return identity.dag_id, identity.run_id, identity.task_id, identity.map_index


def is_live(job: Mapping[str, Any]) -> bool:
    """Tell whether a Job may still do work: it has not ended, and is not being deleted."""
    verdict = verdict_of(job)
    return not job["metadata"].get("deletionTimestamp") and (verdict is None or not verdict.settled)


def age_of(job: Mapping[str, Any], now: datetime) -> timedelta:
    """Return how long ago a Job was created."""
    return now - datetime.fromisoformat(job["metadata"]["creationTimestamp"])


def read_identity(job: Mapping[str, Any], deployment: str) -> TaskIdentity:
    """Read from a Job's annotations whose it is.

    Args:
        job: As the API server gives it.
        deployment: The deployment whose label it carries.

    Returns:
        The try that it was made for.

    Raises:
        JobError: The annotations do not say, or not consistently. A copy that somebody made by hand, under another
            name, is such a case: its annotations are another Job's.
    """
    metadata = job["metadata"]
    found = metadata.get("annotations") or {}

    def read(name: str) -> str:
        if not (value := found.get(ANNOTATION_PREFIX + name)):
            raise JobError(f"annotation {ANNOTATION_PREFIX}{name} is missing")
        return str(value)

    def number(name: str) -> int:
        try:
            return int(read(name))
        except ValueError as error:
            raise JobError(f"annotation {ANNOTATION_PREFIX}{name} is {read(name)!r}, no number") from error

    identity = TaskIdentity(
        deployment=read("deployment"),
        dag_id=read("dag-id"),
        run_id=read("run-id"),
        task_id=read("task-id"),
        map_index=number("map-index"),
        try_number=number("try-number"),
        instance_id=str(found.get(naming.ANNOTATION_INSTANCE, "")),
    )
    if identity.deployment != deployment:
        raise JobError(f"it is of deployment {identity.deployment}, though its label is that of {deployment}")
    if metadata["name"] != naming.job_name(identity):
        raise JobError(f"a Job with these annotations is called {naming.job_name(identity)}; is this one a copy?")
    return identity


def why_orphaned(identity: TaskIdentity, record: TaskRecord | None) -> str | None:
    """Say why nobody waits for a Job.

    Args:
        identity: The try that it was made for.
        record: What the database says; None when it has no such task instance.

    Returns:
        The reason in words; None when somebody waits.

    Raises:
        JobError: The state is none that we know, so nothing can be said.
    """
    if record is None:
        return "Airflow has no such task instance: its run was deleted"
    if record.try_number > identity.try_number:
        return f"its task is at try {record.try_number}, the Job is of try {identity.try_number}"
    if record.try_number < identity.try_number:
        return f"its run was deleted and made again: the task is at try {record.try_number} only"
    if record.state in ENDED_STATES:
        return f"its task is {record.state}" if record.state else "its task was cleared"
    if record.state not in WAITING_STATES:
        raise JobError(f"its task is in state {record.state!r}, which this version of cronlift does not know")
    both = identity.instance_id and record.instance_id
    # A task that is cleared while it runs gets its new id at once, and is stopped a little later.
    if both and identity.instance_id != record.instance_id and record.state != "restarting":
        return "its run was deleted and made again"
    return None


def is_held(job: Mapping[str, Any], record: TaskRecord | None, now: datetime) -> bool:
    """Tell whether an orphan is left for people to look at: it could not start, was suspended, and is of today.

    Args:
        job: A live Job that `why_orphaned` says something of.
        record: What the database says of its task.
        now: The present.
    """
    # A queue would let it run when its turn comes.
    queued = KUEUE_LABEL in (job["metadata"].get("labels") or {})
    failed = record is not None and record.state == "failed"
    return failed and is_suspended(job) and not queued and age_of(job, now) < HELD_FOR
