"""Written by the benchmark, which removes it."""

from datetime import UTC, datetime

from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import StartTriggerArgs


class Idle(BaseOperator):
    def __init__(self, **more):
        super().__init__(**more)
        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="airflow.providers.standard.triggers.temporal.DateTimeTrigger",
            next_method="execute_complete",
            trigger_kwargs={"moment": datetime(2100, 1, 1, tzinfo=UTC)},
        )

# Airflow's limits of a DAG (16 active tasks, 16 active runs) are lifted for all contenders alike.
with DAG("bench__e2e_bench_idle_100", schedule=None, catchup=False, max_active_tasks=1000, max_active_runs=1000):
    for number in range(100):
        Idle(task_id=f"task_{number:03}")
