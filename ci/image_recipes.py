"""What each image is made of, and the tag that follows from it: pure but for reading the files.

A tag hashes every input (files with their modes, pins, the base), so an edit that is not committed makes a new image,
and a second clone finds the first one's. Debian's packages are not an input: Debian serves only the newest of a
release, so a rebuild under the same tag would differ; whoever wants today's packages deletes the archive.
"""

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ci.paths import ROOT
from ci.pins import image_reference, pins

FORMAT = "1"
"""Counted up when a change of ci/image_*.py changes what images contain."""

STANDINS = Path("ci/cluster/standins")
UPSTREAM = {"postgres": "POSTGRES", "git-sync": "GIT_SYNC"}
"""Images that the chart takes from a registry -> their pin; each has a stand-in of the same name."""

VARIANTS = {"airflow-bench": ("airflow", (("GROUP", "stock-operators"),))}
"""Image that is built only when asked for -> the folder that it is built from, and its further build arguments."""

SHARED_INPUTS = {"airflow": ("uv.lock", "plugins")}
"""Image -> what its Dockerfile copies from outside its own folder."""

NO_INPUTS = {"README.md", "contents.txt", "structure.yaml"}
"""Files of an image's folder that tell of the image, and are not copied into it."""

EXPECTED_SECONDS = {"airflow": 100.0, "airflow-bench": 100.0, "legacy": 120.0, "postgres": 40.0, "git-sync": 40.0}

BASE_PACKAGES = ("ca-certificates",)
BASE_EXCLUDES = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*")
"""As the official slim images leave them out."""
BASE_INCLUDES = ("/usr/share/locale/locale.alias", "/usr/share/doc/*/copyright")


@dataclass(frozen=True)
class Plan:
    """How to get one image.

    Attributes:
        name: Short name.
        tag: 12 hex digits over everything below and the content of `inputs`.
        upstream: Reference to pull; empty for an image that is built.
        context: Folder that the Dockerfile's COPY lines are relative to.
        dockerfile: The Dockerfile.
        arguments: Build arguments, BASE among them.
        base: Tag of the local base when BASE is one; empty when a registry has it.
        expected_seconds: Of a cold build on two cores.
    """

    name: str
    tag: str
    upstream: str = ""
    context: Path = ROOT
    dockerfile: Path = ROOT
    arguments: tuple[tuple[str, str], ...] = ()
    base: str = ""
    expected_seconds: float = 60.0


@cache
def names() -> list[str]:
    """Return every image that the platform uses: the folders of images/, then what the chart takes from a registry."""
    own = sorted(path.parent.name for path in (ROOT / "images").glob("*/Dockerfile"))
    return [*own, *UPSTREAM]


def plan(name: str, *, with_registry: bool) -> Plan:
    """Return how to get an image.

    Args:
        name: One of `names()` or of `VARIANTS`.
        with_registry: Whether the base and the upstream images can be pulled.
    """
    if with_registry and name in UPSTREAM:
        reference = image_reference(UPSTREAM[name])
        return Plan(name, _digest([FORMAT, reference]), upstream=reference)
    source, extra = VARIANTS.get(name, (name, ()))
    folder, *shared = inputs(name)
    # What takes more than its own folder has the repo as its context.
    context = ROOT if shared else folder
    used = ("UV_VERSION", "HATCHLING_VERSION") if source == "airflow" else ()
    base = "" if with_registry else base_tag()
    arguments = (
        ("BASE", f"localhost/cronlift/debian:{base}" if base else image_reference("DEBIAN")),
        *((pin, pins()[pin]) for pin in used),
        *extra,
    )
    tag = _digest([FORMAT, *(f"{key}={value}" for key, value in arguments), *describe(inputs(name))])
    return Plan(
        name, tag, context=context, dockerfile=folder / "Dockerfile", arguments=arguments, base=base,
        expected_seconds=EXPECTED_SECONDS.get(name, 60.0),
    )  # fmt: skip


def inputs(name: str) -> list[Path]:
    """Return what an image is built from: its own folder, then what it shares with others, the lock and the package.

    Args:
        name: As for `plan`.
    """
    source, _ = VARIANTS.get(name, (name, ()))
    folder = ROOT / (STANDINS if name in UPSTREAM else Path("images")) / source
    return [folder, *(ROOT / part for part in SHARED_INPUTS.get(source, ()))]


def is_input(name: str, path: Path) -> bool:
    """Tell whether a file, which may be gone by now, is an input of an image; bytecode and READMEs are none."""
    return any(path == start or start in path.parents for start in inputs(name)) and not _is_ignored(path)


def base_tag() -> str:
    """Return the tag of the base that is made from Debian's packages where no registry answers."""
    release = pins()["DEBIAN_RELEASE"]
    return f"{release}-{_digest([FORMAT, release, *BASE_PACKAGES, *BASE_EXCLUDES, *BASE_INCLUDES])}"


def describe(inputs: Iterable[Path]) -> list[str]:
    """Return one line a file: path from the repo's root, kind and x-bit, hash of its content.

    Byte code, editors' leavings and what tells of an image (`NO_INPUTS`) are no inputs: they are not copied.
    """
    lines = []
    for path in sorted(file for start in inputs for file in _files(start)):
        if path.is_symlink():
            lines.append(f"{_label(path)} link {os.readlink(path)}")
        else:
            kind = "program" if path.stat().st_mode & stat.S_IXUSR else "file"
            lines.append(f"{_label(path)} {kind} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return lines


def _files(start: Path) -> list[Path]:
    if not start.is_dir():
        return [start]
    return [path for path in start.rglob("*") if (path.is_symlink() or path.is_file()) and not _is_ignored(path)]


def _is_ignored(path: Path) -> bool:
    return (
        "__pycache__" in path.parts
        or (path.parent.parent == ROOT / "images" and path.name in NO_INPUTS)
        or path.suffix in {".pyc", ".swp"}
        or path.name.endswith("~")
        or any(part.endswith(".egg-info") for part in path.parts)
    )


def _label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
