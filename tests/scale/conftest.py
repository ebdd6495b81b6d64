"""Figures of the scale tier: collected over its tests, written to build/, and in the long form to the docs."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from ci.cluster import choose
from tests.live import measurements
from tests.live.fixtures import airflow, kube_config, pytest_runtest_makereport  # noqa: F401 - pytest finds them here
from tests.scale import report

LONG = bool(os.environ.get("LONG"))
# Dozens of Jobs through Airflow run in other tiers; the thousand is for `make scale`.
collect_ignore = [] if LONG else ["test_airflow.py"]


@pytest.fixture(scope="session")
def figures() -> Iterator[dict[str, Any]]:
    """Collect what the tests measure."""
    machine = measurements.machine()
    found: dict[str, Any] = {}
    yield found
    if found:
        report.keep(machine, choose().name, found, to_docs=LONG)
