"""A deployment in the environment, and a folder with a manifest to parse DAGs in."""

import json
import os
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Airflow writes its configuration file when it is first imported: not into the home of whoever runs the tests.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="cronlift-airflow-"))

DEPLOYMENT = "cronlift/cronlift"
TEAMS = {"demo": {"namespace": "team-demo", "serviceAccount": "cronlift-job"}, "billing": {"namespace": "team-billing"}}
MANIFEST = """\
apiVersion: batch/v1
kind: Job
spec:
  template:
    spec:
      containers:
        - name: main
          image: "{{ images.legacy }}"
          command: [sh, -c, "echo {{ run_id }}"]
"""


@pytest.fixture(autouse=True)
def deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRONLIFT_DEPLOYMENT", DEPLOYMENT)
    monkeypatch.setenv("CRONLIFT_TEAMS", json.dumps(TEAMS))
    monkeypatch.setenv("CRONLIFT_JOB_IMAGES", json.dumps({"legacy": "registry/legacy:1"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.yaml").write_text(MANIFEST)
    return tmp_path


@pytest.fixture
def parse(folder: Path) -> Callable[[str], Any]:
    """Parse a DAG file as the DAG processor does, and return the bag."""
    from airflow.dag_processing.dagbag import BundleDagBag

    def run(body: str, name: str = "dag.py") -> Any:
        head = "from airflow.sdk import DAG\nfrom cronlift import KubernetesJobOperator\n"
        (folder / name).write_text(head + textwrap.dedent(body))
        return BundleDagBag(dag_folder=folder / name, bundle_path=folder, bundle_name="demo", load_op_links=False)

    return run
