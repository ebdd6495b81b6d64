"""Rate the day's calls in parts, beside a database that is there for the night only.

Shows kinds of Job, and where Airflow's own features stand beside them.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, TaskGroup

from cronlift import KubernetesJobOperator

with DAG(
    "demo__nightly_batch",
    schedule=CronTriggerTimetable("0 1 * * *", timezone="Europe/Paris"),
    catchup=False,
    default_args={"owner": "demo"},
    tags=["demo", "example"],
    doc_md=__doc__,
):
    # A setup and its teardown: the space is cleaned up whatever becomes of the tasks between them.
    prepare = KubernetesJobOperator(
        task_id="prepare", manifest="jobs/scratch_space.yaml", values={"action": "mkdir -p"}
    )
    clean_up = KubernetesJobOperator(
        task_id="clean_up", manifest="jobs/scratch_space.yaml", values={"action": "rm -rf"}
    )

    with TaskGroup("rating") as rating:
        # Four parts, two at a time, each with attempts of its own; a wrong input (exit code 42) fails without retry.
        # Its log is long, and the last lines tell enough.
        rate = KubernetesJobOperator(
            task_id="rate",
            manifest="jobs/rate_calls.yaml",
            result_from="termination_message",
            retries=2,
            retry_delay=timedelta(minutes=10),
            execution_timeout=timedelta(hours=3),
            tail_lines=20,
            tail_every=timedelta(minutes=5),
        )
        # A helper runs beside the program and ends with it.
        export = KubernetesJobOperator(task_id="export", manifest="jobs/export_with_sidecar.yaml", logs="off")
        rate >> export

    prepare >> rating >> clean_up.as_teardown(setups=prepare)
