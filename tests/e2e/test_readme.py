"""The README's commands, run as they stand."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ci.airflow_api import Airflow
from ci.paths import ROOT
from tests.live.make import PRIVATE
from tests.live.page import commands

SECTION = "Your first own job, in five minutes"


def run(command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in PRIVATE}
    environment["MAKEFLAGS"] = f"PYTHON={sys.executable}"
    done = subprocess.run(
        ["bash", "-euc", command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def clean_up() -> Iterator[None]:
    yield
    for name in ("disk_report.py", "jobs/disk_report.yaml"):
        (ROOT / "dags/demo" / name).unlink(missing_ok=True)


def test_first_own_job_of_the_readme_runs_and_its_output_is_shown(airflow: Airflow, clean_up: None) -> None:
    write_manifest, write_dag, run_it, remove = commands("README.md", SECTION)
    run(write_manifest)
    run(write_dag)
    output = run(run_it)
    assert re.search(r"Reported on \d{4}-\d\d-\d\d", output)
    assert "✓ demo__disk_report success" in output
    run(remove)
    assert not (ROOT / "dags/demo/disk_report.py").exists()
