"""The metadata of a manifest's objects: check what the user wrote, and stamp ours on it."""

from collections.abc import Mapping
from typing import Any

from cronlift.job import naming
from cronlift.job.documents import Faults
from cronlift.job.naming import TaskIdentity


def check_metadata(owner: Mapping[str, Any], faults: Faults, *path: str) -> dict[str, Any]:
    """Check an object's metadata.

    Args:
        owner: The object, or the Pod template.
        faults: Where faults go.
        path: Of the owner in its document.

    Returns:
        The metadata; empty when it is none.
    """
    metadata = owner.get("metadata") or {}
    if not isinstance(metadata, dict):
        cure = "Write labels and annotations below it, or leave it out."
        faults.add("metadata is no mapping", cure, *path, "metadata")
        return {}
    for key in ("labels", "annotations"):
        entries = metadata.get(key) or {}
        if not isinstance(entries, dict):
            faults.add(f"{key} is no mapping", "Write `name: value` below it.", *path, "metadata", key)
            continue
        for name, value in entries.items():
            if not isinstance(value, str):
                what = f"{name} is {value!r}, which YAML reads as {type(value).__name__}, and {key} hold text"
                faults.add(what, "Put the value in quotes.", *path, "metadata", key, name)
    return metadata


def stamp(owner: dict[str, Any], identity: TaskIdentity, more: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Put the try's labels and annotations on an object, or on the Pod template.

    Args:
        owner: Changed in place.
        identity: The try.
        more: More annotations.

    Returns:
        Its metadata.
    """
    metadata: dict[str, Any] = dict(owner.get("metadata") or {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **naming.labels(identity)}
    annotations = {**naming.annotations(identity), **(more or {})}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
    owner["metadata"] = metadata
    return metadata


def stamp_kept(owner: dict[str, Any], identity: TaskIdentity) -> dict[str, Any]:
    """Put only what does not change from run to run on an object that outlives its Job.

    So applying it again changes nothing, and two tasks may share it.
    """
    metadata: dict[str, Any] = dict(owner.get("metadata") or {})
    ours = {key: naming.labels(identity)[key] for key in (naming.LABEL_MANAGED_BY, naming.LABEL_DEPLOYMENT)}
    metadata["labels"] = {**(metadata.get("labels") or {}), **ours}
    annotation = f"{naming.ANNOTATION_PREFIX}deployment"
    metadata["annotations"] = {**(metadata.get("annotations") or {}), annotation: identity.deployment}
    owner["metadata"] = metadata
    return metadata
