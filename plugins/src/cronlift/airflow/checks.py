"""What is checked while a DAG file is parsed, so that a fault is an import error and not a failed night."""

from cronlift.airflow import settings
from cronlift.errors import ManifestError
from cronlift.job.manifest import check_sources
from cronlift.job.sources import Sources
from cronlift.job.template import Images


def check_task(sources: Sources, asked_by: str) -> None:
    """Check a task's manifest as far as that is possible without a run.

    Args:
        sources: Of the manifest.
        asked_by: The task in words, for inline manifests, which have no file name.

    Raises:
        ManifestError: With every fault found.
        SettingsError: The deployment's images are malformed.
    """
    images = Images(settings.read_images()) if settings.has_images() else None
    try:
        check_sources(sources, images)
    except ManifestError as error:
        if sources.files and sources.entry in sources.files and sources.entry != "manifest":
            raise
        error.args = (f"{asked_by}: {error}",)
        raise
