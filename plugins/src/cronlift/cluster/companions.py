"""Create what a manifest brings beside its Job: ConfigMaps, Secrets and PersistentVolumeClaims.

The Job is created first, suspended, so that it can own them: Kubernetes removes them with it. Only when all are there
may it start. An annotation on the Job says that they are still awaited, so whoever takes over knows what is left to do.
"""

import asyncio
from typing import Any

from cronlift import errors
from cronlift.cluster.client import FIELD_MANAGER, Json, KubernetesClient
from cronlift.cluster.options import TaskLog
from cronlift.cluster.patience import is_passing
from cronlift.job import naming
from cronlift.job.objects import Objects

# On a Job whose companions are not all there. Its value: whether to let the Job start once they are.
ANNOTATION_AWAITS = "cronlift.dev/awaits-companions"
_THEN_START, _THEN_NOTHING = "then-start", "then-nothing"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
# How long the companion of an earlier Job of our name may take to be collected as garbage; a claim waits for its Pods.
GOING_SECONDS = 120.0
POLL_SECONDS = 1.0


def job_to_create(objects: Objects) -> Json:
    """Return the Job as it is first created: suspended when it must wait for companions and nobody else resumes it.

    A Job that the manifest itself suspends is left so, and one of a queue is Kueue's to suspend and to resume.
    """
    if not objects.companions:
        return objects.job
    job, metadata, spec = dict(objects.job), dict(objects.job["metadata"]), dict(objects.job["spec"])
    ours_to_start = not spec.get("suspend") and QUEUE_LABEL not in (metadata.get("labels") or {})
    if ours_to_start:
        spec["suspend"] = True
    awaits = {ANNOTATION_AWAITS: _THEN_START if ours_to_start else _THEN_NOTHING}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **awaits}
    return {**job, "metadata": metadata, "spec": spec}


def awaits_companions(job: Json) -> bool:
    """Tell whether a Job that was found still waits for companions."""
    return ANNOTATION_AWAITS in (job["metadata"].get("annotations") or {})


class Companions:
    """Creates the companions of one Job.

    Args:
        client: Calls as the team's launcher.
        log: The task's log.
    """

    def __init__(self, client: KubernetesClient, log: TaskLog) -> None:
        self._client, self._log = client, log

    async def complete(self, job: Json, companions: tuple[Json, ...]) -> Json:
        """Create what is missing, then let the Job start.

        Args:
            job: The Job as the API server has it, which awaits them.
            companions: As `build_objects` made them.

        Returns:
            The Job as the API server has it now.

        Raises:
            JobConflictError: The name of one is taken by something else.
            JobFailedError: The API server refused one.
            ClusterError: The API server is away.
        """
        for companion in companions:
            try:
                await self._ensure(job, companion)
            except errors.ApiError as error:
                if is_passing(error):
                    raise
                raise errors.JobFailedError(
                    f"{_reference(job, companion)}, which Job {job['metadata']['name']} needs, was refused, so the Job "
                    f"was not started. {error}{_advice(error)}"
                ) from error
        then = (job["metadata"].get("annotations") or {}).get(ANNOTATION_AWAITS)
        patch: Json = {"metadata": {"annotations": {ANNOTATION_AWAITS: None}}}
        if then == _THEN_START:
            patch["spec"] = {"suspend": False}
        return await self._client.patch_job(job["metadata"]["namespace"], job["metadata"]["name"], patch)

    async def _ensure(self, job: Json, companion: Json) -> None:
        namespace, kind, name = job["metadata"]["namespace"], companion["kind"], companion["metadata"]["name"]
        if (companion["metadata"].get("annotations") or {}).get(naming.ANNOTATION_KEEP) == "true":
            await self._apply(job, companion)
            return
        body = _owned(companion, job)
        end = asyncio.get_running_loop().time() + GOING_SECONDS
        while True:
            try:
                await self._client.create_object(namespace, body)
            except errors.ConflictError as conflict:
                found = await self._found(namespace, kind, name)
                if found is not None and job["metadata"]["uid"] in _owner_uids(found):
                    return
                if found is not None and not _is_going(found, job):
                    raise errors.JobConflictError(_conflict(found, job, companion)) from conflict
                if asyncio.get_running_loop().time() > end:
                    raise errors.JobConflictError(
                        f"{_reference(job, companion)} of an earlier Job is still there after {GOING_SECONDS:.0f} s. "
                        f"Look for finalizers and Pods that use it: kubectl describe {kind.lower()} {name}."
                    ) from conflict
            else:
                self._log.info(f"Created {_reference(job, companion)}")
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _apply(self, job: Json, companion: Json) -> None:
        """Apply what outlives the Job; several tasks may share it."""
        try:
            applied = await self._client.apply_object(job["metadata"]["namespace"], companion)
        except errors.ConflictError as conflict:
            raise errors.JobConflictError(
                f"{_reference(job, companion)} is kept, and somebody else set fields of it to other values: "
                f"{conflict.message}. Take these fields out of the manifest, or give the object another name."
            ) from conflict
        if _owner_uids(applied):
            self._log.warning(
                f"{_reference(job, companion)} is marked as kept, but {_owners(applied)} owns it and takes it along. "
                "It was created before it was marked; delete it once, and the next run makes it anew."
            )
        self._log.info(f"Applied {_reference(job, companion)}, which outlives the Job")

    async def _found(self, namespace: str, kind: str, name: str) -> Json | None:
        try:
            return await self._client.get_object(namespace, kind, name)
        except errors.NotFoundError:
            return None  # it went in between, or the conflict was the quota's: try again


