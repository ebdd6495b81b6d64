"""The notifier against a real PostgreSQL with Airflow's tables, a mail server that insists on TLS, and a webhook."""

import json
import os
import ssl

import pytest

from tests.integration.chart_pods import empty_database
from tests.live.receivers import receivers

DAGS = """
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
for team in ("billing", "demo"):
    session.add(DagBundleModel(name=team))
session.flush()
common = dict(is_stale=False, max_active_tasks=16, max_active_runs=16, max_consecutive_failed_dag_runs=0,
              has_task_concurrency_limits=False)
for team, name, paused, due in (
    ("demo", "fails", False, 3600), ("demo", "waits", False, 3600), ("demo", "missed", False, 3600),
    ("demo", "paused", True, 3600), ("billing", "fails", False, 3600),
):
    session.add(DagModel(dag_id=f"{team}__{name}", bundle_name=team, is_paused=paused,
                         next_dagrun_create_after=now + timedelta(seconds=due), **common))
"""
RUN = """
from airflow.models.dagrun import DagRun
from airflow.utils.types import DagRunTriggeredByType, DagRunType
run = DagRun(dag_id={dag_id!r}, run_id={run_id!r}, run_type=DagRunType.MANUAL, state={state!r},
             run_after=now - timedelta(seconds={age}), triggered_by=DagRunTriggeredByType.TEST)
run.end_date = now if {state!r} == "failed" else None
session.add(run)
"""
OVERDUE = """
from airflow.models.dag import DagModel
for name in ("missed", "paused"):
    session.get(DagModel, f"demo__{name}").next_dagrun_create_after = now - timedelta(seconds=61)
"""

KILLED = """
import os
import notify
from pathlib import Path
notify.ALIVE = Path({alive!r})
def deliver(message, *rest):
    if notify.ALIVE.exists():
        os._exit(9)
    return notify.send(message, *rest)
notify.one_round(os.environ, deliver)
"""


class World:
    """The database with two teams' DAGs, the receivers, and the notifier between them."""

    def __init__(self, pods, received):
        self.pods, self.received = pods, received
        folder = pods.server.folder
        (folder / "hook").write_text(f"http://127.0.0.1:{received.http_port}/x\n")
        (folder / "hook").chmod(0o644)
        smtp = {"host": "localhost", "port": received.smtp_port, "security": "starttls", "from": "airflow@example.com"}
        self.variables = {
            "CRONLIFT_ROUTES": json.dumps(
                {
                    "demo": {"emails": ["demo@example.com", "boss@example.com"], "webhook": str(folder / "hook")},
                    "billing": {"emails": ["billing@example.com"], "webhook": ""},
                }
            ),
            "CRONLIFT_LATE_SECONDS": "60",
            "CRONLIFT_SMTP": json.dumps(smtp),
            "CRONLIFT_SMTP_USERNAME": "airflow",
            "CRONLIFT_SMTP_PASSWORD": "secret",
            "CRONLIFT_DEPLOYMENT": "cronlift/cronlift",
            "AIRFLOW__API__BASE_URL": "https://airflow.example.com",
            "SSL_CERT_FILE": str(pods.server.authority),
        }

    def run(self, dag_id, run_id, state, age=0):
        """Add a run."""
        self.pods.orm(RUN.format(dag_id=dag_id, run_id=run_id, state=state, age=age))

    def round(self):
        """Let the notifier look once; return what it printed."""
        self.received.letters.clear()
        self.received.posts.clear()
        done = self.pods.script("notify", "--once", **self.variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def world():
    with empty_database() as pods:
        assert pods.script("migrate").returncode == 0
        pods.orm(DAGS)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pods.server.folder / "server.crt", pods.server.folder / "server.key")
        with receivers("localhost", context) as received:
            found = World(pods, received)
            found.run("demo__fails", "of-the-past", "failed")
            yield found


def test_what_failed_before_the_first_round_is_no_news(world):
    assert "Told" not in world.round()
    assert not world.received.letters
    assert "until" in world.pods.run("airflow", "variables", "get", "cronlift__notified").stdout


def test_a_failed_run_is_told_to_its_team_over_tls_with_a_login_and_only_once(world):
    world.run("demo__fails", "r1", "failed")
    world.run("billing__fails", "r1", "failed")
    world.round()
    letters = {letter.recipients: letter for letter in world.received.letters}
    assert set(letters) == {("demo@example.com", "boss@example.com"), ("billing@example.com",)}
    letter = letters["demo@example.com", "boss@example.com"]
    assert letter.subject == "demo__fails failed"
    assert "https://airflow.example.com/dags/demo__fails/runs/r1" in letter.text
    assert letter.message["From"] == "airflow@example.com"
    assert set(world.received.logins) == {("airflow", "secret")}
    [(path, content)] = world.received.posts
    assert (path, content["team"], content["deployment"]) == ("/x", "demo", "cronlift/cronlift")
    assert [event["run_id"] for event in content["events"]] == ["r1"]
    world.round()
    assert (world.received.letters, world.received.posts) == ([], [])


def test_a_run_that_nobody_made_and_one_that_waits_are_told_in_one_message(world):
    world.pods.orm(OVERDUE)
    world.run("demo__waits", "r2", "queued", age=70)
    world.round()
    [letter] = world.received.letters
    assert letter.subject == "2 jobs of demo: 1 did not run, 1 waits to start"
    assert "demo__missed did not run: it was due at" in letter.text
    assert "demo__paused" not in letter.text
    world.round()
    assert not world.received.letters


def test_a_server_that_refuses_costs_nothing_but_time(world):
    world.run("demo__fails", "r3", "failed")
    world.received.refuse = True
    words = world.round()
    assert "Team demo was not told by mail: " in words
    assert "Team demo was not told by webhook: HTTP Error 503: Service Unavailable" in words
    assert str(world.received.http_port) not in words
    world.received.refuse = False
    world.round()
    assert [letter.subject for letter in world.received.letters] == ["demo__fails failed"]
    assert len(world.received.posts) == 1


def test_a_notifier_that_is_killed_between_two_messages_tells_each_once(world, tmp_path):
    world.run("demo__fails", "r5", "failed")
    world.run("billing__fails", "r5", "failed")
    world.received.letters.clear()
    world.received.posts.clear()
    code = KILLED.format(alive=str(tmp_path / "alive"))
    assert world.pods.run("python", "-c", code, **world.variables).returncode == 9
    first, posts = [letter.recipients for letter in world.received.letters], len(world.received.posts)
    assert len(first) + posts == 1
    world.round()
    letters = first + [letter.recipients for letter in world.received.letters]
    assert sorted(letters) == [("billing@example.com",), ("demo@example.com", "boss@example.com")]
    assert posts + len(world.received.posts) == 1


def test_a_mail_server_of_another_authority_gets_no_password(world):
    world.run("billing__fails", "r4", "failed")
    before = len(world.received.logins)
    words = world.pods.script("notify", "--once", **{**world.variables, "SSL_CERT_FILE": os.devnull}).stderr
    assert "Team billing was not told by mail" in words
    assert "certificate verify failed" in words
    assert len(world.received.logins) == before
    world.round()
    assert [letter.subject for letter in world.received.letters] == ["billing__fails failed"]
