"""What a manifest may bring along with its Job: ConfigMaps, Secrets and PersistentVolumeClaims."""

import base64
import binascii
import copy
import re
from collections.abc import Sequence
from typing import Any

from cronlift.errors import ManifestError
from cronlift.job.documents import Document, Faults, Places
from cronlift.job.guess import is_guessed
from cronlift.job.metadata import check_metadata, stamp, stamp_kept
from cronlift.job.naming import ANNOTATION_KEEP, TaskIdentity

# RFC 1123 subdomain, as all three kinds are named.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_LIMIT = 253
_TEXT_BLOCKS = {"ConfigMap": ("data",), "Secret": ("data", "stringData")}


def check_companion(document: Document, places: Places) -> list[ManifestError]:
    """Return the faults of one companion."""
    content, faults = document.content, Faults(document, places)
    if content.get("apiVersion") != "v1":
        what = f"apiVersion is {content.get('apiVersion')!r}, but a {document.kind}'s is v1"
        faults.add(what, "Write apiVersion: v1.", "apiVersion")
    metadata = check_metadata(content, faults)
    _check_name(metadata, faults)
    if metadata.get("ownerReferences"):
        faults.add(
            "the manifest gives ownerReferences",
            f'Remove them: the Job owns what comes with it, unless annotated {ANNOTATION_KEEP}: "true".',
            "metadata", "ownerReferences",
        )  # fmt: skip
    keep = (metadata.get("annotations") or {}) if isinstance(metadata.get("annotations"), dict) else {}
    if keep.get(ANNOTATION_KEEP, "true") not in ("true", "false") and not is_guessed(keep[ANNOTATION_KEEP]):
        what = f"annotation {ANNOTATION_KEEP} is {keep[ANNOTATION_KEEP]!r}"
        faults.add(what, 'Write "true" in quotes, or leave it out.', "metadata", "annotations", ANNOTATION_KEEP)
    for block in _TEXT_BLOCKS.get(str(document.kind), ()):
        _check_texts(content, block, faults)
    if document.kind == "Secret":
        _check_base64(content, faults)
    if document.kind == "PersistentVolumeClaim" and not isinstance(content.get("spec"), dict):
        cure = "Give accessModes and resources.requests.storage; see kubectl explain pvc.spec."
        faults.add("the PersistentVolumeClaim has no spec", cure, "spec")
    return faults.found


def check_names(documents: Sequence[Document], places: Places) -> list[ManifestError]:
    """Return a fault for each companion whose kind and name another one has."""
    seen, faults = set(), []
    for each in documents:
        metadata = each.content.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(name, str):
            continue
        if (each.kind, name) in seen:
            where = places.of(each, "metadata", "name")
            cure = "Call it something else, or join the two."
            faults.append(ManifestError(f"a second {each.kind} is called {name!r}", where=where, cure=cure))
        seen.add((each.kind, name))
    return faults


def build_companion(document: Document, identity: TaskIdentity, namespace: str) -> dict[str, Any]:
    """Make the object that the API server gets; the document is not changed."""
    built = copy.deepcopy(document.content)
    metadata = stamp_kept(built, identity) if is_kept(built) else stamp(built, identity)
    metadata["namespace"] = namespace
    return built


def is_kept(companion: dict[str, Any]) -> bool:
    """Tell whether a companion outlives its Job."""
    annotations = (companion.get("metadata") or {}).get("annotations") or {}
    return bool(annotations.get(ANNOTATION_KEEP) == "true")


def _check_name(metadata: dict[str, Any], faults: Faults) -> None:
    name = metadata.get("name")
    if "generateName" in metadata:
        faults.add(
            "generateName gives a name that the Job cannot know, and each attempt another object",
            'Write a name that this try alone has: name: "{{ job_name }}-config".', "metadata", "generateName",
        )  # fmt: skip
    elif not isinstance(name, str) or not name:
        faults.add("the object has no name", 'Write one, such as name: "{{ job_name }}-config".', "metadata")
    elif not is_guessed(name) and (len(name) > _NAME_LIMIT or not _NAME.fullmatch(name)):
        faults.add(
            f"{name!r} is no name for an object",
            f"Use lower-case letters, digits, `-` and `.`, at most {_NAME_LIMIT} characters.", "metadata", "name",
        )  # fmt: skip


def _check_texts(content: dict[str, Any], block: str, faults: Faults) -> None:
    entries = content.get(block)
    if entries is None:
        return
    if not isinstance(entries, dict):
        faults.add(f"{block} is no mapping", "Write `name: text` below it.", block)
        return
    for key, value in entries.items():
        if not isinstance(value, str) and value is not None:
            # Of a Secret, not even a number is shown.
            what = f"{block}.{key} is a {type(value).__name__}, and only text is allowed there"
            faults.add(what, "Put the value in quotes; several lines go below `|`.", block, key)


def _check_base64(content: dict[str, Any], faults: Faults) -> None:
    entries = content.get("data")
    for key, value in entries.items() if isinstance(entries, dict) else ():
        if isinstance(value, str) and not is_guessed(value) and not _is_base64(value):
            faults.add(f"data.{key} is no base64", "Write it under stringData, which takes plain text.", "data", key)


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
