"""Schemas of Kubernetes' own kinds, from the package kubernetes-validate, in the form that kubeconform reads."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate

FOLDER = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
NAMES_AND_PROSE = ("description", "$id", "$schema")
"""Left out: an `$id` would make references lead elsewhere, and descriptions are most of the size."""

DEFINITION = re.compile(r"#/\$defs/(.+)$")


def write(minor: str, target: Path) -> None:
    """Write a schema for each kind of one Kubernetes minor, with all it refers to inside.

    Args:
        minor: For example "1.29".
        target: Folder for `<kind>-<group>-<version>.json`, as kubeconform's `{{ .ResourceKind }}{{ .KindSuffix }}`.
    """
    folder = FOLDER / f"v{minor}.0-local-strict"
    for path in folder.glob("*.json"):
        schema = json.loads(path.read_text())
        if path.name != "_definitions.json" and "kind" in schema.get("properties", {}):
            needed: dict[str, Any] = {}
            schema = inside(schema, folder, needed)
            (target / path.name).write_text(json.dumps({**schema, "definitions": needed}))


def inside(part: Any, folder: Path, needed: dict[str, Any]) -> Any:
    """Return a part of a schema whose references point into the schema itself; collects what they name."""
    if isinstance(part, list):
        return [inside(item, folder, needed) for item in part]
    if not isinstance(part, dict):
        return part
    left_out = [key for key in NAMES_AND_PROSE if isinstance(part.get(key), str)]
    found = {key: inside(value, folder, needed) for key, value in part.items() if key not in left_out}
    reference = part.get("$ref")
    if isinstance(reference, str) and (match := DEFINITION.search(reference)):
        name = match[1]
        found["$ref"] = f"#/definitions/{name}"
        if name not in needed:
            needed[name] = {}  # before its own parts, which may refer to it
            needed[name] = inside(definitions(folder)[name], folder, needed)
    return found


@cache
def definitions(folder: Path) -> dict[str, Any]:
    """Return the shared definitions of a minor."""
    return dict(json.loads((folder / "_definitions.json").read_text())["$defs"])
