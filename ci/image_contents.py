"""Write down what the built legacy image has: `python -m ci.image_contents [--check]`.

The import compares what crontabs name with this list and with rootfs/, and so needs no image.
"""

import argparse
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from ci.errors import UserError
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


def paths_in(archive: Path) -> set[str]:
    """Return every path of an image, layer upon layer: a later layer may take away what an earlier one brought."""
    found: set[str] = set()
    with tarfile.open(archive) as outer:
        for digest in _layers(outer):
            layer = outer.extractfile(_blob(digest))
            if layer is None:
                raise UserError(f"{archive} lacks the layer {digest}", cure="Delete it, and build again.")
            with tarfile.open(fileobj=layer, mode="r|*") as inner:
                names = ["/" + entry.name.removeprefix("./").strip("/") for entry in inner]
            gone = {name.replace("/.wh.", "/") for name in names if "/.wh." in name}
            found = {each for each in found if not (each in gone or _is_below(each, gone))}
            found |= {name for name in names if "/.wh." not in name}
    return found


def _layers(archive: tarfile.TarFile) -> Iterator[str]:
    (image,) = json.load(_open(archive, "index.json"))["manifests"]
    yield from (each["digest"] for each in json.load(_open(archive, _blob(image["digest"])))["layers"])


def _open(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise UserError(f"{archive.name} is no OCI archive: {name} is no file", cure="Delete it, and build again.")
    return found


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _counts(path: str) -> bool:
    return path != "/" and path.count("/") <= NAMES_DEEP and not f"{path}/".startswith(tuple(f"{x}/" for x in LEFT_OUT))


def _is_below(path: str, folders: set[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:end]) in folders for end in range(2, len(parts)))


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
