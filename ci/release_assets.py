"""Make a release on GitHub with what was built: `python -m ci.release_assets v1.2.3`.

The chart with its signature, a bill of materials for each image, and the list of images with their digests.
"""

import argparse
import re
from pathlib import Path

from ci.errors import UserError
from ci.paths import ROOT
from ci.process import run
from ci.stages import exit_with_words

WANTED = {
    "charts/cronlift-*.tgz": "make chart-package",
    "charts/cronlift-*.tgz.prov": "make chart-package",
    "images.json": "make push ARGS=--all",
    "images.sha256": "make push ARGS=--all",
    "sbom/*.cdx.json": "make push ARGS=--all",
}
"""Files below build/ -> the command that makes them."""

VERSION = re.compile(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


def assets(build: Path) -> list[Path]:
    """Return the files that belong to a release.

    Raises:
        UserError: Some were not made, all of them at once.
    """
    found = {pattern: sorted(build.glob(pattern)) for pattern in WANTED}
    if missing := [f"build/{pattern}: {WANTED[pattern]}" for pattern, paths in found.items() if not paths]:
        raise UserError("A part of the release was not made", missing, cure="Run these commands first.")
    return [path for paths in found.values() for path in paths]


def main() -> None:
    """Make the release of a tag that is there already."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version", help="the tag, v1.2.3")
    version = parser.parse_args().version
    if not VERSION.fullmatch(version):
        raise UserError(f"{version!r} is no version", cure="make release VERSION=v1.2.3, a tag of this repo")
    files = assets(ROOT / "build")
    print(run("gh", "release", "create", version, *files, "--verify-tag", "--generate-notes", cwd=ROOT).strip())


if __name__ == "__main__":
    with exit_with_words():
        main()
