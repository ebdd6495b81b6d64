"""The demo team's jobs, as `make up` ran them."""

import pytest

from ci import demo
from ci.airflow_api import Airflow


def test_there_are_four_demo_jobs() -> None:
    assert len(demo.dag_ids()) == 4


@pytest.mark.parametrize("dag_id", demo.dag_ids())
def test_demo_job_succeeded_and_its_output_is_read_through_the_public_api(airflow: Airflow, dag_id: str) -> None:
    results = [result for result in demo.last_results(airflow) if result.dag_id == dag_id]
    assert [result.state for result in results] == ["success"]
    tasks = airflow.task_instances(dag_id, results[0].run_id)
    assert [task["state"] for task in tasks] == ["success"] * len(tasks)
    assert results[0].result, f"no line `Result: ...` in the log of {dag_id}"
    log = [line for task in tasks for line in airflow.log(dag_id, results[0].run_id, task["task_id"])]
    assert f"Result: {results[0].result}" in log
