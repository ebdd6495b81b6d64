"""Count the links that were added and removed, for each organisation and day.

Was, in the link watch's /etc/crontab (user root):
`0 0 * * * root cd /opt/linkwatch && python manage.py fill_link_aggregates`
Changed: not root.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from cronlift import KubernetesJobOperator

with DAG(
    "demo__fill_link_aggregates",
    schedule=CronTriggerTimetable("0 0 * * *", timezone="Europe/Paris"),
    catchup=False,
    default_args={"owner": "demo"},
    tags=["demo", "python"],
    doc_md=__doc__,
):
    KubernetesJobOperator(task_id="fill", manifest="jobs/fill_link_aggregates.yaml")
