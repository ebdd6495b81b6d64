"""The Jinja environment of every manifest: strict, sandboxed, with Airflow's filters and its `do`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.sandbox import SandboxedEnvironment

from cronlift.job import bounds


class _CodeGenerator(CodeGenerator):
    """Jinja's, but `~` asks the environment, as the other operators do."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        """Write the code of `a ~ b`."""
        self.write("environment.concat((")
        for each in node.nodes:
            self.visit(each, frame)
            self.write(", ")
        self.write("))")


class ManifestEnvironment(SandboxedEnvironment):
    """A sandbox whose operators, methods and filters refuse to make huge values."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})
    code_generator_class = _CodeGenerator
    # Joins what a macro, a block, or `~` gives.
    concat = staticmethod(partial(bounds.join, ""))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Carry out an operation whose result is not larger than a manifest may be."""
        bounds.check_operation(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what a template calls, unless its result would be huge."""
        bounds.check_call(__obj, args, kwargs)
        return super().call(__context, __obj, *args, **kwargs)


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
        finalize=bounds.refuse_large,  # before a list or a dict is printed
    )
    environment.filters.update(bounds.bounded_filters(environment.filters))
    environment.filters.update(_DATE_FILTERS)
    environment.globals.pop("lipsum", None)
    return environment


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
