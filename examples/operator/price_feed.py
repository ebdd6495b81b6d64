"""Fetch the price feed into a volume that lasts.

Everything that the Job needs is in its manifest: a ConfigMap and a Secret that go with the Job, and a volume claim that
stays. The password is in the Airflow connection `demo__price_feed`; the manifest only refers to it.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from cronlift import KubernetesJobOperator

with DAG(
    "demo__price_feed",
    schedule=CronTriggerTimetable("5 * * * *", timezone="Europe/Paris"),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "demo"},
    tags=["demo", "example"],
    doc_md=__doc__,
):
    KubernetesJobOperator(
        task_id="fetch",
        manifest="jobs/fetch_prices.yaml",
        values={"feeds": "europe,america"},
        start_timeout=timedelta(minutes=10),
        execution_timeout=timedelta(minutes=50),
        delete_policy="always",
        log_manifest=True,
    )
