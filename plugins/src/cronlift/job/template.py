"""Render a manifest: sandboxed, strict, and with limits, because the triggerer renders for everybody.

A template may fail only its own task. So: no access to Python's internals, an error for a name that is not defined,
and limits on time, size and loops. Rendering is synchronous; callers on an event loop run it in a thread.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import FrameType
from typing import TYPE_CHECKING, Any

from jinja2 import FunctionLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from cronlift.errors import ManifestError

if TYPE_CHECKING:
    from cronlift.job.sources import Sources

# etcd refuses objects of more than 1.5 MiB.
SIZE_LIMIT_CHARACTERS = 1024 * 1024
# Variables and connections are fetched while rendering: the first one of a triggerer may take 15 s (Airflow 3.3.2).
TIME_LIMIT_SECONDS = 40.0
POWER_LIMIT = 1000
# What Airflow leaves out of the context of a run without a logical date.
_NEEDS_LOGICAL_DATE = re.compile(
    r"'(ds|ds_nodash|ts|ts_nodash|ts_nodash_with_tz|logical_date|data_interval_\w+|prev_\w+)' is undefined"
)


class Images(Mapping[str, str]):
    """The deployment's job images by name: `{{ images.legacy }}`.

    Args:
        known: Name -> reference, from CRONLIFT_JOB_IMAGES.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)

    def __getitem__(self, name: str) -> str:
        if name not in self._known:
            known = ", ".join(sorted(self._known)) or "none"
            raise ManifestError(
                f"no job image is called {name!r}",
                cure=f"Known images: {known}. Use one of them, write the image's full name, or add {name!r} under "
                "jobImages in the environment's values.",
            )
        return self._known[name]

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class ManifestEnvironment(SandboxedEnvironment):
    """A sandbox whose operators refuse to make huge values."""

    intercepted_binops = frozenset({"*", "**", "+"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse an operation whose result would be larger than a manifest may be."""
        if operator == "**" and isinstance(right, (int, float)) and abs(right) > POWER_LIMIT:
            raise _LimitError(f"a power of more than {POWER_LIMIT}")
        if operator == "*" and _length(left) * _factor(right) + _length(right) * _factor(left) > SIZE_LIMIT_CHARACTERS:
            raise _LimitError("a repetition larger than a manifest may be")
        if operator == "+" and _length(left) + _length(right) > SIZE_LIMIT_CHARACTERS:
            raise _LimitError("a value larger than a manifest may be")
        return super().call_binop(context, operator, left, right)


class _LimitError(Exception):
    """A template went over a limit."""


@dataclass(frozen=True)
class Limits:
    """What a template may use.

    Args:
        seconds: Wall time.
        characters: Size of the result.
    """

    seconds: float = TIME_LIMIT_SECONDS
    characters: int = SIZE_LIMIT_CHARACTERS


def bare_environment(files: Mapping[str, str] | None = None) -> ManifestEnvironment:
    """Make the environment of every manifest: strict, sandboxed, with Airflow's date filters."""
    sources = dict(files or {})

    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        # A name as the file name: Jinja puts that, and not the name, into the tracebacks that give the line of a fault.
        return (sources[name], name, lambda: True) if name in sources else None

    environment = ManifestEnvironment(
        loader=FunctionLoader(load), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    environment.filters.update(_DATE_FILTERS)
    return environment


def render(sources: "Sources", context: Mapping[str, Any], images: Images, limits: Limits | None = None) -> Any:
    """Render a manifest.

    Args:
        sources: What `collect` found.
        context: Airflow's template context, or as much of it as there is.
        images: What `images` means in the template.
        limits: Defaults to 40 s and 1 MiB.

    Returns:
        YAML text, or the rendered dict when the DAG gave a dict.

    Raises:
        ManifestError: A name is not defined, a filter failed, an image is unknown, or a limit was passed; with
            file and line.
    """
    limits = limits or Limits()
    environment = bare_environment(sources.files)
    environment.globals["images"] = images
    with _naming_the_line(sources.entry), _time_limit(limits.seconds):
        if sources.document is not None:
            return _render_leaves(environment, sources.document, context, limits)
        return _bounded(environment.get_template(sources.entry).generate(**context), limits)


def _render_leaves(environment: ManifestEnvironment, value: Any, context: Mapping[str, Any], limits: Limits) -> Any:
    if isinstance(value, str):
        return _bounded(environment.from_string(value).generate(**context), limits)
    if isinstance(value, dict):
        return {key: _render_leaves(environment, each, context, limits) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_render_leaves(environment, each, context, limits) for each in value]
    return value


def _bounded(pieces: Iterator[str], limits: Limits) -> str:
    kept, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > limits.characters:
            raise _LimitError(f"a result of more than {limits.characters} characters")
        kept.append(piece)
    return "".join(kept)


@contextmanager
def _naming_the_line(entry: str) -> Iterator[None]:
    """Turn what rendering raises into a ManifestError with the template's own file and line."""
    try:
        yield
    except ManifestError as error:
        raise ManifestError(
            error.what, where=error.where or template_position(error, entry), cure=error.cure
        ) from error
    except _LimitError as error:
        raise ManifestError(
            f"the template was stopped: {error}",
            where=template_position(error, entry),
            cure="Look for a loop without an end or a value that grows; large data belongs into the image.",
        ) from error
    except UndefinedError as error:
        raise ManifestError(
            f"{error.message}",
            where=template_position(error, entry),
            cure=_cure_of_undefined(error.message or ""),
        ) from error
    except TemplateSyntaxError as error:
        raise ManifestError(
            f"Jinja syntax error: {error.message}", where=f"{error.name or entry}:{error.lineno}", cure="Correct it."
        ) from error
    except TemplateNotFound as error:
        raise ManifestError(
            f"template {error.name!r} was not found", where=entry, cure="Include it by its literal name."
        ) from error
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ManifestError(
            f"{type(error).__name__}: {error}", where=template_position(error, entry), cure="Correct the expression."
        ) from error


def _cure_of_undefined(message: str) -> str:
    if _NEEDS_LOGICAL_DATE.match(message):
        return (
            "This run was triggered without a logical date. Trigger it with one, or use run_id or "
            "{{ dag_run.run_after | ds }}, which every run has."
        )
    return (
        "Check the spelling, or give a default: {{ name | default('value') }}. "
        "The DAG's user_defined_macros are not known here: use params."
    )


def template_position(error: BaseException, entry: str) -> str:
    """Return `name:line` of the innermost template frame of an error; the entry's name when there is none."""
    place, trace = entry, error.__traceback__
    while trace is not None:
        # Jinja gives its frames these names, and the template's own lines.
        code = trace.tb_frame.f_code
        if code.co_name in ("top-level template code", "template") or code.co_name.startswith("block "):
            place = f"{entry if code.co_filename.startswith('<') else code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Stop this thread's Python code when its time is over; nothing else can stop a synchronous template."""
    deadline, previous = time.monotonic() + seconds, sys.gettrace()

    def stop_when_late(_frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any]:
        if time.monotonic() > deadline:
            raise _LimitError(f"more than {seconds:g} s")
        return stop_when_late

    sys.settrace(stop_when_late)
    try:
        yield
    finally:
        sys.settrace(previous)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes, list, tuple)) else 0


def _factor(value: Any) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _formatted(pattern: str) -> Callable[[datetime | None], str]:
    return lambda value: value.strftime(pattern) if value else ""


# The filters that Airflow gives to templates, so that manifests read like every other template.
_DATE_FILTERS: dict[str, Callable[[datetime | None], str]] = {
    "ds": _formatted("%Y-%m-%d"),
    "ds_nodash": _formatted("%Y%m%d"),
    "ts": lambda value: value.isoformat() if value else "",
    "ts_nodash": _formatted("%Y%m%dT%H%M%S"),
    "ts_nodash_with_tz": lambda value: value.isoformat().replace("-", "").replace(":", "") if value else "",
}
