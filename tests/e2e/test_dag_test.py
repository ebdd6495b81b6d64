"""`dag.test()`: a DAG file run from a laptop, with a database of its own and no triggerer, against the real cluster."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ci.kubectl import get
from ci.paths import KUBECONFIG
from ci.release import NAMESPACE as RELEASE
from tests.live.scratch_dag import job_manifest

DAG = """\
from airflow.sdk import DAG, task
from cronlift import KubernetesJobOperator

with DAG("demo__laptop", schedule=None) as dag:
    numbers = KubernetesJobOperator(task_id="numbers", manifest="jobs/numbers.yaml", result_from="log")
    fails = KubernetesJobOperator(task_id="fails", manifest="jobs/fails.yaml")

    @task
    def total(numbers):
        print("total", sum(numbers))

    total(numbers.output)

if __name__ == "__main__":
    run = dag.test()
    for each in run.get_task_instances():
        print("state of", each.task_id, each.state)
"""


@pytest.fixture
def laptop(kube_config: str, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a laptop that knows the deployment, and its own Airflow folder."""
    triggerer = get("deployment", "cronlift-triggerer", f"--namespace={RELEASE}")
    images = get("configmap", "cronlift-job-images", f"--namespace={RELEASE}")["data"]["images.json"]
    variables = triggerer["spec"]["template"]["spec"]["containers"][0]["env"]
    known = {
        each["name"]: each["value"] for each in variables if each["name"].startswith("CRONLIFT_") and "value" in each
    }
    del known["CRONLIFT_JOB_IMAGES_FILE"]
    home = tmp_path / "airflow"
    (home / "dags" / "jobs").mkdir(parents=True)
    database = home / "airflow.db"
    sqlite3.connect(database).close()
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "CRONLIFT_"))},
        **known,
        "CRONLIFT_JOB_IMAGES": images,
        "KUBECONFIG": str(KUBECONFIG),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
    }


def test_dag_file_runs_its_jobs_without_a_triggerer(laptop: dict[str, str], tmp_path: Path) -> None:
    """Fact 18: `execute()` comes first, and nobody but a worker ends the task."""
    # Airflow 3.3.2 tests a DAG only from its own folder of DAGs.
    folder = tmp_path / "airflow" / "dags"
    (folder / "jobs" / "numbers.yaml").write_text(job_manifest("echo 'cronlift-result: [1, 2, 3]'"))
    (folder / "jobs" / "fails.yaml").write_text(job_manifest("echo no such file; exit 3"))
    (folder / "dag.py").write_text(DAG)
    airflow = Path(sys.executable).with_name("airflow")
    subprocess.run([airflow, "db", "migrate"], env=laptop, check=True, capture_output=True, timeout=120)
    done = subprocess.run(
        [sys.executable, "dag.py"], cwd=folder, env=laptop, capture_output=True, text=True, timeout=180, check=False
    )
    output = done.stdout + done.stderr
    for words in ("state of numbers success", "state of total success", "state of fails failed", "total 6"):
        assert words in output, output[-6000:]
    assert "exit code 3" in output
