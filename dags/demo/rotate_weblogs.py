"""Archive the web logs of the newest day and report their traffic.

Was, in the web team's crontab:
`27 3 * * * /opt/weblogs/bin/rotate.sh daily 2>> /var/log/weblogs/rotate.log | /opt/weblogs/bin/report.pl`
Changed: a failing rotate.sh fails the job (pipefail); cron saw only the last command of the pipe, and ignored it.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from cronlift import KubernetesJobOperator

with DAG(
    "demo__rotate_weblogs",
    schedule=CronTriggerTimetable("27 3 * * *", timezone="Europe/Paris"),
    catchup=False,
    default_args={"owner": "demo"},
    tags=["demo", "bash"],
    doc_md=__doc__,
):
    KubernetesJobOperator(task_id="rotate", manifest="jobs/rotate_weblogs.yaml")
