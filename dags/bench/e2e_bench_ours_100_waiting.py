"""Written by the benchmark, which removes it."""

from airflow.sdk import DAG
from cronlift import KubernetesJobOperator

# Airflow's limits of a DAG (16 active tasks, 16 active runs) are lifted for all contenders alike.
with DAG("bench__e2e_bench_ours_100_waiting", schedule=None, catchup=False, max_active_tasks=1000, max_active_runs=1000):
    for number in range(100):
        KubernetesJobOperator(task_id=f"task_{number:03}", manifest="jobs/e2e_bench_waiting.yaml")
