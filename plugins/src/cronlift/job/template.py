"""Render a manifest: sandboxed, strict, and with limits, because the triggerer renders for everybody.

A template may fail only its own task. So: no access to Python's internals, an error for a name that is not defined,
and limits on time, size and loops. Rendering is synchronous; callers on an event loop run it in a thread.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, UndefinedError

from cronlift.errors import ManifestError
from cronlift.job.environment import ManifestEnvironment, bare_environment
from cronlift.job.images import Images
from cronlift.job.limits import LimitError, Limits, bounded, time_limit
from cronlift.job.plain import as_one, read_plain
from cronlift.job.sources import Sources

__all__ = ["Images", "render", "render_leaves", "rendered_position", "template_position"]

# What Airflow leaves out of the context of a run without a logical date.
_NEEDS_LOGICAL_DATE = re.compile(
    r"'(ds|ds_nodash|ts|ts_nodash|ts_nodash_with_tz|logical_date|data_interval_\w+|prev_\w+)' is undefined"
)


def render(
    sources: Sources,
    context: Mapping[str, Any],
    images: Images,
    *,
    values: Mapping[str, Any] | None = None,
    job_name: str | None = None,
    limits: Limits | None = None,
) -> Any:
    """Render a manifest.

    Args:
        sources: What `collect` found.
        context: Airflow's template context, or as much of it as there is.
        images: What `images` means in the template.
        values: The task's own names; `names.refused_value_names` has checked that they hide nothing.
        job_name: What `job_name` means in the template, for naming what comes with the Job.
        limits: Defaults to 40 s and 1 MiB.

    Returns:
        YAML text, or the rendered dict when the DAG gave a dict; of a manifest that is no template, always a dict.

    Raises:
        ManifestError: A name is not defined, a filter failed, an image is unknown, or a limit was passed; with
            file and line.
    """
    if not sources.templated:
        given = sources.files[sources.entry] if sources.document is None else sources.document
        return as_one(read_plain(sources.entry, given, images))
    limits = limits or Limits()
    environment = bare_environment(sources.files)
    # Globals, as Airflow's names are not: what is imported without "with context" sees these too.
    environment.globals |= {"images": images} | ({"job_name": job_name} if job_name is not None else {})
    known = {**(values or {}), **context}
    with _naming_the_line(sources.entry), time_limit(limits.seconds):
        if sources.document is not None:
            return render_leaves(environment, sources.document, known, limits)
        return bounded(environment.get_template(sources.entry).generate(**known), limits)


def render_leaves(environment: ManifestEnvironment, value: Any, context: Mapping[str, Any], limits: Limits) -> Any:
    """Render each string of a dict, at any depth; its keys are left as they are."""
    if isinstance(value, str):
        return bounded(environment.from_string(value).generate(**context), limits)
    if isinstance(value, dict):
        return {key: render_leaves(environment, each, context, limits) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [render_leaves(environment, each, context, limits) for each in value]
    return value


@contextmanager
def _naming_the_line(entry: str) -> Iterator[None]:
    """Turn what rendering raises into a ManifestError with the template's own file and line."""
    try:
        yield
    except ManifestError as error:
        raise ManifestError(
            error.what, where=error.where or template_position(error, entry), cure=error.cure
        ) from error
    except LimitError as error:
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
    except RecursionError as error:
        raise ManifestError(
            "a template includes, extends or calls itself without an end", where=entry, cure="Break the circle."
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


def rendered_position(entry: str) -> str:
    """Return `name:line` of the template that is being rendered, for what it calls; the entry's name outside of one."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        # Jinja's mark in the globals of the code that it makes of a template; what it calls has others.
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            return f"{template.name or entry}:{template.get_corresponding_lineno(frame.f_lineno)}"
        frame = frame.f_back
    return entry
