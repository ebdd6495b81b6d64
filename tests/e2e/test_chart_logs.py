"""The clean-up of the logs volume on the live release."""

from ci.kubectl import kubectl
from ci.release import NAMESPACE

IN_RELEASE = (f"--namespace={NAMESPACE}",)
FOLDER = "/opt/airflow/logs/dag_id=e2e_log_clean"


def in_scheduler(script: str) -> str:
    """Run a line of shell in the scheduler, which mounts the volume too."""
    return kubectl(
        "exec", "deployment/cronlift-scheduler", *IN_RELEASE, "--container=scheduler", "--", "sh", "-c", script
    )


def test_the_chart_deletes_old_logs_by_itself(airflow):
    """Start the CronJob's own Job: its account, node and right to delete the scheduler's files are what is tested."""
    name = "cronlift-log-clean-by-a-test"
    in_scheduler(f"mkdir -p {FOLDER} && touch {FOLDER}/young && touch -d '100 days ago' {FOLDER}/old")
    kubectl("delete", "job", name, *IN_RELEASE, "--ignore-not-found", "--wait")
    kubectl("create", "job", name, "--from=cronjob/cronlift-log-clean", *IN_RELEASE)
    try:
        kubectl("wait", "job", name, *IN_RELEASE, "--for=condition=Complete", "--timeout=180s", timeout_seconds=200)
        assert "Removed " in kubectl("logs", f"job/{name}", *IN_RELEASE)
        assert in_scheduler(f"ls {FOLDER}").split() == ["young"]
    finally:
        kubectl("delete", "job", name, *IN_RELEASE, "--wait=false")
        in_scheduler(f"rm -r {FOLDER}")
