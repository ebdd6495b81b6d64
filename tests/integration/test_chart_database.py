"""The chart's programs and Airflow itself against a real PostgreSQL: by parts, over verified TLS, as in the pods."""

import ast

import pytest
from cryptography.fernet import Fernet

from tests.integration.chart_pods import KEY, empty_database
from tests.integration.own_pgbouncer import pooled

ASK_BY_BOTH_DRIVERS = """
import asyncio
from airflow import settings
from sqlalchemy import text
with settings.Session() as session:
    print("sync", session.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")))
async def ask():
    async with settings.AsyncSession() as session:
        print("async", await session.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")))
    await settings.async_engine.dispose()
asyncio.run(ask())
"""
AT_ONCE = 40
ASK_AT_ONCE = """
import asyncio
from airflow import settings
from sqlalchemy import text
async def ask(number):
    async with settings.AsyncSession() as session:
        return await session.scalar(text("SELECT CAST(:number AS integer) + 1"), {"number": number})
async def ask_all():
    answers = []
    for _ in range(4):
        answers += await asyncio.gather(*(ask(number) for number in range(10)))
    await settings.async_engine.dispose()
    return answers
with settings.Session() as session:
    assert session.scalar(text("SELECT 1")) == 1
print(len(asyncio.run(ask_all())), "answers")
"""
ADD_A_CONNECTION = """
from airflow import settings
from airflow.models import Connection
with settings.Session() as session:
    session.add(Connection(conn_id="ledger", conn_type="http", password="secret"))
    session.commit()
"""


@pytest.fixture(scope="module")
def pods():
    """Return pods with a migrated database."""
    with empty_database() as found:
        before = found.script("wait_for_database", "--migrated", "--timeout=1")
        assert (before.returncode, "no Airflow tables yet" in before.stderr) == (1, True), before.stderr
        done = found.script("migrate")
        assert done.returncode == 0, done.stdout + done.stderr
        yield found


def test_both_drivers_of_airflow_come_in_by_tls_with_an_awkward_password(pods):
    done = pods.run("python", "-c", ASK_BY_BOTH_DRIVERS)
    assert done.stdout.splitlines()[-2:] == ["sync True", "async True"], done.stdout + done.stderr


def test_both_drivers_share_connections_behind_pgbouncer(pods):
    with pooled(pods.server) as port:
        done = pods.run("python", "-c", ASK_AT_ONCE, PGBOUNCER="true", PORT=str(port))
        assert done.stdout.splitlines()[-1] == f"{AT_ONCE} answers", done.stdout + done.stderr
        # What the chart's arguments are for: without them a statement is prepared on one connection, asked of another.
        done = pods.run("python", "-c", ASK_AT_ONCE, PORT=str(port))
        assert "prepared statement" in done.stderr, done.stdout + done.stderr


