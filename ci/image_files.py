"""Read files of a built image from its archive, layer upon layer, without running it.

Source: OCI image specification, "Image layer filesystem changeset": a later layer replaces a file, `.wh.NAME` takes one
away, `.wh..wh..opq` takes away all that a folder had before.
"""

import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ci.errors import UserError

GONE, EMPTIED = ".wh.", ".wh..wh..opq"
MAX_BYTES = 64 * 2**20
"""Of one file that is read; package lists and jars of what images hold are far smaller."""


def read_files(archive: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Return the contents of an image's regular files by path.

    Args:
        archive: OCI archive, or one that `docker save` wrote.
        wanted: Says of a path, without a leading slash, whether it is read.

    Raises:
        UserError: It is no archive of an image.
    """
    found: dict[str, bytes] = {}
    with tarfile.open(archive) as outer:
        for layer in _layers(outer):
            own = {}
            for inner, entry, path in _entries(outer, layer):
                if gone := _taken_away(path):
                    _remove(found, gone)
                elif not entry.isdir():
                    found.pop(path, None)
                    if entry.isfile() and entry.size <= MAX_BYTES and wanted(path):
                        content = inner.extractfile(entry)
                        own[path] = content.read() if content else b""
            found |= own
    return found


def paths_in(archive: Path) -> set[str]:
    """Return every path of an image, folders too, each with a leading slash.

    Args:
        archive: As for `read_files`.

    Raises:
        UserError: It is no archive of an image.
    """
    found: set[str] = set()
    with tarfile.open(archive) as outer:
        for layer in _layers(outer):
            own = set()
            for _, _, path in _entries(outer, layer):
                if gone := _taken_away(path):
                    found = {each for each in found if not _is_at_or_below(each, gone)}
                else:
                    own.add(path)
            found |= own
    return {f"/{path}" for path in found}


def _entries(outer: tarfile.TarFile, layer: str) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo, str]]:
    """Yield what a layer holds, in its order; an entry is read before the next one is asked for."""
    with tarfile.open(fileobj=outer.extractfile(layer), mode="r|*") as inner:
        for entry in inner:
            yield inner, entry, entry.name.removeprefix("./").strip("/")


def _taken_away(path: str) -> str:
    """Return what an entry takes away of earlier layers: a path, a folder and `/` for all in it, or nothing."""
    folder, _, name = path.rpartition("/")
    if name == EMPTIED:
        return f"{folder}/"
    return f"{folder}/{name.removeprefix(GONE)}".lstrip("/") if name.startswith(GONE) else ""


def _is_at_or_below(path: str, gone: str) -> bool:
    return path == gone or path.startswith(gone if gone.endswith("/") else f"{gone}/")


def _remove(found: dict[str, bytes], gone: str) -> None:
    for each in [each for each in found if _is_at_or_below(each, gone)]:
        del found[each]


def _layers(archive: tarfile.TarFile) -> Iterator[str]:
    names = set(archive.getnames())
    if "manifest.json" in names:  # docker save
        [image] = json.load(archive.extractfile("manifest.json") or _no_image(archive))
        yield from image["Layers"]
    elif "index.json" in names:
        [image] = json.load(archive.extractfile("index.json") or _no_image(archive))["manifests"]
        manifest = json.load(archive.extractfile(_blob(image["digest"])) or _no_image(archive))
        yield from (_blob(layer["digest"]) for layer in manifest["layers"])
    else:
        _no_image(archive)


def _no_image(archive: tarfile.TarFile) -> IO[bytes]:
    raise UserError(f"{archive.name} is no archive of an image", cure="Delete it, and build again.")


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
