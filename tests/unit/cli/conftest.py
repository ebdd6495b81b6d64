"""What the tests of commands share: the fake API server, and a small repository of a platform."""

import shutil
from pathlib import Path

import pytest

from ci.paths import ROOT
from tests.unit.cluster.conftest import api

__all__ = ["api"]

TEAMS = """\
# Ours.
teams:
  demo:
    namespace: team-demo
    path: dags/demo
    owners: ["@platform"]  # all of us
"""
ENVIRONMENT = """\
# Production.
images:
  airflow:
    repository: registry.example.com/cronlift/airflow
    tag: 3f9c2a71b0de  # content
jobImages:
  legacy: registry.example.com/cronlift/legacy:8d1e44a09b7c
"""


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of a platform's repository, with the team demo; the current folder is in it."""
    root = tmp_path / "platform"
    for folder in ("charts/cronlift", "charts/environments", "dags/demo"):
        (root / folder).mkdir(parents=True)
    shutil.copy(ROOT / "charts/cronlift/values.schema.json", root / "charts/cronlift")
    (root / "teams.yaml").write_text(TEAMS)
    (root / "charts/environments/production.yaml").write_text(ENVIRONMENT)
    monkeypatch.chdir(root / "dags/demo")
    return root
