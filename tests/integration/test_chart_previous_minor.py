"""A database with history that Airflow's previous minor has migrated: up to ours, refused on the way back, and down."""

import json
from pathlib import Path

import pytest

from ci.pins import pins
from tests.integration import previous_airflow
from tests.integration.chart_pods import empty_database

DAG = """
from datetime import datetime
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("demo__history", schedule=None, start_date=datetime(2026, 1, 1)):
    BashOperator(task_id="one", bash_command="echo one") >> BashOperator(task_id="two", bash_command="echo two")
"""
RUNS = ("2026-01-01", "2026-01-02", "2026-01-03")


class Releases:
    """The same database, seen by the images of two Airflows."""

    def __init__(self, pods, folder):
        self.pods, self.folder = pods, folder
        self.programs = previous_airflow.environment()
        self.previous = {"PATH": f"{self.programs}:{pods.base['PATH']}", "AIRFLOW__CORE__DAGS_FOLDER": str(folder)}

    def old(self, *words):
        """Run a program of the older image; it must succeed."""
        done = self.pods.run(str(self.programs / words[0]), *words[1:], **self.previous)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def old_script(self, name, *words):
        """Run one of the chart's scripts in the older image."""
        path = self.pods.base["PYTHONPATH"]
        return self.pods.run(str(self.programs / "python"), f"{path}/{name}.py", *words, **self.previous)

    def history(self):
        """Return what must not be lost: runs and task instances with their states, a connection, a variable."""
        code = (
            "import cronlift_database as d; c = d.connect(5).cursor(); "
            'c.execute("SELECT dag_id, run_id, state FROM dag_run ORDER BY 1, 2"); runs = c.fetchall(); '
            'c.execute("SELECT run_id, task_id, state, try_number FROM task_instance ORDER BY 1, 2"); '
            "import json; print(json.dumps([runs, c.fetchall()]))"
        )
        done = self.pods.run("python", "-c", code)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """Return a database with history, made by the previous minor."""
    folder = tmp_path_factory.mktemp("dags")
    Path(folder, "history.py").write_text(DAG)
    # The SQLAlchemy of those days does not unquote a database's name.
    with empty_database("airflow") as pods:
        found = Releases(pods, folder)
        found.old("airflow", "db", "migrate")
        found.old("airflow", "connections", "add", "demo__ledger", "--conn-type=http", "--conn-password=sesame")
        found.old("airflow", "variables", "set", "demo__rate", "1.17")
        for day in RUNS:
            found.old("airflow", "dags", "test", "demo__history", day)
        yield found


@pytest.fixture(scope="module")
def upgraded(releases):
    """Migrate it as the chart does, once; return what it held before."""
    before = releases.history()
    assert len(before[0]) == len(RUNS)
    assert {state for _, _, state in before[0]} == {"success"}
    waiting = releases.pods.script("wait_for_database", "--migrated", "--timeout=1")
    assert waiting.returncode == 1
    assert "the database is at" in waiting.stderr
    done = releases.pods.script("migrate")
    assert done.returncode == 0, done.stdout + done.stderr
    return before


def test_nothing_of_the_history_is_lost_on_the_way_up(releases, upgraded):
    assert releases.pods.script("wait_for_database", "--migrated").returncode == 0
    assert releases.history() == upgraded
    ledger = releases.pods.run("airflow", "connections", "get", "demo__ledger", "--output=json").stdout
    assert json.loads(ledger[ledger.index("[") :])[0]["password"] == "sesame"
    assert releases.pods.run("airflow", "variables", "get", "demo__rate").stdout.strip().endswith("1.17")


def test_the_older_image_is_refused_with_the_cure(releases, upgraded):
    for words in (["--migrated"], []):
        refused = releases.old_script("wait_for_database", *words, "--timeout=30")
        assert refused.returncode == 1
        assert f"(Airflow {previous_airflow.version()}) does not know" in refused.stderr
        assert f"migrate.downgradeTo={previous_airflow.version()}" in refused.stderr


def test_the_cure_brings_the_older_image_back_with_all_history(releases, upgraded):
    down = releases.pods.script("migrate", CRONLIFT_DOWNGRADE_TO=previous_airflow.version())
    assert down.returncode == 0, down.stdout + down.stderr
    assert releases.old_script("wait_for_database", "--migrated").returncode == 0
    assert releases.history() == upgraded
    assert releases.old("airflow", "variables", "get", "demo__rate").strip().endswith("1.17")
    up = releases.pods.script("migrate")
    assert up.returncode == 0, up.stdout + up.stderr
    assert releases.history() == upgraded


def test_the_previous_minor_is_the_one_before_ours():
    ours, previous = (version.split(".") for version in (pins()["AIRFLOW_VERSION"], previous_airflow.version()))
    assert (ours[0], int(ours[1]) - 1) == (previous[0], int(previous[1]))
