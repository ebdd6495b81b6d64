"""What `cronlift render` and `cronlift validate` read: manifests, their folders, NAME=VALUE options, images."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from cronlift.airflow import settings
from cronlift.errors import ManifestError, SettingsError
from cronlift.job.plain import says_plain
from cronlift.job.sources import FILE_SUFFIXES, Sources, collect

PAIR = "NAME=VALUE"
_JOB = re.compile(r"""(^|[{,])\s*["']?kind["']?\s*:\s*["']?Job\b""")
_EXTENDS = re.compile(r"{%-?\s*extends\b")


def read_sources(manifest: Path, folders: Sequence[Path]) -> Sources:
    """Collect a manifest's sources as a DAG would that lies in the first folder.

    Args:
        manifest: The file.
        folders: The DAG file's folder and its template_searchpath; empty for the folder above `jobs/`.

    Raises:
        ManifestError: See `cronlift.job.sources.collect`.
        UsageError: The manifest is in none of the folders.
    """
    bases = [each.resolve() for each in folders or [dag_folder(manifest)]]
    file = manifest.resolve()
    for base in bases:
        if file.is_relative_to(base):
            templated = not says_plain(file.read_text(encoding="utf-8", errors="replace"))
            return collect(str(file.relative_to(base)), bases, templated=templated)
    raise click.UsageError(f"{manifest} is not below {', '.join(map(str, folders))}. Name the DAG file's --folder.")


def dag_folder(manifest: Path) -> Path:
    """Return the folder that a manifest's names are relative to: above the nearest `jobs/`, or its own."""
    parent = manifest.resolve().parent
    return next((each.parent for each in (parent, parent.parent) if each.name == "jobs"), parent)


def manifests_in(path: Path, folders: Sequence[Path] = ()) -> list[Path]:
    """Return a file itself, or the manifests of a folder: what holds a Job, less what others are made from.

    Args:
        path: A file or folder.
        folders: As for `read_sources`.
    """
    if path.is_file():
        return [path]
    files = (each for suffix in FILE_SUFFIXES for each in path.rglob(f"*{suffix}"))
    found = sorted(each for each in files if each.is_file() and _is_manifest(each))
    parts = {part for each in found for part in _parts_of(each, folders)}
    return [each for each in found if each.resolve() not in parts]


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Split NAME=VALUE options.

    Raises:
        UsageError: One is none.
    """
    found = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not separator or not name:
            raise click.UsageError(f"{option} {each!r} is not {PAIR}, such as {option} legacy=registry/legacy:1.")
        found[name] = value
    return found


def typed_pairs(option: str, given: Sequence[str]) -> dict[str, Any]:
    """Split NAME=VALUE options whose values are JSON where they can be, and text where not."""
    return {name: _typed(value) for name, value in pairs(option, given).items()}


def images_of_deployment() -> Mapping[str, str] | None:
    """Return the images of CRONLIFT_JOB_IMAGES, as a deployment has them; None where there is none.

    Raises:
        UsageError: The variable is malformed.
    """
    try:
        return settings.read_images() if settings.has_images() else None
    except SettingsError as error:
        raise click.UsageError(str(error)) from error


def _typed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _is_manifest(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    return any(_JOB.search(line.partition("#")[0]) or _EXTENDS.search(line) for line in text.splitlines())


def _parts_of(manifest: Path, folders: Sequence[Path]) -> set[Path]:
    """Return the files that a manifest extends, includes or imports; none when it has a fault, which shows later."""
    try:
        sources = read_sources(manifest, folders)
    except (ManifestError, click.UsageError):
        return set()
    bases = [each.resolve() for each in folders or [dag_folder(manifest)]]
    found = (next((base / name for base in bases if (base / name).is_file()), None) for name in sources.files)
    return {each.resolve() for each in found if each is not None} - {manifest.resolve()}
