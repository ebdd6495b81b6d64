"""Write which fields the objects of a manifest have, of what types: `python -m ci.kubernetes_fields [--check]`.

The package finds misspelt fields and wrong types with it while a DAG is parsed, without a network. It comes from the
API server's own OpenAPI, which the package kubernetes-validate has for every minor. A deployment's cluster may be of
any minor that the chart installs on, so a field counts when one of them, or a later one, has it: a field that a
cluster has must never be called a fault.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from ci.errors import UserError
from ci.paths import ROOT
from ci.stages import exit_with_words

TARGET = ROOT / "plugins/src/cronlift/job/kubernetes_fields.json"
SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
CHART = ROOT / "charts/cronlift/Chart.yaml"
KINDS = (
    "io.k8s.api.batch.v1.Job",
    *(f"io.k8s.api.core.v1.{kind}" for kind in ("ConfigMap", "PersistentVolumeClaim", "Secret")),
)
SPECIAL = {"Quantity": "quantity", "IntOrString": "integer-or-string", "Time": "string", "FieldsV1": "object"}
"""Types that are no mapping with fields -> what the package calls them."""

SERVERS = "status"
"""A field that the API server writes: what a manifest says there is ignored, so it may be anything."""

Types = dict[str, dict[str, str]]
"""Type -> field -> type of the field; `[]` before it for a list of them, `{}` for a mapping with any keys."""


def main() -> None:
    """Write the file, or with --check only say whether it is up to date."""
    parser = argparse.ArgumentParser(prog="python -m ci.kubernetes_fields", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when it is not up to date")
    new = written(all_types())
    if parser.parse_args().check:
        if not TARGET.exists() or TARGET.read_text() != new:
            raise UserError(f"{TARGET.name} differs from Kubernetes", cure="Run: python -m ci.kubernetes_fields")
        return
    TARGET.write_text(new)


def written(types: Types) -> str:
    """Return the file's text: a line for each type, for diffs that can be read."""
    lines = (f"{json.dumps(name)}:{json.dumps(types[name], separators=(',', ':'))}" for name in sorted(types))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def all_types() -> Types:
    """Return the types of all minors together."""
    merged: Types = {}
    for minor in minors():
        for name, fields in types_of(minor).items():
            merged[name] = dict(sorted({**merged.get(name, {}), **fields}.items()))
    return merged


def minors() -> list[int]:
    """Return the minors of Kubernetes 1 from the oldest that the chart installs on, oldest first."""
    oldest = re.search(r">=1\.(\d+)\.", yaml.safe_load(CHART.read_text())["kubeVersion"])
    if oldest is None:
        raise UserError("kubeVersion in Chart.yaml names no oldest minor", cure='Write it like ">=1.29.0-0".')
    known = sorted(int(each.name.split(".")[1]) for each in SCHEMAS.glob("v1.*.0-local-strict"))
    return [minor for minor in known if minor >= int(oldest[1])]


def types_of(minor: int) -> Types:
    """Return the types that a minor's Jobs, and what may stand beside them, are made of."""
    definitions = json.loads((SCHEMAS / f"v1.{minor}.0-local-strict/_definitions.json").read_text())["$defs"]
    found: Types = {}
    known: dict[str, str] = {}  # short name -> whole name
    pending = list(KINDS)
    while pending:
        whole = pending.pop()
        name = short(whole)
        if known.setdefault(name, whole) != whole:
            raise UserError(f"two types are called {name}", cure="Give one of them another name here.")
        if name in found or name in SPECIAL:
            continue
        properties = definitions[whole].get("properties", {})  # a type without fields has none
        found[name] = {
            key: "any" if key == SERVERS and whole in KINDS else reference(part) for key, part in properties.items()
        }
        pending += [
            each for key, part in properties.items() if found[name][key] != "any" for each in references_in(part)
        ]
    return found


def reference(part: Mapping[str, Any]) -> str:
    """Return how a field's type is written."""
    if "$ref" in part:
        name = short(part["$ref"])
        return SPECIAL.get(name, name)
    if "items" in part:
        return f"[]{reference(part['items'])}"
    if isinstance(part.get("additionalProperties"), dict):
        return f"{{}}{reference(part['additionalProperties'])}"
    (kind,) = {part["type"]} if isinstance(part["type"], str) else set(part["type"]) - {"null"}
    return str(kind)


def references_in(part: Any) -> Iterator[str]:
    """Yield the whole names of the types that a part of a schema refers to."""
    if isinstance(part, dict):
        if isinstance(found := part.get("$ref"), str):
            yield found.rpartition("/")[2]
        for each in part.values():
            yield from references_in(each)


def short(name: str) -> str:
    """Return a type's name as Kubernetes' reference has it: `io.k8s.api.core.v1.PodSpec` is `PodSpec`."""
    return name.rpartition(".")[2]


if __name__ == "__main__":
    with exit_with_words():
        main()
