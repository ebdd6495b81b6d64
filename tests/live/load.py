"""Jobs that run while something is done to the release, and the check that each ran once and has its own verdict."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from ci.airflow_api import Airflow
from ci.errors import CommandError
from ci.kubectl import kubectl
from tests.live.ledger import Ledger
from tests.live.many_jobs import ManyJobs, Shape
from tests.live.scratch_dag import NAMESPACE
from tests.live.waiting import wait_for

IN_TEAM = f"--namespace={NAMESPACE}"
START_SECONDS, END_SECONDS = 240, 900
KILLED = 128 + 9


@dataclass(frozen=True)
class Load:
    """A run of many Jobs."""

    dag: ManyJobs
    ledger: Ledger
    shape: Shape
    run_id: str

    def running(self) -> int:
        """Return how many of the Jobs' pods run now."""
        return sum(pod.is_running for pod in self.ledger.pods(self.run_id))

    def end(self) -> None:
        """Have every Job come to its end now, so that none need be long on a slow machine and none is waited for."""
        names = [pod.name for pod in self.ledger.pods(self.run_id) if pod.is_running]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(_end, names))

    def check_every_task_once(self) -> None:
        """Wait for the end; check that no task was lost, none ran twice, and each has the verdict of its Job."""
        wait_for(self._is_over, "end of the run", END_SECONDS)
        jobs = [job.task_id for job in self.ledger.jobs(self.run_id)]
        assert sorted(jobs) == sorted(self.shape.task_ids), "a task has more than one Job, or none"
        states = {task: each["state"] for task, each in self.dag.instances(self.run_id).items()}
        assert states == {task: "failed" if task in self.shape.failing else "success" for task in self.shape.task_ids}

    def _is_over(self) -> bool:
        time.sleep(2)  # rarely: Airflow is busy with what is done to it
        found = self.dag.instances(self.run_id).values()
        return all(each["state"] in ("success", "failed") for each in found)


def _end(pod: str) -> None:
    try:
        kubectl("exec", pod, IN_TEAM, "--", "bash", "-c", "kill -USR1 1")
    except CommandError as error:
        if error.code != KILLED:  # the container was over before the shell that told it
            raise


@contextmanager
def load(airflow: Airflow, shape: Shape) -> Iterator[Load]:
    """Run the Jobs for a block, which begins when all of them run."""
    dag = ManyJobs(airflow).write_shape(shape)
    try:
        dag.wait_live()
        with Ledger(NAMESPACE) as ledger:
            found = Load(dag, ledger, shape, dag.start())
            wait_for(lambda: found.running() == shape.tasks, "running Jobs", START_SECONDS)
            yield found
    finally:
        dag.remove()
