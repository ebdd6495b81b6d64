"""How fast the platform is. Figures, not verdicts: a busy machine is no fault."""

import os
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.live.recorder import Recorder
from tests.live.scratch_dag import NAMESPACE, ScratchDag, job_manifest
from tests.live.waiting import wait_for

RUNS = 20 if os.environ.get("LONG") else 3
EDITS = 5 if os.environ.get("LONG") else 1


@pytest.fixture(scope="module")
def short_dag(scratch_dag_maker: Callable[[], ScratchDag]) -> ScratchDag:
    dag = scratch_dag_maker().write(job_manifest("echo done"))
    dag.wait_live()
    dag.run()  # The first run of a triggerer imports and connects.
    return dag


def test_latency_of_a_job(short_dag: ScratchDag, figures: dict[str, Any]) -> None:
    """Measure what Airflow adds before and after the Job itself."""
    starts, jobs_took, ends = [], [], []
    with Recorder("jobs", NAMESPACE) as jobs:
        for _ in range(RUNS):
            asked = time.time()
            run_id = short_dag.start()
            run = short_dag.airflow.wait(short_dag.dag_id, run_id, 120)
            assert run["state"] == "success"
            # The watch here may tell of the end after Airflow's has.
            wait_for(lambda run_id=run_id: jobs.first(run_id, "Complete"), "Complete", 30)
            created, completed = jobs.first(run_id), jobs.first(run_id, "Complete")
            assert created
            assert completed
            starts.append(created.at - asked)
            jobs_took.append(completed.at - created.at)
            ends.append(epoch(short_dag.task(run_id)["end_date"]) - completed.at)
    figures["runs"] = RUNS
    figures["run_created_to_job_created_seconds"] = summary(starts)
    figures["job_created_to_complete_seconds"] = summary(jobs_took)
    figures["job_complete_to_task_end_seconds"] = summary(ends)
    assert min(starts) > 0


def test_edit_to_live(short_dag: ScratchDag, figures: dict[str, Any]) -> None:
    seconds = []
    for number in range(EDITS):
        tag = f"edition-{number}"
        short_dag.write_dag(tags=[tag])
        seconds.append(
            wait_for(lambda tag=tag: [each["name"] for each in short_dag.details()["tags"]] == [tag], tag, 40)
        )
    figures["edit_to_live_seconds"] = summary(seconds)
    assert min(seconds) > 0


def epoch(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def summary(values: list[float]) -> dict[str, float]:
    """Return the median, the least and the most."""
    return {
        "p50": round(statistics.median(values), 2),
        "min": round(min(values), 2),
        "max": round(max(values), 2),
    }
