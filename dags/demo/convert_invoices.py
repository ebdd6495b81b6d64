"""Convert the invoices of January 2026 to euro and total them for each customer.

New work: no line of the old crontab. Its language is not on the old server; it runs in its own image (images/invoices).
"""

from airflow.sdk import DAG, CronTriggerTimetable

from cronlift import KubernetesJobOperator

with DAG(
    "demo__convert_invoices",
    schedule=CronTriggerTimetable("30 6 1 * *", timezone="Europe/Paris"),
    catchup=False,
    default_args={"owner": "demo"},
    tags=["demo", "ruby"],
    doc_md=__doc__,
):
    KubernetesJobOperator(task_id="convert", manifest="jobs/convert_invoices.yaml")
