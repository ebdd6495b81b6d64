"""Write down what the built legacy image has: `python -m ci.image_contents [--check]`.

The import compares what crontabs name with this list and with rootfs/, and so needs no image.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

from ci.errors import UserError
from ci.image_files import paths_in
from ci.images import build
from ci.paths import ROOT
from ci.stages import exit_with_words

FOLDER = ROOT / "images/legacy"
LIST = FOLDER / "contents.txt"
NAMES_DEEP = 3
"""/usr/bin/php: deeper paths are libraries and documentation, which no crontab names."""

LEFT_OUT = ("/boot", "/dev", "/proc", "/run", "/sys", "/tmp", "/var/cache", "/var/tmp", "/etc/alternatives")  # noqa: S108
"""What every Pod has of its own, and what is nobody's business."""

HEAD = """\
# What the built image has besides rootfs/: every path up to three names deep.
# Written by `python -m ci.image_contents`, checked by tests/integration/test_images.py, read by `cronlift import`.
"""


def contents_of(archive: Path, rootfs: Path = FOLDER / "rootfs") -> list[str]:
    """Return the paths that an image has by itself, sorted.

    Args:
        archive: OCI archive of the image.
        rootfs: What is copied into it, and is left out.
    """
    own = {f"/{path.relative_to(rootfs).as_posix()}" for path in rootfs.rglob("*")}
    found = {path for path in paths_in(archive) if _counts(path)}
    return sorted(found - own)


def list_text(paths: Iterable[str]) -> str:
    """Return the content of the list's file."""
    return HEAD + "".join(f"{path}\n" for path in paths)


def _counts(path: str) -> bool:
    return path != "/" and path.count("/") <= NAMES_DEEP and not f"{path}/".startswith(tuple(f"{x}/" for x in LEFT_OUT))


def main() -> None:
    """Write the list, or with --check only say whether it is up to date."""
    parser = argparse.ArgumentParser(prog="python -m ci.image_contents", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when it is not up to date")
    arguments = parser.parse_args()
    text = list_text(contents_of(build(["legacy"])[0].archive))
    if arguments.check and LIST.read_text() != text:
        raise UserError(f"{LIST.relative_to(ROOT)} differs from the image", cure="Run: python -m ci.image_contents")
    LIST.write_text(text)


if __name__ == "__main__":
    with exit_with_words():
        main()
