"""SIGKILL of a part of Airflow while a Job runs: the Job finishes once, and its task turns green with the whole log."""

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import httpx
import pytest

from ci.airflow_api import ApiError
from tests.live import measurements
from tests.live.killing import kill_component, wait_back
from tests.live.recorder import Recorder
from tests.live.scratch_dag import NAMESPACE, ScratchDag, job_manifest
from tests.live.waiting import wait_for

JOB_SECONDS = 180 if os.environ.get("LONG") else 60
KILL_AFTER_LINES = 5
BACK_SECONDS = 120
RUN_SECONDS = JOB_SECONDS + 120
PARTS = ("scheduler", "triggerer", "api-server")
COUNTING = f"for i in $(seq 1 {JOB_SECONDS}); do echo line $i of {JOB_SECONDS}; sleep 1; done"
WHOLE_LOG = [f"line {number} of {JOB_SECONDS}" for number in range(1, JOB_SECONDS + 1)]


@dataclass(frozen=True)
class Killing:
    """What one kill did.

    Attributes:
        part: What was killed.
        pids: How many processes were.
        back_seconds: Until its container was replaced and ready.
        job_seconds: What the Job takes undisturbed.
        run_seconds: From the start of the run to its end.
        state: Of the run.
        jobs: How many Jobs were ever created for the task.
        pods: How many Pods.
        lines: How many of the Job's lines the log holds, duplicates counted.
    """

    part: str
    pids: int
    back_seconds: float
    job_seconds: int
    run_seconds: float
    state: str
    jobs: int
    pods: int
    lines: int


@pytest.fixture(scope="module")
def killings() -> Iterator[list[Killing]]:
    machine, done = measurements.machine(), list[Killing]()
    yield done
    if done:
        path = measurements.write("chaos", machine, {"killings": [asdict(killing) for killing in done]})
        print(f"\n{table(done)}\n{path.relative_to(path.parents[1])}")


@pytest.fixture(scope="module")
def counting_dag(scratch_dag_maker) -> ScratchDag:
    dag: ScratchDag = scratch_dag_maker().write(job_manifest(COUNTING))
    dag.wait_live()
    return dag


@pytest.mark.parametrize("part", PARTS)
def test_job_finishes_once_and_turns_green_with_its_whole_log_after_kill_9_of(
    part: str, counting_dag: ScratchDag, killings: list[Killing]
) -> None:
    with Recorder("jobs", NAMESPACE) as jobs, Recorder("pods", NAMESPACE) as pods:
        started = time.monotonic()
        run_id = counting_dag.start()
        wait_for(
            lambda: len(printed(counting_dag.log(run_id))) >= KILL_AFTER_LINES, "first lines of the Job in its log", 60
        )
        container, pids = kill_component(part)
        back_seconds = wait_back(part, container, BACK_SECONDS)
        state = wait_end(counting_dag, run_id, RUN_SECONDS)
        run_seconds = time.monotonic() - started
        log = printed(counting_dag.log(run_id))
        killing = Killing(
            part, len(pids), round(back_seconds, 1), JOB_SECONDS, round(run_seconds, 1), state,
            len(jobs.created(run_id)), len(pods.created(run_id)), len(log),
        )  # fmt: skip
    killings.append(killing)
    assert state == "success"
    assert counting_dag.task(run_id)["state"] == "success"
    assert (killing.jobs, killing.pods) == (1, 1)
    assert log == WHOLE_LOG


def printed(log: list[str]) -> list[str]:
    return [line for line in log if line.startswith("line ")]


def wait_end(dag: ScratchDag, run_id: str, timeout_seconds: float) -> str:
    """Wait for the run's end; an API server that was just killed does not answer for a while."""
    state = ""

    def has_ended() -> bool:
        nonlocal state
        try:
            state = str(dag.airflow.run(dag.dag_id, run_id)["state"])
        except (httpx.TransportError, ApiError):
            return False
        return state in {"success", "failed"}

    wait_for(has_ended, f"end of run {run_id}", timeout_seconds)
    return state


def table(killings: list[Killing]) -> str:
    """Return the killings as a table."""
    head = f"{'killed':<12}{'back':>8}{'Job':>7}{'run':>8}  {'state':<9}{'Jobs':>5}{'Pods':>5}{'lines':>7}"
    rows = [
        f"{k.part:<12}{k.back_seconds:>6.1f} s{k.job_seconds:>5} s{k.run_seconds:>6.1f} s  {k.state:<9}"
        f"{k.jobs:>5}{k.pods:>5}{k.lines:>4}/{k.job_seconds}"
        for k in killings
    ]
    return "\n".join([head, *rows])
