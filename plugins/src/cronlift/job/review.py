"""All that can be told about a manifest before it runs: the faults, and the warnings."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import lru_cache

from cronlift.errors import ManifestError
from cronlift.job.advice import Advice, advise
from cronlift.job.checks import check
from cronlift.job.documents import Document, Places
from cronlift.job.fields import check_fields
from cronlift.job.names import unknown_names
from cronlift.job.parse import parse
from cronlift.job.plain import fill_images
from cronlift.job.pod_checks import check_relations, check_values
from cronlift.job.secret_values import check_secrets, mentions_secret, unreadable_secrets
from cronlift.job.sources import CACHED_TEMPLATES, Sources
from cronlift.job.template import Images
from cronlift.job.trial import GuessKind, Trial, TriedImages, try_rendering


@dataclass(frozen=True)
class Review:
    """What was found.

    Args:
        faults: Each makes the DAG an import error.
        documents: Of the trial rendering, with faults too; empty when it needs real values, or is no YAML.
        places: Of the documents.
    """

    faults: tuple[ManifestError, ...]
    documents: tuple[Document, ...] = ()
    places: Places = field(default_factory=lambda: Places("", has_lines=False))

    def advice(self, retries: int = 0) -> list[Advice]:
        """Return warnings; none while there are faults.

        Args:
            retries: Of the task.
        """
        return [] if self.faults else advise(self.documents, self.places, retries)


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
    found = review(sources, images, values=values)
    if found.faults:
        raise ManifestError.all_of(found.faults)
    return found.advice(retries)


def review(sources: Sources, images: Images | None, *, values: Collection[str] | None = None) -> Review:
    """Find the faults, and what warnings follow from; see `check_sources`.

    What was found is remembered by content: a DAG file may have hundreds of tasks with one manifest.
    """
    known_images = frozenset(images.items()) if images is not None else None
    known_values = frozenset(values) if values is not None else None
    if sources.document is not None:
        return _review(sources, known_images, known_values)
    found = _review_again(sources.entry, tuple(sources.files.items()), sources.templated, known_images, known_values)
    # Errors are raised, and whoever catches one may add to it: never the remembered ones themselves.
    fresh = (ManifestError(each.what, where=each.where, cure=each.cure) for each in found.faults)
    return replace(found, faults=tuple(fresh))


@lru_cache(maxsize=CACHED_TEMPLATES)
def _review_again(
    entry: str,
    files: tuple[tuple[str, str], ...],
    templated: bool,
    images: frozenset[tuple[str, str]] | None,
    values: frozenset[str] | None,
) -> Review:
    return _review(Sources(entry, dict(files), templated=templated), images, values)


def _review(sources: Sources, known: frozenset[tuple[str, str]] | None, values: frozenset[str] | None) -> Review:
    if not sources.templated:
        return _review_plain(sources, Images(dict(known)) if known is not None else None)
    images = TriedImages(dict(known), sources.entry) if known is not None else None
    faults = unknown_names(sources, values) if values is not None else []
    documents, places = None, Places(sources.entry, has_lines=False)
    try:
        documents, places = _documents_of(try_rendering(sources, images), sources)
    except ManifestError as error:
        faults += error.faults
    else:
        faults += unreadable_secrets(sources) if documents is None else _check_all(sources, images, documents, places)
    faults += images.faults if images is not None else []
    return Review(tuple(faults), tuple(documents or ()), places)


def _check_all(
    sources: Sources, images: Images | None, documents: list[Document], places: Places
) -> list[ManifestError]:
    told = check(documents, places)
    told += _check_strictly(sources, images, documents, places, told)
    return told + _check_secrets(sources, images, documents, places)


def _review_plain(sources: Sources, images: Images | None) -> Review:
    """Review what is no template: nothing in it is a guess."""
    given = sources.files[sources.entry] if sources.document is None else sources.document
    places = Places(sources.entry, has_lines=sources.document is None)
    try:
        documents = parse(given, places)
    except ManifestError as error:
        return Review(tuple(error.faults))
    unknown = fill_images(documents, images, places) if images is not None else []
    faults = unknown + check(documents, places)
    faults += check_fields(documents, places, faults) + check_values(documents, places)
    faults += check_relations(documents, places) + check_secrets(documents, places)
    return Review(tuple(faults), tuple(documents), places)


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


def _check_strictly(
    sources: Sources, images: Images | None, documents: list[Document], places: Places, told: list[ManifestError]
) -> list[ManifestError]:
    """Check what the API server and the nodes would refuse; only this costs more than one trial, and only with faults.

    A template may cut or compute a value out of a guess so that the guess is not seen in it: such a value is another
    one with other guesses. And its conditions may show together what never is together: with false guesses it is not.
    """
    single = check_fields(documents, places, told) + check_values(documents, places)
    related = check_relations(documents, places)
    if not single and not related:
        return []
    others, other_places = _again(sources, images, "other")
    same = {
        (each.what, each.where)
        for each in [*check_fields(others, other_places, told), *check_values(others, other_places)]
    }
    found = [each for each in single if (each.what, each.where) in same]
    if related:
        also = {each.what for each in check_relations(others, other_places)}
        also &= {each.what for each in check_relations(*_again(sources, images, "false"))}
        found += [each for each in related if each.what in also]
    return found


def _again(sources: Sources, images: Images | None, guesses: GuessKind) -> tuple[list[Document], Places]:
    """Return the documents of another trial; none when it does not tell enough."""
    try:
        documents, places = _documents_of(try_rendering(sources, images, guesses=guesses), sources)
    except ManifestError:
        return [], Places(sources.entry, has_lines=False)
    return documents or [], places


def _check_secrets(
    sources: Sources, images: Images | None, documents: list[Document], places: Places
) -> list[ManifestError]:
    """Check the Secrets of a manifest in two trials, for the branches of its conditions."""
    mentioned = mentions_secret(sources)
    if not mentioned:
        return []
    faults = check_secrets(documents, places)
    try:
        others, other_places = _documents_of(try_rendering(sources, images, guesses="false"), sources)
    except ManifestError as error:
        return [*faults, *error.faults]
    shown = sum(each.kind == "Secret" for each in documents)
    if others is None or shown < mentioned:
        return faults + unreadable_secrets(sources)
    return faults or check_secrets(others, other_places)
