"""DAGs that a live test writes into the working tree, as a user would, and removes again."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from ci.airflow_api import Airflow, ApiError
from ci.kubectl import kubectl
from ci.paths import ROOT
from cronlift.job.naming import ANNOTATION_PREFIX
from tests.live.waiting import wait_for

FOLDER = ROOT / "dags/demo"
PREFIX = "e2e_"
NAMESPACE = "team-demo"
TASK = "work"
LIVE_SECONDS = 40
"""The issue's limit from an edit to its effect."""

DAG_SOURCE = '''\
"""Written by a live test, which removes it."""

from airflow.sdk import DAG
from cronlift import KubernetesJobOperator

with DAG("{dag_id}", schedule={schedule!r}, catchup=False, tags={tags!r}):
    KubernetesJobOperator(task_id="{task}", manifest="jobs/{stem}.yaml"{arguments})
'''

MANIFEST = """\
apiVersion: batch/v1
kind: Job
{metadata}spec:
  template:
    spec:
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        seccompProfile: {{type: RuntimeDefault}}
      terminationGracePeriodSeconds: 1
      containers:
        - name: {container}
          image: "{image}"
          command: ["bash", "-c"]
          args:
            - |
{script}
          resources:
            requests: {{cpu: 10m, memory: 16Mi}}
            limits: {{cpu: "1", memory: 64Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {{drop: [ALL]}}
"""


def job_manifest(
    script: str, *, image: str = "{{ images.legacy }}", metadata: str = "", container: str = "main"
) -> str:
    """Return a manifest whose one container runs a bash script.

    Args:
        script: Lines of bash; Jinja in it is rendered.
        image: The container's image.
        metadata: A whole `metadata:` block, or nothing.
        container: The container's name.
    """
    indented = "\n".join(" " * 14 + line for line in script.strip().splitlines())
    return MANIFEST.format(script=indented, image=image, metadata=metadata, container=container)


class ScratchDag:
    """One DAG file `dags/demo/e2e_<hex>.py` and its manifest.

    Args:
        airflow: Where it shows up.
    """

    def __init__(self, airflow: Airflow) -> None:
        self.airflow = airflow
        self.stem = f"{PREFIX}{uuid4().hex[:8]}"
        self.dag_id = f"demo__{self.stem}"
        self.file = FOLDER / f"{self.stem}.py"
        self.manifest = FOLDER / "jobs" / f"{self.stem}.yaml"
        self.run_ids: list[str] = []

    def write(
        self, manifest: str | None, *, schedule: str | None = None, tags: Sequence[str] = (), arguments: str = ""
    ) -> "ScratchDag":
        """Write manifest and DAG file, the manifest first; None writes no manifest."""
        if manifest is not None:
            self.manifest.write_text(manifest)
        self.write_dag(schedule=schedule, tags=tags, arguments=arguments)
        return self

    def write_dag(self, *, schedule: str | None = None, tags: Sequence[str] = (), arguments: str = "") -> None:
        """Write the DAG file alone."""
        self.file.write_text(
            DAG_SOURCE.format(
                dag_id=self.dag_id,
                stem=self.stem,
                task=TASK,
                schedule=schedule,
                tags=list(tags),
                arguments=f", {arguments}" if arguments else "",
            )
        )

    def wait_live(self, timeout_seconds: float = LIVE_SECONDS) -> float:
        """Wait until Airflow has parsed the file; return the seconds that took."""

        def is_known() -> bool:
            if error := self.import_error():
                raise AssertionError(f"{self.file.name} does not import:\n{error}")
            return self.dag_id in self.airflow.dag_ids()

        return wait_for(is_known, f"DAG {self.dag_id}", timeout_seconds)

    def import_error(self) -> str | None:
        """Return the stack trace of this file's import error, None when it has none."""
        errors = self.airflow.get("/importErrors", limit=200)["import_errors"]
        return next((error["stack_trace"] for error in errors if error["filename"].endswith(self.file.name)), None)

    def wait_import_error(self) -> str:
        """Wait for this file's import error and return its stack trace."""
        wait_for(lambda: self.import_error() is not None, f"import error of {self.file.name}", 2 * LIVE_SECONDS)
        return self.import_error() or ""

    def details(self) -> dict[str, Any]:
        """Return what Airflow knows of the DAG."""
        return dict(self.airflow.get(f"/dags/{self.dag_id}"))

    def version(self) -> int:
        """Return the number of the DAG's newest version."""
        versions = self.airflow.get(f"/dags/{self.dag_id}/dagVersions", limit=100)["dag_versions"]
        return max((int(version["version_number"]) for version in versions), default=0)

    def start(self) -> str:
        """Start a run and return its id."""
        run_id = f"e2e__{datetime.now(UTC):%H%M%S}_{uuid4().hex[:4]}"
        self.airflow.trigger(self.dag_id, run_id)
        self.run_ids.append(run_id)
        return run_id

    def run(self, timeout_seconds: float = 120) -> tuple[str, list[str]]:
        """Start a run, wait for its end, and return its state and the lines of its task's log."""
        run_id = self.start()
        run = self.airflow.wait(self.dag_id, run_id, timeout_seconds)
        return str(run["state"]), self.log(run_id)

    def task(self, run_id: str) -> dict[str, Any]:
        """Return the task instance of a run."""
        return self.airflow.task_instances(self.dag_id, run_id)[0]

    def log(self, run_id: str) -> list[str]:
        """Return the task's log; empty while there is none."""
        try:
            return self.airflow.log(self.dag_id, run_id, TASK)
        except ApiError:
            return []

    def remove(self) -> None:
        """Remove the files and the Jobs; Airflow forgets the DAG at the session's end, when it has seen that."""
        for path in (self.file, self.manifest):
            path.unlink(missing_ok=True)
        delete_jobs(self.dag_id)


