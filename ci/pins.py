"""The pins of versions.env; `python -m ci.pins` fills its empty digests where a registry answers."""

import argparse
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from ci.errors import CiError, UserError
from ci.paths import ROOT
from ci.stages import exit_with_words

CHART_VALUES = "charts/cronlift/values.yaml"
CHART_IMAGES = {"POSTGRES": "postgres", "GIT_SYNC": "gitSync"}
"""Images whose digest the chart's values repeat, and their key there."""


@cache
def pins() -> dict[str, str]:
    """Return every pin by name; a digest not resolved yet is an empty string.

    Raises:
        UserError: A line is not NAME=value, or a name is given twice; all such lines at once.
    """
    return parse((ROOT / "versions.env").read_text())


def parse(text: str) -> dict[str, str]:
    """Return every pin of a versions.env.

    Args:
        text: Its lines: NAME=value, comments, empty ones.

    Raises:
        UserError: As `pins`.
    """
    found: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.isidentifier():
            faults.append(f"versions.env:{number}: not NAME=value: {line!r}")
        elif name in found:
            faults.append(f"versions.env:{number}: {name} is given twice")
        else:
            found[name] = value.strip()
    if faults:
        raise UserError("versions.env cannot be read", faults, cure="Correct these lines.")
    return found


def image_reference(prefix: str) -> str:
    """Return the upstream image `<prefix>_IMAGE`, with `@<prefix>_DIGEST` once that is resolved."""
    digest = pins()[f"{prefix}_DIGEST"]
    return pins()[f"{prefix}_IMAGE"] + (f"@{digest}" if digest else "")


def main() -> None:
    """Fill the empty digests of versions.env and of the chart's values, and say which stay empty and why."""
    from ci.digests import resolve

    silent = fill_digests(ROOT, resolve)
    for line in silent:
        sys.stderr.write(f"✗ {line}\n")
    if silent:
        raise UserError(
            f"{len(silent)} digests stay empty; these images are pinned by tag alone",
            cure="Run make pins again where these registries can be reached, and commit versions.env.",
        )
    print("Every image of versions.env is pinned by digest. To look one up anew: empty its digest first.")


def fill_digests(root: Path, resolve: Callable[[str], str]) -> list[str]:
    """Write each digest that `resolve` finds, into versions.env and into the chart.

    Args:
        root: The repo.
        resolve: Returns the digest of an image, or raises a CiError.

    Returns:
        Why a digest stayed empty, one line for each.
    """
    path, values = root / "versions.env", root / CHART_VALUES
    silent = []
    for name, value in parse(path.read_text()).items():
        prefix = name.removesuffix("_DIGEST")
        if prefix == name:
            continue
        try:
            digest = value or resolve(parse(path.read_text())[f"{prefix}_IMAGE"])
        except CiError as error:
            silent.append(str(error))
            continue
        path.write_text(re.sub(rf"^{name}=.*$", f"{name}={digest}", path.read_text(), flags=re.MULTILINE))
        if prefix in CHART_IMAGES and values.is_file():
            values.write_text(set_chart_digest(values.read_text(), CHART_IMAGES[prefix], digest))
        if not value:
            print(f"✓ {name}={digest}")
    return silent


def set_chart_digest(values: str, key: str, digest: str) -> str:
    """Return the chart's values with the digest of one image set; comments and order stay."""
    pattern = rf"(^  {key}:\n(?:    .*\n)*?    digest: )\S+"
    return re.sub(pattern, rf'\g<1>"{digest}"', values, count=1, flags=re.MULTILINE)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    with exit_with_words():
        main()
