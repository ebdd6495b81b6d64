"""The identity of a task instance, and the names that follow from it.

The name of a Job is a pure function of the task instance's try. Whoever starts the same try again, after a crash or on
another triggerer, arrives at the same name, so the API server itself refuses a second Job.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A Job's Pods are called <job>-<5 characters>, and their names become a label value and a host name: 63 at most.
# An Indexed Job adds -<index> as well; 52 leaves room for both.
NAME_LIMIT = 52
HASH_LENGTH = 10

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "cronlift"
LABEL_DEPLOYMENT = "cronlift.dev/deployment"
LABEL_TASK_INSTANCE = "cronlift.dev/task-instance"
LABEL_TRY = "cronlift.dev/try"
LAUNCHER_ACCOUNT = "cronlift-launcher"
"""May create Jobs and read logs in its team's namespace. Airflow acts as it, and no Pod of a Job may."""
ANNOTATION_PREFIX = "cronlift.dev/"
ANNOTATION_SPEC_HASH = "cronlift.dev/spec-hash"
ANNOTATION_INSTANCE = "cronlift.dev/task-instance-id"
ANNOTATION_KEEP = "cronlift.dev/keep"
ANNOTATION_TEMPLATED = "cronlift.dev/templated"
"""On a Job: "false" says that its manifest is no template."""


@dataclass(frozen=True)
class TaskIdentity:
    """One try of one task instance, in one deployment of Airflow.

    Args:
        deployment: `<namespace>/<release>` of the Airflow that owns the task.
        dag_id: DAG id, with the team as its prefix.
        run_id: Run id.
        task_id: Task id, with its task groups.
        map_index: Map index; -1 when the task is not mapped.
        try_number: Try number, from 1.
        instance_id: Airflow's own id of the try; empty when it is not known. Not part of the name: it differs when a
            run is deleted and made again under its old run id, and that is how the old one's Job is told from ours.
    """

    deployment: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    instance_id: str = ""

    def describe(self) -> str:
        """Return the identity in words, for messages."""
        mapped = f", map index {self.map_index}" if self.map_index >= 0 else ""
        return (
            f"task {self.task_id} of DAG {self.dag_id}, run {self.run_id}{mapped}, "
            f"try {self.try_number} (deployment {self.deployment})"
        )


def digest(*parts: object, length: int = HASH_LENGTH) -> str:
    """Hash parts into a short name, so that no two lists of parts read the same.

    Args:
        parts: Anything with a `str()`; each is length-prefixed, so ("a", "bc") and ("ab", "c") differ.
        length: Hexadecimal digits to keep, at most 64.

    Returns:
        Lower-case hexadecimal digits.
    """
    hasher = hashlib.sha256()
    for part in parts:
        text = str(part).encode()
        hasher.update(f"{len(text)}:".encode() + text)
    return hasher.hexdigest()[:length]


def job_name(identity: TaskIdentity) -> str:
    """Name the Job of a try: readable first, unique by hash.

    Args:
        identity: The try.

    Returns:
        A DNS label of at most 52 characters, such as `invoices-export-3fa9c1d2e4`.

    Source:
        RFC 1123 labels; Job names are limited to 63 characters, because Pods carry them as a label.
    """
    unique = digest(*_try_parts(identity))
    dag = identity.dag_id.partition("__")[2] or identity.dag_id
    task = identity.task_id.rpartition(".")[2]
    words = re.sub(r"[^a-z0-9]+", "-", f"{dag}-{task}".lower()).strip("-")
    prefix = words[: NAME_LIMIT - HASH_LENGTH - 1].rstrip("-")
    if not prefix or not prefix[0].isalpha():
        prefix = f"job-{prefix}"[: NAME_LIMIT - HASH_LENGTH - 1].rstrip("-")
    return f"{prefix}-{unique}"


def deployment_hash(deployment: str) -> str:
    """Return the label value by which a deployment's watch selects its own Jobs and Pods."""
    return digest(deployment)


def task_instance_hash(identity: TaskIdentity) -> str:
    """Return the label value that all tries of one task instance share."""
    return digest(*_try_parts(identity)[:-1], length=20)


def labels(identity: TaskIdentity) -> dict[str, str]:
    """Return the labels of a try's Job and of its Pods; hashes, because ids may be longer than a label value."""
    return {
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_DEPLOYMENT: deployment_hash(identity.deployment),
        LABEL_TASK_INSTANCE: task_instance_hash(identity),
        LABEL_TRY: str(identity.try_number),
    }


def annotations(identity: TaskIdentity) -> dict[str, str]:
    """Return the full ids as annotations, for people and for adoption."""
    found = {
        f"{ANNOTATION_PREFIX}deployment": identity.deployment,
        f"{ANNOTATION_PREFIX}dag-id": identity.dag_id,
        f"{ANNOTATION_PREFIX}run-id": identity.run_id,
        f"{ANNOTATION_PREFIX}task-id": identity.task_id,
        f"{ANNOTATION_PREFIX}map-index": str(identity.map_index),
        f"{ANNOTATION_PREFIX}try-number": str(identity.try_number),
    }
    return found | ({ANNOTATION_INSTANCE: identity.instance_id} if identity.instance_id else {})


def selector(deployment: str) -> str:
    """Return the label selector of everything that a deployment created."""
    return f"{LABEL_DEPLOYMENT}={deployment_hash(deployment)}"


def is_ours(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether a Job found under our name was made for the same try of the same task, from the same sources."""
    have, want = _own_annotations(found), _own_annotations(wanted)
    return all(have.get(key) == value for key, value in want.items() if key != ANNOTATION_INSTANCE) and not (
        _instances_differ(have, want)
    )


def is_leftover(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether a Job found under our name belongs to a deleted run that had the same ids.

    Such a run's task instances are gone, so nobody waits for its Jobs; what it was made from does not matter.
    """
    have, want = _own_annotations(found), _own_annotations(wanted)
    free = (ANNOTATION_INSTANCE, ANNOTATION_SPEC_HASH)
    same_ids = all(have.get(key) == value for key, value in want.items() if key not in free)
    return same_ids and _instances_differ(have, want)


def _own_annotations(found: Mapping[str, Any]) -> dict[str, str]:
    annotations = found["metadata"].get("annotations") or {}
    return {key: value for key, value in annotations.items() if key.startswith(ANNOTATION_PREFIX)}


def _instances_differ(have: Mapping[str, str], want: Mapping[str, str]) -> bool:
    """Tell whether both name their task instance, and not the same."""
    one, other = have.get(ANNOTATION_INSTANCE), want.get(ANNOTATION_INSTANCE)
    return bool(one and other) and one != other


def _try_parts(identity: TaskIdentity) -> tuple[object, ...]:
    return (
        identity.deployment,
        identity.dag_id,
        identity.run_id,
        identity.task_id,
        identity.map_index,
        identity.try_number,
    )
