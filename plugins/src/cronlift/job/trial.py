"""Render a manifest before there is a run, with guesses for every value, to find faults while the DAG is parsed.

What the result shows is certain only where no guess decides it, so this module also tells which findings to believe.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jinja2 import StrictUndefined, TemplateError, Undefined, UndefinedError, nodes
from jinja2.exceptions import SecurityError

from cronlift.errors import ManifestError
from cronlift.job.environment import bare_environment
from cronlift.job.guess import (
    GUESS,
    JOB_NAME_GUESS,
    SECRET_GUESS,
    FalseGuess,
    FalseSecretGuess,
    Guess,
    OtherGuess,
    OtherSecretGuess,
    SecretGuess,
    other_word,
)
from cronlift.job.limits import LimitError, Limits, bounded, time_limit
from cronlift.job.names import CONTEXT_NAMES
from cronlift.job.sources import Sources
from cronlift.job.template import Images, render_leaves, rendered_position, template_position

GuessKind = Literal["true", "false", "other"]
_TRIAL_LIMITS = Limits(seconds=5.0)
_SECRET_NAMES = ("conn", "var")
_GUESSES: dict[GuessKind, tuple[type[Guess], type[Guess], str]] = {
    "true": (Guess, SecretGuess, JOB_NAME_GUESS),
    "false": (FalseGuess, FalseSecretGuess, JOB_NAME_GUESS),
    "other": (OtherGuess, OtherSecretGuess, other_word(JOB_NAME_GUESS)),
}
"""Kind of trial -> what stands for any value, for a connection or variable, and for the Job's name."""

# What makes lines of the result other lines than those of the source.
_MOVING: tuple[type[nodes.Node], ...] = (
    *(nodes.For, nodes.If, nodes.Include, nodes.Extends, nodes.Block),
    *(nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock),
)


@dataclass(frozen=True)
class Trial:
    """What a trial rendering gave.

    Args:
        text: YAML text, or a dict when the DAG gave a dict.
        certain: Whether a YAML syntax error in the text is the manifest's own: no guess fills a line of its own,
            where a real value could be a whole block.
        same_lines: Whether line numbers of the text are those of the entry file.
    """

    text: Any
    certain: bool
    same_lines: bool


class _NotImportedError(UndefinedError):
    """A name of Airflow's is used where an import does not bring it."""


class TriedImages(Images):
    """The deployment's images in a trial, where an unknown one is a fault beside others: a guess stands for it.

    Args:
        known: Name -> reference.
        entry: Name of the template that is rendered.
    """

    def __init__(self, known: Mapping[str, str], entry: str) -> None:
        super().__init__(known)
        self._entry = entry
        self.faults: list[ManifestError] = []
        """One for each unknown name, at the first place that asks for it."""

    def __getitem__(self, name: str) -> str:
        try:
            return super().__getitem__(name)
        except ManifestError as error:
            if all(each.what != error.what for each in self.faults):
                where = rendered_position(self._entry)
                self.faults.append(ManifestError(error.what, where=where, cure=error.cure))
            return GUESS


def try_rendering(sources: Sources, images: Images | None, *, guesses: GuessKind = "true") -> Trial | None:
    """Render with guesses.

    Args:
        sources: What `collect` found.
        images: The deployment's images, or None where they are not known (a laptop); then any name passes, as it does
            with `TriedImages`.
        guesses: "true" are true, and equal to whatever they are compared with; "false" are neither; "other" are true
            and of other words.

    Returns:
        The result, or None when the template needs real values to render at all.

    Raises:
        ManifestError: It is certain to fail: an unknown image, a forbidden attribute, or a name of Airflow's in a
            template that is imported without its context.
    """
    guess, secret, job_name = _GUESSES[guesses]
    environment = bare_environment(sources.files)
    environment.undefined = _undefined_maker(guess)  # type: ignore[assignment]
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "default": str}
    environment.globals |= {"job_name": job_name, "images": guess() if images is None else images}
    context = {name: secret() if name in _SECRET_NAMES else guess() for name in CONTEXT_NAMES}
    try:
        with time_limit(_TRIAL_LIMITS.seconds):
            if sources.document is not None:
                return Trial(render_leaves(environment, sources.document, context, _TRIAL_LIMITS), True, False)
            text = bounded(environment.get_template(sources.entry).generate(**context), _TRIAL_LIMITS)
    except ManifestError as error:
        where = template_position(error, sources.entry)
        raise ManifestError(error.what, where=where, cure=error.cure) from error
    except (SecurityError, _NotImportedError) as error:
        cure = (
            'Import it with its context: {% import "..." as ... with context %}.'
            if isinstance(error, _NotImportedError)
            else "Use another attribute; Python's internals are closed to templates."
        )
        where = template_position(error, sources.entry)
        raise ManifestError(str(error.message), where=where, cure=cure) from error
    except (TemplateError, LimitError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError):
        return None
    except RecursionError:
        return None
    return Trial(text, all(_is_certain(line) for line in text.splitlines()), _keeps_lines(sources, text))


def _undefined_maker(guess: type[Guess]) -> Callable[..., Undefined]:
    """Return what Jinja calls for each name, attribute or item that is not there."""

    def make(hint: str | None = None, obj: Any = None, name: str | None = None, exc: Any = UndefinedError) -> Undefined:
        if exc is SecurityError:
            raise SecurityError(hint)
        if obj is None and name in CONTEXT_NAMES:
            hint = f"{name!r} is not known in a template that is imported"
            return StrictUndefined(hint, name=name, exc=_NotImportedError)
        return guess(hint, name=name)

    return make


def _is_certain(line: str) -> bool:
    for word in (SECRET_GUESS, JOB_NAME_GUESS, GUESS):
        if word in line and not line.replace(word, "").strip(" -'\""):
            return False
    return True


def _keeps_lines(sources: Sources, text: str) -> bool:
    """Tell whether every line of the result is the same line of the entry file."""
    source = sources.files[sources.entry]
    if text.count("\n") != source.count("\n") or any(mark in source for mark in ("{%-", "-%}", "{{-", "-}}")):
        return False
    return next(bare_environment().parse(source).find_all(_MOVING), None) is None
