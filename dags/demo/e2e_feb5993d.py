"""Written by a live test, which removes it."""

from airflow.sdk import DAG
from cronlift import KubernetesJobOperator

with DAG("demo__e2e_feb5993d", schedule=None, catchup=False, max_active_tasks=200):
    for number in range(10):
        KubernetesJobOperator(task_id=f"work_{number:02}", manifest="jobs/e2e_feb5993d.yaml")
