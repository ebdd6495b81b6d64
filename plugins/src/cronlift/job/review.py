"""All that can be told about a manifest before it runs: the faults, and the warnings."""

from collections.abc import Collection
from dataclasses import dataclass, field

from cronlift.errors import ManifestError
from cronlift.job.advice import Advice, advise
from cronlift.job.checks import check
from cronlift.job.documents import Document, Places
from cronlift.job.names import unknown_names
from cronlift.job.parse import parse
from cronlift.job.secret_values import check_secrets, mentions_secret, refuse_unreadable_secret
from cronlift.job.sources import Sources
from cronlift.job.template import Images
from cronlift.job.trial import Trial, try_rendering


@dataclass(frozen=True)
class Review:
    """What was found.

    Args:
        faults: Each makes the DAG an import error.
        advice: Warnings, told only when there is no fault.
        documents: Of the trial rendering; empty when that needs real values.
        places: Of the documents.
    """

    faults: list[ManifestError] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    places: Places = field(default_factory=lambda: Places("", has_lines=False))


def check_sources(
    sources: Sources, images: Images | None, *, values: Collection[str] | None = None, retries: int = 0
) -> list[Advice]:
    """Find, while the DAG is parsed, every fault that can be told without a run.

    Args:
        sources: What `collect` found.
        images: The deployment's images, or None where they are not known.
        values: Names of the task's values, and of the DAG's user_defined_macros when the task starts on a worker;
            None when they are not known, and then any name passes.
        retries: Of the task.

    Returns:
        Warnings.

    Raises:
        ManifestError: With all faults found.
    """
    found = review(sources, images, values=values, retries=retries)
    if found.faults:
        raise ManifestError.all_of(found.faults)
    return found.advice


def review(
    sources: Sources, images: Images | None, *, values: Collection[str] | None = None, retries: int = 0
) -> Review:
    """Find the faults and the warnings; see `check_sources`."""
    faults = unknown_names(sources, values) if values is not None else []
    try:
        trial = try_rendering(sources, images)
        documents, places = _documents_of(trial, sources)
        if documents is None:
            refuse_unreadable_secret(sources)
            return Review(faults)
        faults += check(documents, places)
        faults += _check_secrets(sources, images, documents, places)
    except ManifestError as error:
        return Review([*faults, *error.faults])
    return Review(faults, [] if faults else advise(documents, places, retries), documents, places)


def _documents_of(trial: Trial | None, sources: Sources) -> tuple[list[Document] | None, Places]:
    """Return the documents of a trial; None when it does not tell enough."""
    places = Places(sources.entry, has_lines=trial is not None and trial.same_lines)
    if trial is None:
        return None, places
    try:
        return parse(trial.text, places), places
    except ManifestError:
        if trial.certain:
            raise
        return None, places


def _check_secrets(
    sources: Sources, images: Images | None, documents: list[Document], places: Places
) -> list[ManifestError]:
    """Check the Secrets of a manifest in two trials, for the branches of its conditions."""
    mentioned = mentions_secret(sources)
    if not mentioned:
        return []
    faults = check_secrets(documents, places)
    others, other_places = _documents_of(try_rendering(sources, images, truth=False), sources)
    shown = sum(each.kind == "Secret" for each in documents)
    if others is None or shown < mentioned:
        refuse_unreadable_secret(sources)
    return faults or check_secrets(others or [], other_places)
