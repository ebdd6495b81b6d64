"""Every figure on disk after each case, so that a run that was cut goes on where it stopped."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci.cluster import choose
from ci.paths import ROOT
from ci.pins import pins
from tests.live import measurements

PATH = ROOT / "build/bench-operators.json"
LOCK = ROOT / "uv.lock"


class Results:
    """The figures of one run of the benchmark.

    Args:
        image: Reference of the image that is measured: figures of another are not mixed in.
        path: Where they are kept.
    """

    def __init__(self, image: str, path: Path = PATH) -> None:
        self.path = path
        found = read(path)
        if found is None or found["image"] != image or found["complete"]:
            found = {
                "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
                "machine": measurements.machine(),
                "cluster": choose().name,
                "versions": versions(),
                "image": image,
                "complete": False,
                "blocks": [],
                "cases": [],
            }
        # Of a block that was cut nothing is kept: its cases are compared with each other.
        found["cases"] = [case for case in found["cases"] if case["block"] in found["blocks"]]
        self.content: dict[str, Any] = found

    def has(self, block: str) -> bool:
        """Say whether a block was measured to its end."""
        return block in self.content["blocks"]

    def add(self, case: dict[str, Any]) -> None:
        """Keep a case's figures."""
        self.content["cases"].append({"at": f"{datetime.now(UTC):%H:%M:%S}", **case})
        self._write()

    def end_block(self, block: str) -> None:
        """Note that a block was measured to its end."""
        self.content["blocks"].append(block)
        self._write()

    def complete(self) -> None:
        """Note that all is measured: the next run starts afresh."""
        self.content["complete"] = True
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(exist_ok=True)
        half = self.path.with_suffix(".half")
        half.write_text(json.dumps(self.content, indent=1) + "\n")
        half.replace(self.path)


def read(path: Path = PATH) -> dict[str, Any] | None:
    """Return what was measured last; None when nothing was."""
    return dict(json.loads(path.read_text())) if path.is_file() else None


def versions() -> dict[str, str]:
    """Return what the figures depend on besides the machine."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {
        "airflow": pins()["AIRFLOW_VERSION"],
        "stock provider": _locked("apache-airflow-providers-cncf-kubernetes"),
        "kubernetes": pins()["KUBERNETES_VERSION"],
        "benchmark's python": platform.python_version(),
        "commit": commit.stdout.strip(),
    }


def _locked(package: str) -> str:
    lines = LOCK.read_text().splitlines()
    return lines[lines.index(f'name = "{package}"') + 1].partition('"')[2].rstrip('"')
