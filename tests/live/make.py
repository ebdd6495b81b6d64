"""Call make as a user does."""

import os
import subprocess
import sys

from ci.paths import ROOT

PRIVATE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "PYTHONDONTWRITEBYTECODE")
"""What an outer make, or a machine that switches bytecode off, would pass down and a user's shell has not."""


def make(*words: str, timeout_seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Run make in the clone and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in PRIVATE}
    return subprocess.run(
        ["make", f"PYTHON={sys.executable}", *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout_seconds, check=False,
    )  # fmt: skip
