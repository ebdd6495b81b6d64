"""Report each shop's traffic, side by side, and join the reports.

The first task says which shops there are, as its result; the second runs once for each; the third gets all their
results. A result is JSON: short ones go into the container's termination message, long ones into marked log lines.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from cronlift import KubernetesJobOperator

with DAG(
    "demo__weblog_report",
    schedule=CronTriggerTimetable("40 3 * * *", timezone="Europe/Paris"),
    catchup=False,
    default_args={"owner": "demo", "retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["demo", "example"],
    doc_md=__doc__,
):
    shops = KubernetesJobOperator(
        task_id="list_shops",
        manifest="jobs/list_shops.yaml",
        result_from="termination_message",
    )

    reports = KubernetesJobOperator.partial(
        task_id="report",
        manifest="jobs/report_shop.yaml",
        result_from="log",
        execution_timeout=timedelta(minutes=30),
        max_active_tis_per_dagrun=4,
    ).expand(values=shops.output)

    KubernetesJobOperator(
        task_id="join",
        manifest="jobs/join_reports.yaml",
        values={"reports": reports.output, "title": "Traffic of {{ ds }}"},
        result_from="termination_message",
    )
