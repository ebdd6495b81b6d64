"""Airflows from PyPI in environments of their own, beside the one of the lock, each installed once into the cache."""

import shutil
import subprocess
import sys
from pathlib import Path

from ci.paths import ROOT, cache_dir


def installed(name: str, *packages: str, options: tuple[str, ...] = ()) -> Path:
    """Return the folder of the programs of an environment.

    Args:
        name: Of the environment, with the version that it holds.
        packages: As for `uv pip install`.
        options: Further words for it.

    Raises:
        CalledProcessError: PyPI has not all that it needs.
    """
    folder = cache_dir() / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = ROOT / ".venv/bin/uv"
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", folder / "bin/python", *options]
        subprocess.run([*install, *packages], check=True)
        (folder / "complete").touch()
    return folder / "bin"
