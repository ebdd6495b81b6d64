"""What the platform costs when nothing runs, and what `make up` costs when all is up."""

import time
from typing import Any

from ci.airflow_api import Airflow
from ci.release import NAMESPACE
from tests.live.make import make
from tests.live.pod_usage import usage


def test_idle_memory_of_each_component(airflow: Airflow, figures: dict[str, Any]) -> None:
    memory = {name: round(found.memory_mib) for name, found in usage(NAMESPACE).items()}
    figures["idle_memory_mib"] = {**dict(sorted(memory.items())), "sum": sum(memory.values())}
    for component in ("api-server", "scheduler", "triggerer", "dag-processor", "postgres"):
        assert any(name.startswith(f"cronlift-{component}/") for name in memory), sorted(memory)


def test_second_make_up(airflow: Airflow, figures: dict[str, Any]) -> None:
    make("up")  # Brings in what was edited since the last one.
    started = time.monotonic()
    done = make("up")
    assert done.returncode == 0, done.stdout + done.stderr
    figures["second_make_up_seconds"] = round(time.monotonic() - started, 1)
