"""The names that a manifest's templates may use: Airflow's, cronlift's and the task's own values."""

import difflib
import keyword
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import nodes
from jinja2.meta import TrackingCodeGenerator

from cronlift.errors import ManifestError
from cronlift.job.environment import bare_environment
from cronlift.job.sources import CACHED_TEMPLATES, Sources, texts_in

# What Airflow 3.3.2 puts into the template context of a task that starts; a test compares both lists with its own.
# fmt: off
CONTEXT_NAMES = frozenset({
    "asset_state_store", "conn", "dag", "dag_run", "data_interval_end", "data_interval_start", "ds", "ds_nodash",
    "inlet_events", "inlets", "logical_date", "macros", "map_index_template", "outlet_events", "outlets", "params",
    "partition_date", "partition_key", "prev_data_interval_end_success", "prev_data_interval_start_success",
    "prev_end_date_success", "prev_start_date_success", "run_id", "task", "task_instance", "task_instance_key_str",
    "task_reschedule_count", "task_state_store", "ti", "triggering_asset_events", "ts", "ts_nodash",
    "ts_nodash_with_tz", "var",
})
# fmt: on
# What Airflow knows as a name of its context, but gives to callbacks or to other operators only.
ABSENT_NAMES = frozenset({"exception", "expanded_ti_count", "reason", "templates_dict", "test_mode", "try_number"})
# What never returns where manifests are rendered (Airflow 3.3.2), and is refused there.
HANGING_NAMES = frozenset(
    {
        "prev_data_interval_end_success",
        "prev_data_interval_start_success",
        "prev_end_date_success",
        "prev_start_date_success",
    }
)
OWN_NAMES = frozenset({"images", "job_name"})
# What Jinja gives a meaning of its own inside a block, a loop or a macro.
_JINJA_NAMES = frozenset({"self", "super", "loop", "caller", "varargs", "kwargs", "true", "false", "none", "not"})


def refused_value_names(values: Mapping[Any, Any]) -> list[str]:
    """Say which names of a task's `values` a manifest could not use, or would take for something else.

    Args:
        values: Name -> value.

    Returns:
        A sentence for each, with its cure; empty when all are well.
    """
    faults = []
    for name in values:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            faults.append(f"values has {name!r}, which is no name. Write it like values={{'shard': 1}}.")
        elif name in CONTEXT_NAMES | ABSENT_NAMES:
            faults.append(f"values has {name!r}, which is Airflow's own in every template. Call it something else.")
        elif name in OWN_NAMES:
            faults.append(f"values has {name!r}, which cronlift gives to every manifest. Call it something else.")
        elif name in _JINJA_NAMES:
            faults.append(f"values has {name!r}, which means something in Jinja. Call it something else.")
    return faults


def names_used(sources: Sources) -> set[str]:
    """Return every name that a manifest's templates look up outside themselves, in all their branches.

    Args:
        sources: What `collect` found.

    Returns:
        Names of Airflow's context, of values, `images`, `job_name`, and any that nobody gives. Names that one template
        sets for another are among them.
    """
    return {name for _, text in _templates(sources) for name in _names_in(text).wanted}


def unknown_names(sources: Sources, values: Collection[str] = ()) -> list[ManifestError]:
    """Find the names that nothing gives, or that never return: rendering would fail on them, if it comes by.

    A name that a template sets, or that has a default or a test for being defined, is not among them.

    Args:
        sources: What `collect` found.
        values: Names of the task's values.

    Returns:
        One fault a name and template, with its line and the nearest name that exists.
    """
    found = [(place, _names_in(text)) for place, text in _templates(sources)]
    known = (CONTEXT_NAMES - HANGING_NAMES) | OWN_NAMES | set(values)
    spared = {name for _, names in found for name in names.spared}
    faults = []
    for place, names in found:
        for name in sorted(names.wanted.keys() - known - spared):
            # A string of a dict has no line that the DAG's author would know.
            where = f"{place}:{names.wanted[name]}" if place in sources.files else place
            faults.append(unknown_name(name, known, where))
    return faults


def unknown_name(name: str, known: Collection[str], where: str) -> ManifestError:
    """Make the fault of a name that nothing gives, or that never returns."""
    if name in HANGING_NAMES:
        return ManifestError(
            f"{name} cannot be read where manifests are rendered (Airflow 3.3.2)",
            where=where,
            cure="Use logical_date, data_interval_start or data_interval_end, or pass the value by an XCom.",
        )
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    cure = f"Did you mean {near[0]!r}? Otherwise give" if near else "Give"
    if name in ABSENT_NAMES:
        cure = "Airflow gives it to callbacks only; see ti, such as {{ ti.try_number }}. Otherwise give"
    return ManifestError(
        f"nothing is called {name!r}: neither Airflow's context nor the task's values",
        where=where,
        cure=f"{cure} the task values={{{name!r}: ...}}, or a default: {{{{ {name} | default('') }}}}.",
    )


@dataclass(frozen=True)
class _Names:
    """The names in one template.

    Args:
        wanted: Name -> line, of what it looks up outside itself.
        spared: What it sets, or can do without.
    """

    wanted: Mapping[str, int]
    spared: frozenset[str]


@lru_cache(maxsize=CACHED_TEMPLATES)
def _names_in(text: str) -> _Names:
    environment = bare_environment()
    tree = environment.parse(text)
    # As `jinja2.meta.find_undeclared_variables`, which would also work constants out, and fail where they do.
    tracker = TrackingCodeGenerator(environment)
    tracker.optimizer = None
    tracker.visit(tree)
    lines: dict[str, int] = {}
    for each in tree.find_all(nodes.Name):
        lines.setdefault(each.name, each.lineno)
    wanted = tracker.undeclared_identifiers - _JINJA_NAMES
    return _Names({name: lines.get(name, 1) for name in wanted}, frozenset(_set_names(tree) | _optional_names(tree)))


def _templates(sources: Sources) -> Iterator[tuple[str, str]]:
    if not sources.templated:
        return
    yield from sources.files.items()
    for text in texts_in(sources.document):
        yield sources.entry, text


def _set_names(tree: nodes.Template) -> set[str]:
    """Return what a template sets or imports: templates that it includes or extends may see that."""
    found = {each.name for each in tree.find_all(nodes.Name) if each.ctx in ("store", "param")}
    found |= {each.name for each in tree.find_all(nodes.Macro)}
    found |= {each.target for each in tree.find_all(nodes.Import)}
    for each in tree.find_all(nodes.FromImport):
        found |= {name if isinstance(name, str) else name[1] for name in each.names}
    return found


def _optional_names(tree: nodes.Template) -> set[str]:
    """Return what a template can do without: `name | default(...)`, `name is defined`."""
    found: set[str] = set()
    for each in tree.find_all(nodes.Filter):
        if each.name in ("default", "d") and isinstance(each.node, nodes.Name):
            found.add(each.node.name)
    for test in tree.find_all(nodes.Test):
        if test.name in ("defined", "undefined") and isinstance(test.node, nodes.Name):
            found.add(test.node.name)
    return found
