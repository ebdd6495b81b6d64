"""What becomes of one call of another operator."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from cronlift.job.sources import FILE_SUFFIXES
from cronlift.migrate.literals import value_of

OWN_MANIFESTS = "jobs"
"""The folder of written manifests, beside the DAG file."""

Arguments = Mapping[str, ast.expr]


@dataclass
class Translation:
    """The new arguments of a call, or why there are none.

    Args:
        new: Keyword -> source text, or an expression of the file to take over; in order. They replace `gone`.
        gone: Keywords that leave the call.
        manifest: The Job to write as a file of its own; None when the YAML is there already.
        own_stem: The name of that file, without its ending.
        notes: What changes for the task, a sentence each.
        faults: Why a person has to do it, with the cure; then the call stays as it is.
    """

    new: dict[str, str | ast.expr] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    manifest: dict[str, Any] | None = None
    own_stem: str = ""
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Reader:
    """Reads a call's arguments as values, and keeps what cannot be read as faults.

    Args:
        arguments: Keyword -> expression.
        names: What the file's names are imported from.
        faults: Where faults go.
    """

    def __init__(self, arguments: Arguments, names: Mapping[str, str], faults: list[str]) -> None:
        self._arguments, self._names, self._faults = arguments, names, faults

    def read(self, name: str, default: Any = None) -> Any:
        """Return an argument's value; the default when it is not given or cannot be read."""
        if name not in self._arguments:
            return default
        try:
            return value_of(self._arguments[name], self._names)
        except ValueError as error:
            self._faults.append(f"{name} is no literal ({error}). Write its value here, or the manifest by hand")
            return default


def manifest_path(name: str, folder: str, path: Any, faults: list[str]) -> str | None:
    """Return a YAML file's path as `manifest` takes it: relative, with an ending that tells it from YAML text.

    Args:
        name: The argument that gave it, for messages.
        folder: Absolute path of the DAG file's folder.
        path: As the DAG file gave it.
        faults: Where a fault goes; then None is returned.
    """
    if not isinstance(path, str) or not path:
        faults.append(f"{name} is {path!r}. Give the path of a Job's YAML")
        return None
    found = PurePosixPath(path)
    if found.is_absolute() and found.is_relative_to(folder):
        found = found.relative_to(folder)
    if found.is_absolute() or ".." in found.parts:
        faults.append(f"{name} {path!r} is outside the DAG file's folder. Move the file to {OWN_MANIFESTS}/ beside it")
        return None
    if not str(found).endswith(FILE_SUFFIXES):
        faults.append(f"{name} {path!r} does not end in {', '.join(FILE_SUFFIXES)}. Rename the file, such as to .yaml")
        return None
    return str(found)


def file_stem(task_id: str) -> str:
    """Return the name of a task's manifest, without its ending."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", task_id)
