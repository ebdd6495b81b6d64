"""Which arguments of the trigger need not be stored.

A task's arguments lie in its serialized DAG, and Airflow 3.3.2 copies the whole DAG for each trigger that it starts, in
the triggerer and in the process that runs triggers. What every task says alike is paid for by all.
"""

from collections.abc import Mapping
from typing import Any

from cronlift.airflow.outcome import FINISH_IN_TRIGGERER

DEFAULTS: dict[str, Any] = {
    "files": {},
    "document": None,
    "values": None,
    "templated": True,
    "cluster": None,
    "delete_policy": "on_success",
    "start_timeout_seconds": None,
    "result_from": None,
    "mapped_over": False,
    "logs": "live",
    "tail_lines": None,
    "tail_every_seconds": None,
    "log_manifest": False,
    "finish": FINISH_IN_TRIGGERER,
    "execution_timeout_seconds": None,
    "retries": 0,
    "rendered": None,
    "identity": None,
}
"""What `JobTrigger` takes for an argument that is left out."""


def without_defaults(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the trigger takes anyway.

    Args:
        arguments: Of `JobTrigger`, by name.
    """
    return {name: value for name, value in arguments.items() if name not in DEFAULTS or value != DEFAULTS[name]}
