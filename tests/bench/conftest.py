import os
from collections.abc import Iterator
from typing import Any

import pytest

from ci.cluster import choose
from tests.live import measurements
from tests.live.fixtures import (  # noqa: F401 - pytest finds fixtures and hooks by their name here
    airflow,
    kube_config,
    pytest_runtest_makereport,
    scratch_dag,
    scratch_dag_maker,
)

# A first install of its own and minutes of idleness: for `make bench`.
collect_ignore = [] if os.environ.get("LONG") else ["test_chart.py"]


@pytest.fixture(scope="session")
def figures() -> Iterator[dict[str, Any]]:
    """Collect what the tests measure; at the end it is printed and written to build/bench.json."""
    machine = measurements.machine()
    found: dict[str, Any] = {}
    yield found
    if found:
        path = measurements.write("bench", machine, {"cluster": choose().name, **found})
        print(f"\n{path.read_text()}")
