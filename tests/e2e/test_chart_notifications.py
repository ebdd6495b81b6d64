"""A failed and a missed job reach the team by mail and webhook: the chart's notifier, and receivers on this machine."""

import json

import pytest

from ci.cluster import choose
from ci.errors import CiError
from ci.kubectl import kubectl
from ci.release import NAMESPACE
from tests.live.chart_release import rolled_out, upgraded
from tests.live.receivers import receivers
from tests.live.scratch_dag import ScratchDag, job_manifest
from tests.live.undo import Undoing, kubectl_words
from tests.live.waiting import wait_for

SECRET = "e2e-webhook"
ADDRESSES = ["team@example.com", "boss@example.com"]
TOLD_SECONDS = 60
"""A round of the notifier is 15 s."""

MISSED_SECONDS = 240
"""A minute until the job is due, one until that is late, and the scheduler's last loop."""


@pytest.fixture(scope="module")
def received(airflow):
    """Run the receivers, and a release whose notifier knows them."""
    address = choose().host_address()
    gone = kubectl_words("delete", "secret", SECRET, f"--namespace={NAMESPACE}", "--ignore-not-found")
    with receivers(address) as found, Undoing(gone):
        kubectl("create", "secret", "generic", SECRET, f"--namespace={NAMESPACE}",
                f"--from-literal=url=http://{address}:{found.http_port}/hooks/demo")  # fmt: skip
        smtp = {"host": address, "port": found.smtp_port, "security": "none", "from": "airflow@example.com"}
        alerts = {"emails": ADDRESSES, "webhookSecret": {"name": SECRET, "key": "url"}}
        ways = [{"ports": [{"port": found.smtp_port}, {"port": found.http_port}]}]
        settings = {
            "notifications": {"enabled": True, "lateAfterMinutes": 1, "smtp": smtp},
            "teams.demo.alerts": alerts,
            "networkPolicy.extraEgress": ways,
        }
        with upgraded(*(f"{key}:={json.dumps(value)}" for key, value in settings.items())):
            wait_for(knows_the_past, "first round of the notifier", 60)
            yield found


def knows_the_past():
    """Tell whether the notifier has written down where it begins."""
    words = ("airflow", "variables", "get", "cronlift__notified")
    deployment = ("deployment/cronlift-scheduler", f"--namespace={NAMESPACE}", "--container=scheduler")
    try:
        return "until" in kubectl("exec", *deployment, "--", *words)
    except CiError:
        return False


@pytest.mark.timeout(1200)
def test_a_failed_job_is_told_by_mail_and_webhook(received, airflow):
    dag = ScratchDag(airflow)
    try:
        dag.write(job_manifest("echo 'no such invoice' >&2; exit 3"))
        dag.wait_live()
        state, _ = dag.run()
        assert state == "failed"
        subject = f"{dag.dag_id} failed"
        wait_for(lambda: subject in [letter.subject for letter in received.letters], "mail", TOLD_SECONDS)
        wait_for(lambda: subject in posts_of(received), "call of the webhook", TOLD_SECONDS)
        [letter] = [letter for letter in received.letters if letter.subject == subject]
        assert list(letter.recipients) == ADDRESSES
        [run_id] = dag.run_ids
        assert f"run {run_id}." in letter.text
        assert f"/dags/{dag.dag_id}/runs/{run_id}" in letter.text
        path, content = posts_of(received)[subject]
        assert (path, content["team"], content["deployment"]) == ("/hooks/demo", "demo", "cronlift/cronlift")
        [event] = content["events"]
        assert (event["kind"], event["dag_id"], event["run_id"]) == ("failed", dag.dag_id, run_id)
    finally:
        dag.remove()


def test_a_job_that_nobody_starts_is_told_while_the_scheduler_is_away(received, airflow):
    dag = ScratchDag(airflow)
    scheduler = ("deployment/cronlift-scheduler", f"--namespace={NAMESPACE}")
    subject = f"{dag.dag_id} did not run"
    try:
        dag.write(job_manifest("echo done"), schedule="* * * * *")
        dag.wait_live()
        airflow.patch(f"/dags/{dag.dag_id}", {"is_paused": False})
        wait_for(lambda: airflow.get(f"/dags/{dag.dag_id}/dagRuns")["total_entries"] > 0, "first run", 120)
        with Undoing(kubectl_words("scale", *scheduler, "--replicas=1")):
            kubectl("scale", *scheduler, "--replicas=0")
            wait_for(lambda: told_of(received, dag.dag_id), f"mail {subject!r}", MISSED_SECONDS)
            wait_for(lambda: posts_about(received, dag.dag_id), "call of the webhook", TOLD_SECONDS)
            assert len(told_of(received, dag.dag_id)) == 1
        rolled_out("scheduler")
    finally:
        dag.remove()


def posts_of(received):
    """Return the webhook's calls by the first line of their text."""
    return {content["text"].splitlines()[0]: (path, content) for path, content in received.posts}


def told_of(received, dag_id):
    """Return the mails that say that a DAG did not run; it may be one of several in a mail."""
    return [letter for letter in received.letters if f"{dag_id} did not run: it was due at" in letter.text]


def posts_about(received, dag_id):
    """Return the events of the webhook's calls that say that a DAG did not run."""
    events = [event for _, content in received.posts for event in content["events"]]
    return [event for event in events if (event["kind"], event["dag_id"]) == ("missed", dag_id)]
