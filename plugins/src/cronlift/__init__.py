"""Run Kubernetes Jobs from Airflow without a worker.

`from cronlift import KubernetesJobOperator` is all that a DAG file needs. The import itself costs nothing: names are
looked up when they are first used (PEP 562), so that the DAG processor, which parses every file again and again, loads
no more than the operator.
"""

TYPE_CHECKING = False  # not from typing, whose import takes longer than all the rest; checkers know the name
if TYPE_CHECKING:
    from cronlift.airflow.operator import KubernetesJobOperator
    from cronlift.airflow.timetable import CrontabTimetable
    from cronlift.errors import CronliftError

__all__ = ["CronliftError", "CrontabTimetable", "KubernetesJobOperator"]

_HOMES = {
    "CronliftError": "cronlift.errors",
    "CrontabTimetable": "cronlift.airflow.timetable",
    "KubernetesJobOperator": "cronlift.airflow.operator",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'cronlift' has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