def _owned(companion: Json, job: Json) -> Json:
    metadata: dict[str, Any] = dict(companion["metadata"])
    metadata["ownerReferences"] = [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job["metadata"]["name"],
            "uid": job["metadata"]["uid"],
            "controller": False,
            # Deleting the Job in the foreground waits for its Pods alone; and true would need a right on finalizers.
            "blockOwnerDeletion": False,
        }
    ]
    return {**companion, "metadata": metadata}


def _owner_uids(found: Json) -> set[str]:
    return {str(each.get("uid")) for each in found["metadata"].get("ownerReferences") or []}


def _is_going(found: Json, job: Json) -> bool:
    """Tell whether an object is on its way out: in deletion, or left by a Job that had our name and is gone."""
    if found["metadata"].get("deletionTimestamp"):
        return True
    owners = found["metadata"].get("ownerReferences") or []
    ours = [each for each in owners if each.get("kind") == "Job" and each.get("name") == job["metadata"]["name"]]
    return bool(owners) and len(ours) == len(owners)


def _owners(found: Json) -> str:
    owners = found["metadata"].get("ownerReferences") or []
    named = ", ".join(f"{each.get('kind')} {each.get('name')}" for each in owners)
    managers = {each.get("manager") for each in found["metadata"].get("managedFields") or []} - {None, FIELD_MANAGER}
    return named or ", ".join(sorted(map(str, managers))) or "nobody"


def _conflict(found: Json, job: Json, companion: Json) -> str:
    name = companion["metadata"]["name"]
    return (
        f"{_reference(job, companion)} exists already and is not this Job's: it belongs to {_owners(found)}, this task "
        f"to Job {job['metadata']['name']}. Name it after the Job, `name: {{{{ job_name }}}}-{name[:20]}`; or mark it "
        f'as shared and lasting with the annotation `{naming.ANNOTATION_KEEP}: "true"`.'
    )


def _reference(job: Json, companion: Json) -> str:
    return f"{companion['kind']} {job['metadata']['namespace']}/{companion['metadata']['name']}"


def _advice(error: errors.ApiError) -> str:
    if error.code == 403 and "cannot" in error.message:
        return " Manifests may bring objects when the chart's values say teams.<name>.manifestObjects: true."
    return ""
