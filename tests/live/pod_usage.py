"""What the pods of a namespace use, as the kubelet counts it."""

import json
import re
import time
from dataclasses import dataclass
from typing import Any

from ci.kubectl import get, kubectl

POD_SUFFIX = re.compile(r"(-[0-9a-z]{6,10}-[0-9a-z]{5}|-\d+)$")
"""What a Deployment or a StatefulSet adds to its own name."""


@dataclass(frozen=True)
class Usage:
    """Of one container: CPU time so far, and the memory that cannot be taken back."""

    cpu_seconds: float
    memory_mib: float


def usage(namespace: str) -> dict[str, Usage]:
    """Return `<workload>/<container>` -> its usage; containers that have ended are left out."""
    node = get("nodes")["items"][0]["metadata"]["name"]
    stats = json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))
    return {
        f"{POD_SUFFIX.sub('', pod['podRef']['name'])}/{container['name']}": _usage(container)
        for pod in stats["pods"]
        if pod["podRef"]["namespace"] == namespace
        for container in pod.get("containers", [])
        if container.get("memory", {}).get("workingSetBytes")
    }


def idle(namespace: str, seconds: float) -> dict[str, Usage]:
    """Measure for some time; return the CPU seconds a minute, and the memory at the end."""
    before, started = usage(namespace), time.monotonic()
    time.sleep(seconds)
    after, took = usage(namespace), time.monotonic() - started
    return {
        name: Usage((found.cpu_seconds - before[name].cpu_seconds) * 60 / took, found.memory_mib)
        for name, found in sorted(after.items())
        if name in before
    }


def _usage(container: dict[str, Any]) -> Usage:
    nanoseconds = container.get("cpu", {}).get("usageCoreNanoSeconds", 0)
    return Usage(nanoseconds / 1e9, container["memory"]["workingSetBytes"] / 2**20)
