"""What the platform costs when nothing runs, and what `make up` costs when all is up."""

import json
import re
import time
from typing import Any

from ci.airflow_api import Airflow
from ci.kubectl import get, kubectl
from ci.release import NAMESPACE
from tests.live.make import make

POD_SUFFIX = re.compile(r"(-[0-9a-z]{6,10}-[0-9a-z]{5}|-\d+)$")


def test_idle_memory_of_each_component(airflow: Airflow, figures: dict[str, Any]) -> None:
    node = get("nodes")["items"][0]["metadata"]["name"]
    stats = json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    memory = {
        f"{POD_SUFFIX.sub('', pod['podRef']['name'])}/{container['name']}": round(
            container["memory"]["workingSetBytes"] / 2**20
        )
        for pod in stats["pods"]
        if pod["podRef"]["namespace"] == NAMESPACE
        for container in pod.get("containers", [])
        if container.get("memory", {}).get("workingSetBytes")
    }
    figures["idle_memory_mib"] = {**dict(sorted(memory.items())), "sum": sum(memory.values())}
    for component in ("api-server", "scheduler", "triggerer", "dag-processor", "postgres"):
        assert any(name.startswith(f"cronlift-{component}/") for name in memory), sorted(memory)


def test_second_make_up(airflow: Airflow, figures: dict[str, Any]) -> None:
    make("up")  # Brings in what was edited since the last one.
    started = time.monotonic()
    done = make("up")
    assert done.returncode == 0, done.stdout + done.stderr
    figures["second_make_up_seconds"] = round(time.monotonic() - started, 1)
