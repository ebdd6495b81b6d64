"""Write the values table of the chart's README from its schema: `python -m ci.chart_readme [--check]`."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

import yaml

from ci.errors import UserError
from ci.paths import ROOT
from ci.stages import exit_with_words

CHART = ROOT / "charts/cronlift"
BEGIN, END = "<!-- values: written by `python -m ci.chart_readme` -->", "<!-- end of values -->"
SHARED = {
    "image": "An image",
    "resources": "Resources",
    "pod": "A pod, `<component>.pod`",
    "repository": "A repository, `repositories.<name>`",
    "cluster": "Another cluster, `clusters.<name>`",
    "team": "A team, `teams.<name>`",
}
"""Definitions that several keys use: each gets a table of its own instead of rows under each key."""


def rows(schema: dict[str, Any], defaults: Any, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield (key, default, description) of every leaf, in the schema's order.

    Args:
        schema: The part of the schema to walk.
        defaults: The same part of values.yaml; None where it has none.
        prefix: Key of `schema`, with a dot at its end.
    """
    for key, part in schema.get("properties", {}).items():
        default = defaults.get(key) if isinstance(defaults, dict) else None
        reference = part.get("$ref", "").rpartition("/")[2]
        if part.get("properties") and not reference:
            yield from rows(part, default, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", default, part["description"]


def table(found: list[tuple[str, Any, str]], *, with_default: bool = True) -> str:
    """Return a Markdown table of rows()."""
    if not with_default:
        lines = ["| key | what it is |", "| --- | --- |", *(f"| `{key}` | {text} |" for key, _, text in found)]
        return "\n".join(lines)
    lines = ["| key | default | what it is |", "| --- | --- | --- |"]
    for key, default, text in found:
        lines.append(f"| `{key}` | `{json.dumps(default, ensure_ascii=False)}` | {text} |")
    return "\n".join(lines)


def reference() -> str:
    """Return the part of the README between the two markers, markers included."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    parts = [BEGIN, "", table([row for row in rows(schema, defaults) if row[0] != "global"])]
    for name, title in SHARED.items():
        part = schema["$defs"][name]
        parts += ["", f"### {title}", "", table(list(rows(part, None)), with_default=False)]
    return "\n".join([*parts, "", END])


def replace(text: str, new: str) -> str:
    """Return a README with the part between the markers replaced.

    Raises:
        UserError: A marker is missing.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise UserError("charts/cronlift/README.md has lost the markers of its values table", cure=f"Put back {BEGIN}")
    return head + new + tail


def main() -> None:
    """Write the table, or with --check only say whether it is up to date."""
    parser = argparse.ArgumentParser(prog="python -m ci.chart_readme", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when it is not up to date")
    arguments = parser.parse_args()
    path = CHART / "README.md"
    old = path.read_text()
    new = replace(old, reference())
    if arguments.check and new != old:
        raise UserError("charts/cronlift/README.md differs from the schema", cure="Run: python -m ci.chart_readme")
    path.write_text(new)


if __name__ == "__main__":
    with exit_with_words():
        main()
