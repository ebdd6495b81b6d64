"""Write what the live tiers measured to build/, with the machine and the moment it was measured on."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci.paths import ROOT

BUILD = ROOT / "build"


def machine() -> dict[str, Any]:
    """Return what a figure depends on."""
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    model = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": model,
        "memory_gib": round(int(memory.split()[1]) / 2**20, 1),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 1),
    }


def today() -> str:
    """Return the date, as pages name it."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def write(name: str, measured_on: dict[str, Any], figures: dict[str, Any]) -> Path:
    """Write figures to build/<name>.json and return the path.

    Args:
        name: Of the file.
        measured_on: What `machine` said before the measurement.
        figures: What was measured.
    """
    BUILD.mkdir(exist_ok=True)
    path = BUILD / f"{name}.json"
    content = {"date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "machine": measured_on, **figures}
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path
