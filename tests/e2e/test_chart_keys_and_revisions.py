"""What the live release refuses: another fernet key, a database of a newer Airflow; and backup and restore."""

import base64
import secrets

from ci.kubectl import get, kubectl
from ci.paths import LOGS
from ci.release import NAME, NAMESPACE, SECRET
from tests.live.chart_release import (
    COMPONENTS,
    pods,
    restart_until_it_says,
    revision,
    rollback_words,
    rolled_out,
    sql,
    undo_sql,
    upgrade,
)
from tests.live.undo import Undoing, kubectl_words

WAIT = "wait-for-migration"
COMPONENT = "dag-processor"
SWEEP = "cronlift-sweep"
NEWER = "UPDATE alembic_version SET version_num = 'newer' || version_num"
AS_BEFORE = "UPDATE alembic_version SET version_num = replace(version_num, 'newer', '')"
ROLLOUT = kubectl_words("rollout", "restart", f"deployment/cronlift-{COMPONENT}", f"--namespace={NAMESPACE}")


def airflow_command(*words: str) -> str:
    """Run the airflow command in the scheduler."""
    return kubectl("exec", "deployment/cronlift-scheduler", f"--namespace={NAMESPACE}", "--container=scheduler", "--",
                   "airflow", *words, timeout_seconds=180)  # fmt: skip


def patch_key(value: str) -> list[str]:
    """Return kubectl's words that put a fernet key, in base64, into the Secret."""
    change = f'{{"data": {{"fernet-key": "{value}"}}}}'
    return ["patch", "secret", SECRET, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={change}"]


def test_a_lost_fernet_key_is_refused_with_the_cure_and_nothing_stops(airflow):
    airflow_command("connections", "add", "e2e_ledger", "--conn-type=http", "--conn-password=secret")
    old = get("secret", SECRET, f"--namespace={NAMESPACE}")["data"]["fernet-key"]
    # Through a file that only we can read: the key must not stand in the log of what is undone.
    keep = LOGS / "fernet-key.json"
    keep.parent.mkdir(parents=True, exist_ok=True)
    keep.touch(mode=0o600)
    keep.write_text(f'{{"data": {{"fernet-key": "{old}"}}}}')
    back = kubectl_words("patch", "secret", SECRET, f"--namespace={NAMESPACE}", "--type=merge", f"--patch-file={keep}")
    new = base64.b64encode(base64.urlsafe_b64encode(secrets.token_bytes(32))).decode()
    running = set(pods(COMPONENT))
    try:
        with Undoing(back, ROLLOUT):
            kubectl(*patch_key(new))
            words = restart_until_it_says(COMPONENT, WAIT, "is not the one with which this database was encrypted")
            assert f"kubectl -n {NAMESPACE} patch secret {SECRET}" in words
            assert running <= set(pods(COMPONENT)), "the pod that ran was stopped"
        rolled_out(COMPONENT)
    finally:
        keep.unlink()
        airflow_command("connections", "delete", "e2e_ledger")


def test_a_database_of_a_newer_airflow_is_refused_with_the_cure(airflow):
    running = set(pods(COMPONENT))
    with Undoing(undo_sql(AS_BEFORE), ROLLOUT):
        sql(NEWER)
        words = restart_until_it_says(COMPONENT, WAIT, "a newer Airflow migrated it")
        assert "airflow db downgrade" in words
        assert running <= set(pods(COMPONENT)), "the pod that ran was stopped"
    rolled_out(COMPONENT)


def test_history_connections_and_variables_come_back_from_a_backup(airflow):
    airflow_command("variables", "set", "e2e_backup", "kept")
    runs = sql("SELECT count(*) FROM dag_run")
    postgres = ("exec", "cronlift-postgres-0", f"--namespace={NAMESPACE}", "--", "sh", "-c")
    restore = "pg_restore -U airflow -d airflow --clean --if-exists /tmp/e2e.dump"
    kubectl(*postgres, "pg_dump -U airflow -Fc -f /tmp/e2e.dump airflow")
    undo = kubectl_words(*postgres, f"test -e /tmp/e2e.done || {restore}; rm -f /tmp/e2e.done")
    with Undoing(undo, rollback_words(revision())):
        kubectl("delete", "deployments,cronjobs,jobs", f"--selector=app.kubernetes.io/instance={NAME}",
                f"--namespace={NAMESPACE}", "--cascade=foreground", timeout_seconds=300)  # fmt: skip
        sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        kubectl(*postgres, f"{restore} && touch /tmp/e2e.done", timeout_seconds=180)
        upgrade("sweep.enabled=false")
        assert get("cronjob", SWEEP, f"--namespace={NAMESPACE}") is None, "it would delete Jobs from after the backup"
    for component in COMPONENTS:
        rolled_out(component)
    assert get("cronjob", SWEEP, f"--namespace={NAMESPACE}") is not None
    assert sql("SELECT count(*) FROM dag_run") == runs
    assert airflow_command("variables", "get", "e2e_backup").strip().splitlines()[-1] == "kept"
    airflow_command("variables", "delete", "e2e_backup")
