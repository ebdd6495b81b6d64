"""The Airflow of the minor before ours, from PyPI in an environment of its own: what an upgrade really comes from."""

import shutil
import subprocess
import sys
from pathlib import Path

from ci.paths import ROOT, cache_dir
from ci.pins import pins

PACKAGES = ("apache-airflow-core=={version}", "apache-airflow-providers-standard", "psycopg2-binary", "asyncpg")


def version() -> str:
    """Return its version."""
    return pins()["PREVIOUS_AIRFLOW_VERSION"]


def environment() -> Path:
    """Return the folder of its programs; installed once into the user's cache.

    Raises:
        CalledProcessError: PyPI has not all that it needs.
    """
    folder = cache_dir() / f"airflow-{version()}-{sys.version_info.major}.{sys.version_info.minor}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = ROOT / ".venv/bin/uv"
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        # As of its own days: later releases of what it needs were made for later Airflows.
        install = [uv, "pip", "install", "--quiet", "--python", folder / "bin/python"]
        install += ["--exclude-newer", pins()["PREVIOUS_AIRFLOW_DATE"]]
        subprocess.run([*install, *(name.format(version=version()) for name in PACKAGES)], check=True)
        (folder / "complete").touch()
    return folder / "bin"
