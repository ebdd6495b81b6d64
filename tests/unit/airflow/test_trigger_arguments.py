"""What every task says alike is not stored in its DAG."""

import inspect

from cronlift.airflow.trigger import JobTrigger
from cronlift.airflow.trigger_arguments import DEFAULTS, without_defaults


def test_defaults_are_those_of_the_trigger():
    """The operator must not import the trigger, so they stand in a module of their own."""
    parameters = inspect.signature(JobTrigger.__init__).parameters
    taken = {name: each.default for name, each in parameters.items() if name not in ("self", "entry")}
    assert taken | {"files": {}} == DEFAULTS


def test_only_what_differs_is_kept():
    assert without_defaults({"entry": "a", "files": {}, "retries": 0, "logs": "off"}) == {"entry": "a", "logs": "off"}


def test_zero_is_not_taken_for_false():
    assert without_defaults({"start_timeout_seconds": 0.0}) == {"start_timeout_seconds": 0.0}
