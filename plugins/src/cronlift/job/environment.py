"""The Jinja environment of every manifest: strict, sandboxed, with Airflow's filters and its `do`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from cronlift.job.limits import SIZE_LIMIT_CHARACTERS, LimitError

POWER_LIMIT = 1000


class ManifestEnvironment(SandboxedEnvironment):
    """A sandbox whose operators refuse to make huge values."""

    intercepted_binops = frozenset({"*", "**", "+"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse an operation whose result would be larger than a manifest may be."""
        if operator == "**" and isinstance(right, (int, float)) and abs(right) > POWER_LIMIT:
            raise LimitError(f"a power of more than {POWER_LIMIT}")
        if operator == "*" and _length(left) * _factor(right) + _length(right) * _factor(left) > SIZE_LIMIT_CHARACTERS:
            raise LimitError("a repetition larger than a manifest may be")
        if operator == "+" and _length(left) + _length(right) > SIZE_LIMIT_CHARACTERS:
            raise LimitError("a value larger than a manifest may be")
        return super().call_binop(context, operator, left, right)


def bare_environment(files: Mapping[str, str] | None = None) -> ManifestEnvironment:
    """Make the environment of a manifest.

    Args:
        files: Name -> source of the templates that can be extended, included and imported.
    """
    sources = dict(files or {})

    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        # A name as the file name: Jinja puts that, and not the name, into the tracebacks that give the line of a fault.
        return (sources[name], name, lambda: True) if name in sources else None

    environment = ManifestEnvironment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        extensions=["jinja2.ext.do"],
    )
    environment.filters.update(_DATE_FILTERS)
    return environment


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
