"""Fields that Kubernetes does not know, and values of another type than theirs: a Job with one is never created.

The API server is asked to be strict (fieldValidation=Strict), so one misspelt word fails the task at night.
"""

import difflib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cronlift.errors import ManifestError
from cronlift.job.documents import Document, Places
from cronlift.job.guess import is_guessed
from cronlift.job.objects import COMPANION_KINDS
from cronlift.job.quantity import parse_quantity

_KINDS = ("Job", *COMPANION_KINDS)
_SHOWN_CHARACTERS = 60
_MANY_OWNERS = 3
"""A field that more types have, such as `name`, is no hint to where it belongs."""

_TYPES: Mapping[str, tuple[tuple[type, ...], str, str]] = {
    "string": ((str,), "text", "Put it in quotes."),
    "integer": ((int,), "a whole number", "Write a number without quotes, such as 3."),
    "number": ((int, float), "a number", "Write a number without quotes, such as 0.5."),
    "boolean": ((bool,), "true or false", "Write true or false, without quotes."),
    "integer-or-string": ((int, str), "a number or text", "Write a number, or text in quotes."),
    "quantity": ((int, float, str), "an amount", "Write a number and its unit, such as 500m of cpu or 2Gi of memory."),
}
"""Type of a field -> what Python has for it, the type in words, and what to do about another value."""

_Path = tuple[str | int, ...]
_Fault = tuple[_Path, str, str, bool]
"""Where, what, the cure, and whether it is about a value: what `checks` says of the same value is enough then."""


def check_fields(
    documents: Sequence[Document], places: Places, told: Collection[ManifestError] = ()
) -> list[ManifestError]:
    """Return a fault for each field that Kubernetes does not know, and for each value that is not of its field's type.

    Args:
        documents: Rendered, or of a trial; what a trial guesses is no fault.
        places: For messages.
        told: What is known of the documents already, and is not told again.

    Source:
        Kubernetes' OpenAPI; see `ci/kubernetes_fields.py`.
    """
    known = {each.where for each in told}
    faults = []
    for each in documents:
        if each.kind not in _KINDS:
            continue
        for path, what, cure, of_value in _walk(each.content, str(each.kind), (), each):
            if of_value and _is_told(each, places, path, known):
                continue
            faults.append(ManifestError(what, where=places.of(each, *path), cure=cure))
    return faults


@cache
def _types() -> Mapping[str, Mapping[str, str]]:
    """Return type -> field -> type of the field; read at the first review of a manifest, which no running task does."""
    found: Mapping[str, Mapping[str, str]] = json.loads(Path(__file__).with_name("kubernetes_fields.json").read_bytes())
    return found


def _walk(value: Any, kind: str, path: _Path, document: Document) -> Iterator[_Fault]:
    if value is None:  # to Kubernetes, as if it were left out
        return
    if kind in _TYPES:
        if fault := _of_value(value, kind, path, document):
            yield fault
    elif kind.startswith("[]"):
        if isinstance(value, list):
            for index, each in enumerate(value):
                yield from _walk(each, kind[2:], (*path, index), document)
        elif not _is_open(value):
            yield path, f"{_named(path)} is {_shown(value, document)}, not a list", "Begin each item with `- `.", True
    elif kind == "any":
        return
    elif isinstance(value, dict):
        yield from _of_mapping(value, kind, path, document)
    elif not _is_open(value):
        what = f"{_named(path)} is {_shown(value, document)}, not a mapping"
        yield path, what, f"Write `name: value` below it; `{_explained(path, document)}` lists the names.", True


def _of_mapping(value: Mapping[Any, Any], kind: str, path: _Path, document: Document) -> Iterator[_Fault]:
    fields = _types().get(kind)
    for key, each in value.items():
        if not isinstance(key, str) or _is_open(key):
            continue
        if fields is None:  # any key: labels, limits, data
            if kind.startswith("{}"):
                yield from _walk(each, kind[2:], (*path, key), document)
        elif key in fields:
            yield from _walk(each, fields[key], (*path, key), document)
        else:
            yield (*path, key), f"{key} is no field of {kind}", _cure_of_unknown(key, kind, path, document), False


def _of_value(value: Any, kind: str, path: _Path, document: Document) -> _Fault | None:
    fitting, words, cure = _TYPES[kind]
    if isinstance(value, fitting) and (bool in fitting or not isinstance(value, bool)):
        if kind != "quantity" or not isinstance(value, str) or _is_quantity(value) or _is_open(value):
            return None
    elif _is_open(value):
        return None
    if isinstance(value, (dict, list)):
        cure = f"Write one value; see `{_explained(path, document)}`."
    return path, f"{_named(path)} is {_shown(value, document)}, not {words}", cure, True


def _is_told(document: Document, places: Places, path: _Path, known: Collection[str]) -> bool:
    """Tell whether `checks` has found the same: it names the list, or the variable, where a single value is wrong."""
    of_parent = path and (isinstance(path[-1], int) or path[-1] == "value")
    return any(places.of(document, *each) in known for each in ((path, path[:-1]) if of_parent else (path,)))


def _cure_of_unknown(key: str, kind: str, path: _Path, document: Document) -> str:
    types = _types()
    by_lower = {each.lower(): each for each in types[kind]}
    if near := difflib.get_close_matches(key.lower(), by_lower, n=1, cutoff=0.7):
        return f"Did you mean {by_lower[near[0]]}?"
    owners = sorted(name for name, fields in types.items() if key in fields)
    hint = f"{' and '.join(owners)} {'has' if len(owners) == 1 else 'have'} it. " if owners else ""
    return f"{hint if len(owners) <= _MANY_OWNERS else ''}`{_explained(path, document)}` lists the fields there are."


def _explained(path: _Path, document: Document) -> str:
    words = (str(each) for each in path if isinstance(each, str))
    return f"kubectl explain {'.'.join([str(document.kind).lower(), *words])}"


def _named(path: _Path) -> str:
    """Return a field's own name; an item's with its list's."""
    names = [str(each) for each in path]
    return ".".join(names[-2:] if path and isinstance(path[-1], int) else names[-1:]) or "the object"


def _shown(value: Any, document: Document) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if document.kind == "Secret":
        return f"a {type(value).__name__}"  # nothing of a Secret is shown
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _is_open(value: Any) -> bool:
    return isinstance(value, str) and is_guessed(value)


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True