def forget(airflow: Airflow, dag_id: str) -> None:
    """Delete a DAG and its runs from Airflow, as soon as it no longer is in the tree."""

    def is_gone() -> bool:
        try:
            if dag_id in airflow.dag_ids():
                return False
            airflow.delete(f"/dags/{dag_id}")
        except ApiError as error:
            # 409: a run of it still ends. 404: it never was known, or is deleted.
            return " 404" in str(error)
        return True

    deadline = time.monotonic() + LIVE_SECONDS
    while not is_gone() and time.monotonic() < deadline:
        time.sleep(0.5)


def delete_jobs(dag_id: str) -> None:
    """Delete what a DAG's runs left in the team's namespace: failed Jobs are kept for people to look at."""
    for name in jobs_of(dag_id):
        kubectl("delete", "job", name, f"--namespace={NAMESPACE}", "--ignore-not-found", "--wait=false")


def jobs_of(dag_id: str) -> list[str]:
    """Return the names of the Jobs that a DAG's runs have on the cluster."""
    owner_of = "{.metadata.annotations." + ANNOTATION_PREFIX.replace(".", r"\.") + "dag-id}"
    output = kubectl(
        "get", "jobs", f"--namespace={NAMESPACE}",
        f'--output=jsonpath={{range .items[*]}}{{.metadata.name}} {owner_of}{{"\\n"}}{{end}}',
    )  # fmt: skip
    return [name for name, _, owner in (line.partition(" ") for line in output.splitlines()) if owner == dag_id]


def remove_leftovers(airflow: Airflow) -> None:
    """Remove what tests left, those of a killed session too: files first, then the DAGs that no file names any more."""
    for pattern in (f"{PREFIX}*.py", f"jobs/{PREFIX}*.yaml"):
        for path in FOLDER.glob(pattern):
            path.unlink()
    answer = airflow.get("/dags", limit=1000, dag_id_pattern=f"demo__{PREFIX}%", exclude_stale=False)
    for dag in answer["dags"]:
        if dag["dag_id"].startswith(f"demo__{PREFIX}"):
            forget(airflow, dag["dag_id"])
            delete_jobs(dag["dag_id"])
