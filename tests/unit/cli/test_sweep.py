"""`cronlift sweep` against a fake API server: what it prints, what it deletes, and its exit codes."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from cronlift.airflow import task_states
from cronlift.cli.main import main
from cronlift.cli.sweep import age_in_words
from cronlift.cluster import hub
from cronlift.cluster.config import ClusterConfig
from cronlift.errors import DatabaseError
from cronlift.job import naming
from cronlift.job.naming import TaskIdentity
from cronlift.job.orphans import TaskRecord, task_key
from tests.unit.cluster.conftest import DEPLOYMENT
from tests.unit.cluster.fake_api import fault

TEAMS = {"demo": {"namespace": "team-demo"}, "billing": {"namespace": "team-billing"}}


@pytest.fixture(autouse=True)
def deployment(monkeypatch, api):
    monkeypatch.setenv("CRONLIFT_DEPLOYMENT", DEPLOYMENT)
    monkeypatch.setenv("CRONLIFT_TEAMS", json.dumps(TEAMS))
    monkeypatch.delenv("CRONLIFT_CLUSTERS", raising=False)
    monkeypatch.setattr(hub, "load_config", lambda: ClusterConfig(api.url))


@pytest.fixture
def database(monkeypatch):
    """Return task id -> record, which is what the database holds."""
    records: dict[str, TaskRecord] = {}

    def read(identities):
        return {task_key(each): records[each.task_id] for each in identities if each.task_id in records}

    monkeypatch.setattr(task_states, "read_records", read)
    return records


def add(api, task_id, *, namespace="team-demo", age=timedelta(hours=1), name=None):
    identity = TaskIdentity(DEPLOYMENT, "demo__a", "manual__1", task_id, -1, 1, "id")
    name = name or naming.job_name(identity)
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "creationTimestamp": (datetime.now(UTC) - age).isoformat(),
        "labels": naming.labels(identity),
        "annotations": naming.annotations(identity),
    }
    api.put("jobs", {"metadata": metadata, "spec": {}, "status": {}})
    return name


async def run(*words):
    done = await asyncio.to_thread(CliRunner().invoke, main, ["sweep", *words])
    return done.exit_code, done.stdout, done.stderr


async def test_a_dry_run_shows_orphans_and_how_to_delete_them(api, database):
    orphan = add(api, "ended", age=timedelta(hours=3))
    add(api, "waits")
    add(api, "new", age=timedelta(minutes=2))
    add(api, "copied", name="debugging")
    database |= {"ended": TaskRecord("success", 1, "id"), "waits": TaskRecord("deferred", 1, "id")}
    code, out, err = await run()
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["JOB", "NAMESPACE", "AGE", "TASK", "WHY"]
    assert lines[1] == f"{orphan} team-demo 3 h demo__a ended manual__1 try 1 its task is success".split()
    assert lines[2][:3] == ["debugging", "team-demo", "60"]
    assert "is this one a copy?" in out
    assert out.splitlines()[3] == (
        "4 live Jobs; 1 of them orphans. Nothing was deleted; to delete: cronlift sweep --yes"
    )
    assert len(api.objects["jobs"]) == 4


async def test_yes_deletes_the_orphans_and_nothing_else(api, database):
    orphans = {add(api, "ended"), add(api, "gone", namespace="team-billing")}
    kept = {add(api, "waits"), add(api, "new", age=timedelta(minutes=2)), add(api, "copied", name="debugging")}
    database |= {"ended": TaskRecord("failed", 1, "id"), "waits": TaskRecord("deferred", 1, "id")}
    code, out, _ = await run("--yes")
    assert code == 0
    assert {name for _, name in api.objects["jobs"]} == kept
    assert all(f"{name} " in out for name in orphans)
    assert "deleted: its task is failed" in out
    assert out.splitlines()[-1] == "5 live Jobs; 2 orphans deleted, 0 could not be"


async def test_nothing_to_do_is_one_line(api, database):
    assert await run("--yes") == (0, "0 live Jobs; 0 orphans deleted, 0 could not be\n", "")


async def test_json_holds_every_live_job(api, database):
    orphan = add(api, "gone")
    add(api, "new", age=timedelta(minutes=2))
    code, out, _ = await run("--json")
    report = json.loads(out)
    assert code == 0
    assert (report["deployment"], report["errors"]) == (DEPLOYMENT, [])
    assert [job["fate"] for job in report["jobs"]] == ["orphan", "young"]
    first = report["jobs"][0]
    assert (first["namespace"], first["name"], first["task"]["task_id"]) == ("team-demo", orphan, "gone")
    assert first["why"] == "Airflow has no such task instance: its run was deleted"


async def test_min_age_and_namespace_narrow_the_look(api, database):
    add(api, "gone", age=timedelta(minutes=2))
    add(api, "gone", namespace="team-billing", age=timedelta(minutes=2))
    _, out, _ = await run("--json", "--min-age", "1", "--namespace", "team-billing")
    assert [(job["namespace"], job["fate"]) for job in json.loads(out)["jobs"]] == [("team-billing", "orphan")]


async def test_without_the_database_nothing_is_deleted(api, monkeypatch):
    def read(identities):
        raise DatabaseError("Cannot read task instances from Airflow's database: refused.")

    monkeypatch.setattr(task_states, "read_records", read)
    add(api, "gone")
    assert await run("--yes") == (
        1,
        "",
        "cronlift: Cannot read task instances from Airflow's database: refused. Nothing was deleted.\n",
    )
    assert len(api.objects["jobs"]) == 1


async def test_a_namespace_that_cannot_be_read_is_told_and_fails_the_sweep(api, database):
    add(api, "gone", namespace="team-billing")
    api.faults["list jobs"] = [fault(403, "Forbidden", "may not list")]
    code, out, err = await run("--yes")
    assert code == 1
    assert "list Jobs in team-demo" in err
    assert "1 live Jobs, besides 1 places that could not be read; 1 orphans deleted" in out


async def test_a_deletion_that_fails_fails_the_sweep(api, database):
    add(api, "gone")
    api.faults["delete jobs"] = [fault(403, "Forbidden", "may not delete")]
    code, out, _ = await run("--yes")
    assert code == 1
    assert "NOT DELETED: Cannot delete Job" in out
    assert "may not delete" in out


async def test_a_foreign_namespace_is_wrong_usage(api, database):
    code, _, err = await run("--namespace", "kube-system")
    assert code == 2
    assert "kube-system is no team's namespace. The teams' are: team-billing, team-demo" in err


async def test_missing_settings_are_named(api, monkeypatch):
    monkeypatch.delenv("CRONLIFT_TEAMS")
    code, out, err = await run()
    assert (code, out) == (1, "")
    assert "CRONLIFT_TEAMS is not set" in err


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=59), "0 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=49), "2 d"),
    ],
)
def test_ages_are_told_in_their_largest_unit(age, words):
    assert age_in_words(age) == words
