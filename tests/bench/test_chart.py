"""What a first install takes and an idle release costs, written into docs/chart-figures.md; in the long form alone."""

from dataclasses import asdict
from typing import Any

import pytest

from ci import chart_facts
from ci.airflow_api import Airflow
from tests.live import measurements
from tests.live.fresh_release import NAME, NAMESPACE, fresh_release
from tests.live.pod_usage import Usage, idle

SETTLE_SECONDS = 90
"""After its start Airflow is busy for a while: caches, first parses."""

IDLE_SECONDS = 180
INSTALLS = 3


@pytest.mark.timeout(3600)
def test_first_install_and_idle_release(airflow: Airflow, figures: dict[str, Any]) -> None:
    machine = measurements.machine()
    seconds = []
    for number in range(INSTALLS):
        with fresh_release() as fresh:
            seconds.append(round(fresh.seconds))
            if number == INSTALLS - 1:
                idle(NAMESPACE, SETTLE_SECONDS)
                parts = {name.removeprefix(f"{NAME}-"): found for name, found in idle(NAMESPACE, IDLE_SECONDS).items()}
    figures["chart"] = {"ready_seconds": seconds, "idle": {name: asdict(found) for name, found in parts.items()}}
    assert {name.partition("/")[0] for name in parts} >= {"api-server", "scheduler", "dag-processor", "triggerer"}
    chart_facts.write_measured(table(machine, seconds, parts))


def table(machine: dict[str, Any], seconds: list[int], parts: dict[str, Usage]) -> str:
    """Return the measured part of docs/chart-figures.md."""
    total = Usage(sum(part.cpu_seconds for part in parts.values()), sum(part.memory_mib for part in parts.values()))
    head = (
        f"{measurements.today()}, {machine['cpus']} cores ({machine['cpu'].strip()}), {machine['memory_gib']:g} GiB, "
        f"kernel {machine['kernel']}; load before {machine['load_before']:g}. The platform's own idle release ran "
        f"beside it; images were on the node. Idle: over {IDLE_SECONDS} s, {SETTLE_SECONDS} s after the start."
    )
    rows = [
        ("`helm upgrade --install --wait=watcher` from empty: all ready after", " / ".join(f"{s} s" for s in seconds)),
        *((f"idle: {name}", _words(part)) for name, part in parts.items()),
        ("idle: all together", _words(total)),
    ]
    lines = ["| | this chart | official chart 1.22.0 |", "| --- | --- | --- |"]
    return "\n".join([head, "", *lines, *(f"| {name} | {words} | not measured |" for name, words in rows)])


def _words(part: Usage) -> str:
    return f"{part.cpu_seconds:.1f} s of CPU a minute, {part.memory_mib:.0f} MiB"
