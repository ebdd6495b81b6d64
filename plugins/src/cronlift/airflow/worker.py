"""When a task needs a worker after all: what Airflow 3.3.2 does on a worker only."""

from datetime import datetime, timedelta
from math import isfinite
from types import NoneType
from typing import Any

from cronlift.airflow.outcome import FINISH_IN_TRIGGERER, FINISH_IN_WORKER

# Settings of a DAG that say how Airflow renders values.
_FOR_VALUES = ("user_defined_filters", "render_template_as_native_obj", "jinja_environment_kwargs")
# What Airflow 3.3.2 stores in a DAG, sends to the process that runs triggers, and reads back as it was.
_PLAIN = (str, bool, timedelta, NoneType)
_INTEGERS = range(-(2**63), 2**64)
_FOR_THE_END = ("outlets", "on_success_callback", "email", "retry_policy", "multiple_outputs", "_post_execute_hook")


def reasons_to_start_in_worker(task: Any) -> list[str]:
    """Name what only works when the task starts on a worker.

    A pool and the max_active_tis_* do not bound tasks that start in the triggerer (4 tasks of a pool with one slot ran
    at once). Results of other tasks arrive there unresolved, and user_defined_macros do not arrive at all. Values are
    stored in the serialized DAG for it, where Airflow writes a function, or an object of a class, as its `str`.

    Args:
        task: An operator that is not mapped; a mapped one starts on a worker always.

    Returns:
        Names of arguments; empty when the task can start in the triggerer.
    """
    found = []
    if task.pool != "default_pool" or task.pool_slots != 1:
        found.append("pool")
    if task.max_active_tis_per_dag is not None or task.max_active_tis_per_dagrun is not None:
        found.append("max_active_tis")
    if task.on_execute_callback:
        found.append("on_execute_callback")
    if task._pre_execute_hook is not None:
        found.append("pre_execute")
    if _holds_references(task.values):
        found.append("values with another task's result")
    elif not _is_plain(task.values):
        found.append("values that are no plain data")
    dag = task.get_dag()
    if dag is not None and getattr(dag, "user_defined_macros", None):
        found.append("user_defined_macros")
    if task.values:
        found += [name for name in _FOR_VALUES if getattr(dag, name, None)]
    return found


def reasons_to_finish_in_worker(task: Any) -> list[str]:
    """Name what only works when the task ends on a worker: ended in the triggerer, it would be silently left out.

    Args:
        task: An operator.

    Returns:
        Names of arguments; empty when the task can end in the triggerer.
    """
    found = [name.strip("_") for name in _FOR_THE_END if getattr(task, name, None)]
    if getattr(task, "map_index_template", None):
        found.append("map_index_template")
    dag = task.get_dag()
    if dag is not None and getattr(dag, "fail_fast", False):
        found.append("fail_fast")
    return found


def finish_of(task: Any) -> str:
    """Return where a task ends."""
    return FINISH_IN_WORKER if reasons_to_finish_in_worker(task) else FINISH_IN_TRIGGERER


def _holds_references(value: Any) -> bool:
    """Tell whether a value holds another task's result, or an argument of a mapped task group, at any depth."""
    if hasattr(value, "iter_references") and hasattr(value, "resolve"):  # Airflow's private ResolveMixin
        return True
    if isinstance(value, dict):
        return any(_holds_references(each) for each in value.values())
    return isinstance(value, (list, tuple, set)) and any(_holds_references(each) for each in value)


def _is_plain(value: Any) -> bool:
    """Tell whether a value comes out of the serialized DAG as it went in."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    if isinstance(value, (list, tuple, set)):
        return all(_is_plain(each) for each in value)
    if isinstance(value, datetime):
        return value.tzinfo is not None
    if isinstance(value, (int, float)):
        return value in _INTEGERS if isinstance(value, int) else isfinite(value)
    return isinstance(value, _PLAIN)
