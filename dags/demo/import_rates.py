"""Import the price lists and rate the day's calls anew.

Was, in the old server's /etc/cron.d/rating, on one line:
`15 5 * * * root test -x /var/www/rating/scripts/importRatingTables.php &&
/var/www/rating/scripts/importRatingTables.php >/dev/null`

Changed: not root, and the output goes to the task's log instead of /dev/null.
"""

from airflow.sdk import DAG, CronTriggerTimetable

from cronlift import KubernetesJobOperator

with DAG(
    "demo__import_rates",
    schedule=CronTriggerTimetable("15 5 * * *", timezone="Europe/Paris"),
    catchup=False,
    default_args={"owner": "demo"},
    tags=["demo", "php"],
    doc_md=__doc__,
):
    KubernetesJobOperator(task_id="import", manifest="jobs/import_rates.yaml")
