"""What is checked while a DAG file is parsed, so that a fault is an import error and not a failed night."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cronlift.airflow import settings
from cronlift.errors import ManifestError
from cronlift.job.manifest import check_sources
from cronlift.job.sources import INLINE_NAME, Sources, collect
from cronlift.job.template import Images


def collect_and_check(manifest: str | dict[str, Any], folders: Sequence[Path], asked_by: str) -> Sources:
    """Collect a task's sources and check them as far as that is possible without a run.

    Args:
        manifest: As the DAG gave it.
        folders: Where paths are looked up.
        asked_by: The task in words, with its file and line; named where the fault is not in a file of its own.

    Returns:
        The sources.

    Raises:
        ManifestError: With every fault found.
        SettingsError: The deployment's images are malformed.
    """
    try:
        sources = collect(manifest, folders)
        check_sources(sources, Images(settings.read_images()) if settings.has_images() else None)
    except ManifestError as error:
        if error.where and not error.where.startswith(INLINE_NAME):
            raise
        error.args = (f"{asked_by}: {error}",)
        raise
    return sources
