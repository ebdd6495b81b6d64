"""A DAG of many tasks, each a Job that counts aloud for a while; some end with an error on purpose."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ci.airflow_api import ApiError
from tests.live.scratch_dag import ScratchDag, job_manifest

SOURCE = '''\
"""Written by a live test, which removes it."""

from airflow.sdk import DAG
from cronlift import KubernetesJobOperator

with DAG("{dag_id}", schedule=None, catchup=False, max_active_tasks=200):
    for number in range({tasks}):
        KubernetesJobOperator(task_id=f"work_{{number:02}}", manifest="jobs/{stem}.yaml")
'''

SCRIPT = """\
trap 'over=yes' USR1
for i in $(seq 1 {seconds}); do
  echo line $i of {seconds} by {{{{ ti.task_id }}}} in $HOSTNAME
  test -z "$over" || break
  sleep 1
done
exit {{{{ {exit_code} if ti.task_id in {failing} else 0 }}}}
"""

EXIT_CODE = 3
PATIENCE_SECONDS = 120
"""How long to ask an API server of Airflow that was just killed."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Shape:
    """What the Jobs of a DAG are like.

    Attributes:
        seconds: How long each counts, a line a second.
        tasks: How many there are.
        pod: A line for the Pod's spec, such as `serviceAccountName: x`.
        image: Of the container.
        backoff_limit: How many Pods of a Job may fail before it does.
    """

    seconds: int = 40
    tasks: int = 20
    pod: str = "restartPolicy: Never"
    image: str = "{{ images.legacy }}"
    backoff_limit: int = 0

    @property
    def task_ids(self) -> list[str]:
        """The tasks' ids."""
        return [f"work_{number:02}" for number in range(self.tasks)]

    @property
    def failing(self) -> list[str]:
        """The tasks whose Jobs end with an error: every fifth, so that a wrong verdict shows in both directions."""
        return self.task_ids[4::5]


@dataclass(frozen=True)
class Entry:
    """A line of a task's log: when, in seconds since the epoch (0 when it does not say), and the text."""

    at: float
    text: str


class ManyJobs(ScratchDag):
    """The DAG; `write_shape` before anything else."""

    shape = Shape()

    def write_shape(self, shape: Shape) -> "ManyJobs":
        """Write manifest and DAG file."""
        self.shape = shape
        script = SCRIPT.format(seconds=shape.seconds, exit_code=EXIT_CODE, failing=shape.failing)
        manifest = job_manifest(script, image=shape.image)
        spec = f"spec:\n  backoffLimit: {shape.backoff_limit}\n"
        manifest = manifest.replace("spec:\n", spec, 1).replace("    spec:\n", f"    spec:\n      {shape.pod}\n", 1)
        self.manifest.write_text(manifest)
        self.file.write_text(SOURCE.format(dag_id=self.dag_id, stem=self.stem, tasks=shape.tasks))
        return self

    def instances(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run by task id."""
        found = patiently(lambda: self.airflow.task_instances(self.dag_id, run_id))
        return {each["task_id"]: each for each in found}

    def entries(self, run_id: str, task_id: str, try_number: int = 1) -> list[Entry]:
        """Return the log of a try with the times of its lines, as the UI shows it; empty while there is none."""
        path = f"/dags/{self.dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        try:
            content = self.airflow.get(path, full_content=True, map_index=-1)["content"]
        except ApiError:
            return []
        return [
            Entry(_seconds(line.get("timestamp")), str(line.get("event", ""))) if isinstance(line, dict) else
            Entry(0, str(line))
            for line in content
        ]  # fmt: skip

    def mark(self, run_id: str, task_id: str, state: str) -> None:
        """Set a task's state, as a user does in the UI."""
        patiently(
            lambda: self.airflow.patch(
                f"/dags/{self.dag_id}/dagRuns/{run_id}/taskInstances/{task_id}", {"new_state": state}
            )
        )

    def clear(self, run_id: str, task_ids: list[str]) -> None:
        """Clear tasks, as a user does in the UI."""
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": task_ids, "only_failed": False}
        self.airflow.post(f"/dags/{self.dag_id}/clearTaskInstances", body)


def patiently(ask: Callable[[], Answer], seconds: float = PATIENCE_SECONDS) -> Answer:
    """Ask Airflow's API, again and again while it does not answer."""
    ends = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except ApiError:
            if time.monotonic() > ends:
                raise
        time.sleep(1)


def _seconds(moment: str | None) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0
