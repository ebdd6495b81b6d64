"""Render a manifest before there is a run, with guesses for every value, to find faults while the DAG is parsed.

A guess stands for any value: it prints as a word, can be called, indexed, compared and looped over. What the result
shows is certain only where no guess decides it, so this module also tells which findings to believe.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError, Undefined, nodes

from cronlift.errors import ManifestError
from cronlift.job.environment import bare_environment
from cronlift.job.limits import LimitError, Limits, bounded, time_limit
from cronlift.job.sources import Sources
from cronlift.job.template import Images, render_leaves, template_position

GUESS = "cronlift-guess"
_TRIAL_LIMITS = Limits(seconds=5.0)


class Guess(Undefined):
    """Any value: prints as a word, and every operation on it gives another guess.

    An Undefined refuses every operation, which mypy takes for a promise; a guess breaks it on purpose.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return GUESS

    def __call__(self, *_: Any, **__: Any) -> "Guess":  # type: ignore[override]  # noqa: D102 - a magic method
        return self

    def __getattr__(self, name: str) -> "Guess":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _: Any) -> "Guess":  # type: ignore[override]
        return self

    def __iter__(self) -> Iterator["Guess"]:
        yield self

    def __len__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        return True

    def __int__(self) -> int:  # type: ignore[override]
        return 1

    def __float__(self) -> float:  # type: ignore[override]
        return 1.0

    def _operate(self, *_: Any) -> "Guess":
        return self

    def _compare(self, _: Any) -> bool:
        return True

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operate  # type: ignore[assignment]
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = _operate  # type: ignore[assignment]
    __lt__ = __le__ = __gt__ = __ge__ = _compare  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return hash(GUESS)


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


def try_rendering(sources: Sources, images: Images | None) -> Trial | None:
    """Render with guesses.

    Args:
        sources: What `collect` found.
        images: The deployment's images, or None where they are not known (a laptop); then any name passes.

    Returns:
        The result, or None when the template needs real values to render at all.

    Raises:
        ManifestError: The template names an image that the deployment does not have.
    """
    environment = bare_environment(sources.files)
    environment.undefined = Guess
    if images is not None:
        environment.globals["images"] = images
    try:
        with time_limit(_TRIAL_LIMITS.seconds):
            if sources.document is not None:
                return Trial(render_leaves(environment, sources.document, {}, _TRIAL_LIMITS), True, False)
            text = bounded(environment.get_template(sources.entry).generate(), _TRIAL_LIMITS)
    except ManifestError as error:
        where = template_position(error, sources.entry)
        raise ManifestError(error.what, where=where, cure=error.cure) from error
    except (TemplateError, LimitError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError):
        return None
    certain = all(line.replace(GUESS, "").strip(" -'\"") or GUESS not in line for line in text.splitlines())
    return Trial(text, certain, _keeps_lines(sources))


def _keeps_lines(sources: Sources) -> bool:
    """Tell whether every line of the result is the same line of the entry file."""
    tree = bare_environment().parse(sources.files[sources.entry])
    moving: tuple[type[nodes.Node], ...] = (nodes.For, nodes.Include, nodes.Extends, nodes.Macro, nodes.Block, nodes.If)
    source = sources.files[sources.entry]
    still = next(tree.find_all(moving), None) is None
    return still and "{%-" not in source and "-%}" not in source and "{{-" not in source


def literal_secrets(document: Mapping[str, Any]) -> list[str]:
    """Return the keys of a Secret document whose values hold no reference to a connection or variable.

    Args:
        document: A Secret from a trial rendering.
    """
    found = []
    for block in ("data", "stringData"):
        for key, value in (document.get(block) or {}).items():
            if GUESS not in str(value):
                found.append(f"{block}.{key}")
    return found
