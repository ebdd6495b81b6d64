"""Manifests without Jinja: what is written is what is created, but for the deployment's images.

Commands of old crontabs hold `{{`, `{%` and `{#`, which are the shell's there. So a task may say `templated=False`: its
manifest is plain YAML, and only a container's `image` that is `{{ images.NAME }}`, and nothing else, is filled in.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from cronlift.errors import ManifestError
from cronlift.job.documents import Document, Places
from cronlift.job.guess import GUESS
from cronlift.job.images import Images
from cronlift.job.naming import ANNOTATION_TEMPLATED
from cronlift.job.parse import parse

_IMAGE = re.compile(r"\{\{\s*images\.(\w+)\s*\}\}")
_CONTAINER_KINDS = ("containers", "initContainers")
_MARK = re.compile(rf"""^\s*["']?{re.escape(ANNOTATION_TEMPLATED)}["']?\s*:\s*["']false["']""", re.MULTILINE)


def says_plain(text: str) -> bool:
    """Tell whether a manifest says itself that it is no template, by an annotation of its Job.

    The commands that look at manifests alone, without their DAG, go by it.

    Args:
        text: The manifest's source.
    """
    if not _MARK.search(text):
        return False
    try:
        documents = parse(text, Places("", has_lines=False))
    except ManifestError:
        return True  # its faults are those of plain YAML
    return any(_annotations(each).get(ANNOTATION_TEMPLATED) == "false" for each in documents)


def read_plain(entry: str, text: Any, images: Images | None) -> list[Document]:
    """Parse a manifest that is no template.

    Args:
        entry: Its name, for messages.
        text: YAML text, or a dict.
        images: The deployment's images; None where they are not known, and then they stay as written.

    Returns:
        The documents, with the images filled in.

    Raises:
        ManifestError: The YAML has a fault, or an image is not known.
    """
    places = Places(entry, has_lines=isinstance(text, str))
    documents = parse(text, places)
    if images is not None and (faults := fill_images(documents, images, places)):
        raise ManifestError.all_of(faults)
    return documents


def fill_images(documents: Sequence[Document], images: Images, places: Places) -> list[ManifestError]:
    """Put the deployment's images into documents.

    Args:
        documents: Changed in place.
        images: The deployment's images.
        places: For messages.

    Returns:
        A fault for each unknown image; a guess stands for it then.
    """
    return [fault for each in documents for fault in _fill_images(each, images, places)]


def as_one(documents: Sequence[Document]) -> dict[str, Any]:
    """Return documents as one dict, which `parse` takes apart again."""
    return {"apiVersion": "v1", "kind": "List", "items": [each.content for each in documents]}


def _fill_images(document: Document, images: Images, places: Places) -> Iterator[ManifestError]:
    pod = document.content
    for key in ("spec", "template", "spec"):
        found = pod.get(key)
        if not isinstance(found, dict):
            return
        pod = found
    for kind in _CONTAINER_KINDS:
        containers = pod.get(kind)
        for index, container in enumerate(containers if isinstance(containers, list) else []):
            image = container.get("image") if isinstance(container, dict) else None
            asked = _IMAGE.fullmatch(image.strip()) if isinstance(image, str) else None
            if asked is None:
                continue
            try:
                container["image"] = images[asked[1]]
            except ManifestError as error:
                container["image"] = GUESS
                where = places.of(document, "spec", "template", "spec", kind, index, "image")
                yield ManifestError(error.what, where=where, cure=error.cure)


def _annotations(document: Document) -> dict[str, Any]:
    metadata = document.content.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return annotations if isinstance(annotations, dict) and document.kind == "Job" else {}