def test_the_scheduler_works_behind_pgbouncer(pods):
    with pooled(pods.server) as port:
        words = ("airflow", "scheduler", "--num-runs", "2")
        done = pods.run(*words, PGBOUNCER="true", PORT=str(port), AIRFLOW__CORE__EXECUTOR="LocalExecutor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    ask = "SELECT state FROM job WHERE job_type = 'SchedulerJob'"
    code = f"from sqlalchemy import text\nprint(session.scalar(text({ask!r})))"
    assert pods.orm(code) == "success"


def test_a_server_of_another_authority_is_not_talked_to(pods):
    done = pods.script("wait_for_database", "--timeout=1", CA="/etc/ssl/certs/ca-certificates.crt")
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr


def test_a_migrated_database_lets_airflow_start_and_a_second_migration_does_no_harm(pods):
    assert pods.script("migrate").returncode == 0
    done = pods.script("wait_for_database", "--migrated")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Database is ready")


def test_the_migration_has_made_the_pool(pods):
    done = pods.run("airflow", "pools", "get", "billing", "--output=json")
    assert '"include_deferred": "True"' in done.stdout or '"include_deferred": true' in done.stdout, done.stdout


def test_a_lost_fernet_key_stops_everything_with_the_cure(pods):
    assert pods.run("python", "-c", ADD_A_CONNECTION).returncode == 0
    assert pods.script("wait_for_database", "--migrated").returncode == 0
    new = Fernet.generate_key().decode()
    for words in (["--migrated"], []):  # a component, and the migration
        done = pods.script("wait_for_database", *words, AIRFLOW__CORE__FERNET_KEY=new)
        assert done.returncode == 1, words
        assert "connection ledger" in done.stderr
        assert "kubectl -n cronlift patch secret cronlift-secrets" in done.stderr
    assert pods.script("wait_for_database", "--migrated", AIRFLOW__CORE__FERNET_KEY=f"{new},{KEY}").returncode == 0


def test_a_database_of_a_newer_airflow_is_refused_with_the_cure(pods):
    change = "import cronlift_database as d; c = d.connect(5); c.autocommit = True; "
    swap = change + "c.cursor().execute(\"UPDATE alembic_version SET version_num = '{}' || version_num\")"
    undo = change + "c.cursor().execute(\"UPDATE alembic_version SET version_num = replace(version_num, 'newer', '')\")"
    assert pods.run("python", "-c", swap.format("newer")).returncode == 0
    try:
        for words in (["--migrated"], []):
            done = pods.script("wait_for_database", *words)
            assert done.returncode == 1
            assert "a newer Airflow migrated it" in done.stderr
    finally:
        assert pods.run("python", "-c", undo).returncode == 0


def test_metrics_are_read_from_the_database(pods):
    code = (
        "import json, metrics, cronlift_database as d; c = d.connect(5); k = c.cursor(); "
        "k.execute(\"INSERT INTO import_error (bundle_name, filename) VALUES ('billing', 'x.py')\"); "
        "k.execute(\"INSERT INTO job (job_type, state, latest_heartbeat) VALUES ('SchedulerJob', 'running', now())\"); "
        "p = json.dumps({'cronlift': {'refusal': 'emptied', 'checked_at': '2026-01-01T00:00:00+00:00', "
        "'synced_seconds_ago': 2.5}}); "
        "k.execute(\"INSERT INTO dag_bundle (name, active, template_params) VALUES ('billing', true, %s)\", (p,)); "
        "c.commit(); print(metrics.render(metrics.collect(c), 'cronlift/cronlift'))"
    )
    done = pods.run("python", "-c", code)
    assert 'cronlift_bundle_refused{deployment="cronlift/cronlift",team="billing"} 1' in done.stdout
    assert 'cronlift_bundle_synced_age_seconds{deployment="cronlift/cronlift",team="billing"}' in done.stdout
    assert 'cronlift_database_up{deployment="cronlift/cronlift"} 1' in done.stdout, done.stderr
    assert 'cronlift_import_errors{deployment="cronlift/cronlift",team="billing"} 1' in done.stdout
    assert (
        'cronlift_component_heartbeat_age_seconds{deployment="cronlift/cronlift",component="SchedulerJob"}'
        in done.stdout
    )


def test_a_component_that_ended_properly_grows_silent_and_its_older_rows_say_nothing(pods):
    code = (
        "import metrics, cronlift_database as d; c = d.connect(5); k = c.cursor(); "
        'k.execute("INSERT INTO job (job_type, state, latest_heartbeat) VALUES '
        "('TriggererJob', 'success', now() - interval '10 minutes'), "
        "('TriggererJob', 'running', now() - interval '1 day'), ('OtherJob', 'running', now())\"); c.commit(); "
        "name = 'cronlift_component_heartbeat_age_seconds'; "
        "print({s.labels[0][1]: s.value for s in metrics.collect(c) if s.name == name})"
    )
    done = pods.run("python", "-c", code)
    assert done.returncode == 0, done.stderr
    ages = ast.literal_eval(done.stdout)
    assert 600 <= ages["TriggererJob"] < 900
    assert "OtherJob" not in ages


def test_bundles_that_nobody_has_read_fail_helm_test(pods):
    code = "import check_bundles; print(check_bundles.ask()[0])"
    done = pods.run("python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{}"


def test_old_history_is_deleted(pods):
    done = pods.script("db_clean", "30")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
