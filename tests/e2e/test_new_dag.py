"""The commands of docs/new-dag.md, run as they stand in a copy of this repository: from no team to a run."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.airflow_api import Airflow
from ci.kubectl import kubectl
from ci.paths import STATE
from tests.live.make import PRIVATE, make
from tests.live.page import IDENTITY, clone, commands

PAGE = "docs/new-dag.md"


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """Return the copy; afterwards the platform serves this tree again, and the new team is gone."""
    yield clone(tmp_path / "platform")
    restored = make("up", timeout_seconds=500)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    kubectl("delete", "namespace", "team-billing", "--ignore-not-found", "--wait=false")


def test_a_new_author_comes_from_no_team_to_a_run(airflow: Airflow, copy: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in PRIVATE}
    environment |= {**IDENTITY, "MAKEFLAGS": f"PYTHON={sys.executable}", "CRONLIFT_STATE": str(STATE)}

    def say(section: str, timeout: int = 120) -> str:
        (block,) = commands(PAGE, section)
        done = subprocess.run(
            ["bash", "-euc", block],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout

    assert "✓ Changed teams.yaml" in say("Begin")
    say("Edit")
    checked = say("Check")
    assert "2 passed" in checked
    assert re.search(r"^\+ billing__send_invoices  dags/billing/send_invoices.py$", checked, re.MULTILINE)
    assert "schedule: 30 5 * * 1-5 Europe/Paris" in checked
    make_check = [".venv/bin/python", "-m", "ci.check", "--only", "lint", "format", "yaml", "teams", "foreign paths"]
    linted = subprocess.run(make_check, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
    say("Commit")
    assert "nothing to commit" in subprocess.run(["git", "status"], cwd=copy, capture_output=True, text=True).stdout
    ran = say("See it run", timeout=500)
    assert re.search(r"Invoices sent for \d{4}-\d\d-\d\d", ran)
    assert "✓ billing__send_invoices success" in ran
