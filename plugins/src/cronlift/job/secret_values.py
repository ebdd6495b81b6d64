"""Secrets in manifests: their values must come from connections or variables.

A manifest travels with its DAG, in clear, readable by everybody who may see the DAG.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cronlift.errors import ManifestError
from cronlift.job.documents import Document, Places
from cronlift.job.guess import is_guessed_secret
from cronlift.job.sources import Sources

_BLOCKS = ("data", "stringData")
_KIND = re.compile(r"""\bkind["']?\s*:\s*["']?Secret\b""")


def check_secrets(documents: Sequence[Document], places: Places) -> list[ManifestError]:
    """Return a fault for each value of a Secret that neither a connection nor a variable is part of.

    Args:
        documents: Of a trial rendering.
        places: For messages.
    """
    return [
        ManifestError(
            f"the Secret holds {block}.{key} in clear, and a manifest travels with its DAG, readable by all",
            where=places.of(document, block, key),
            cure="Take the value from a connection or variable, such as {{ conn.team__db.password }}, or refer to a "
            "Secret that exists in the namespace.",
        )
        for document in documents
        if document.kind == "Secret"
        for block, key in _literals(document.content)
    ]


def mentions_secret(sources: Sources) -> int:
    """Count the places where a manifest's sources say `kind: Secret`."""
    return len(list(_mentions(sources)))


def unreadable_secrets(sources: Sources) -> list[ManifestError]:
    """Return a fault for each Secret of the sources, of which no trial rendering shows all."""
    return [
        ManifestError(
            "the manifest holds a Secret, and its template is too intricate to prove that no value is in clear",
            where=where,
            cure="Keep Secret documents plain: no conditions around them, one {{ conn... }} or {{ var... }} a value.",
        )
        for where in _mentions(sources)
    ]


def _literals(secret: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for block in _BLOCKS:
        values = secret.get(block)
        for key, value in values.items() if isinstance(values, dict) else ():
            if value and not is_guessed_secret(value):
                yield block, str(key)


def _mentions(sources: Sources) -> Iterator[str]:
    for name, text in sources.files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if _KIND.search(line.partition("#")[0]):
                yield f"{name}:{number}"
    if sources.document is not None:
        items = sources.document.get("items")
        for each in items if isinstance(items, list) else [sources.document]:
            if isinstance(each, dict) and each.get("kind") == "Secret":
                yield sources.entry
