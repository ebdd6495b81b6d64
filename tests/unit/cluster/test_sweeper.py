"""Orphans are found, looked at twice, and deleted; everything else is left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from cronlift.cluster.sweeper import Fate, Place, Sweeper
from cronlift.errors import DatabaseError
from cronlift.job import naming
from cronlift.job.naming import TaskIdentity
from cronlift.job.orphans import TaskRecord, task_key
from tests.unit.cluster.conftest import DEPLOYMENT
from tests.unit.cluster.fake_api import fault

NAMESPACE = "team-demo"
MIN_AGE = timedelta(minutes=10)


class Database:
    """Airflow's database: records by task id, and how often it was asked."""

    def __init__(self):
        self.records: dict[str, TaskRecord] = {}
        self.asked: list[list[str]] = []

    def read(self, identities):
        self.asked.append([each.task_id for each in identities])
        return {task_key(each): self.records[each.task_id] for each in identities if each.task_id in self.records}


@pytest.fixture
def database():
    return Database()


@pytest.fixture
def sweeper(database):
    return Sweeper(DEPLOYMENT, database.read, MIN_AGE)


@pytest.fixture
def place(client):
    return Place(NAMESPACE, client)


@pytest.fixture
def add(api):
    def put(task_id, *, age=timedelta(hours=1), deployment=DEPLOYMENT, spec=None, conditions=(), **metadata):
        identity = TaskIdentity(deployment, "demo__a", "manual__1", task_id, -1, 1, f"id-{task_id}")
        name = metadata.pop("name", naming.job_name(identity))
        job = {
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "uid": f"uid-{name}",
                "creationTimestamp": (datetime.now(UTC) - age).isoformat(),
                "labels": naming.labels(identity),
                "annotations": naming.annotations(identity),
                **metadata,
            },
            "spec": spec or {},
            "status": {"conditions": [{"type": each, "status": "True"} for each in conditions]},
        }
        return api.put("jobs", job)

    return put


def names(api):
    return {name for _, name in api.objects["jobs"]}


async def orphan_of(sweeper, place):
    [seen], errors = await sweeper.look([place])
    assert (seen.fate, errors) == (Fate.ORPHAN, [])
    return seen


async def test_each_live_job_is_judged_by_its_task(sweeper, database, place, add):
    for task_id in ("ended", "waits", "gone", "held", "new"):
        add(task_id, age=timedelta(minutes=9) if task_id == "new" else timedelta(hours=1),
            spec={"suspend": True} if task_id == "held" else None)  # fmt: skip
    add("copy", name="debugging")
    database.records = {
        "ended": TaskRecord("success", 1),
        "waits": TaskRecord("deferred", 1, "id-waits"),
        "held": TaskRecord("failed", 1),
    }
    seen, errors = await sweeper.look([place])
    assert errors == []
    assert {(each.identity.task_id if each.identity else each.name): each.fate for each in seen} == {
        "ended": Fate.ORPHAN,
        "waits": Fate.WANTED,
        "gone": Fate.ORPHAN,
        "held": Fate.HELD,
        "new": Fate.YOUNG,
        "debugging": Fate.UNCLEAR,
    }


async def test_looking_deletes_nothing(sweeper, place, add, api):
    add("gone")
    await orphan_of(sweeper, place)
    assert api.calls == {"list jobs": 1}


async def test_jobs_that_ended_and_jobs_of_other_deployments_are_not_looked_at(sweeper, database, place, add):
    add("complete", conditions=["Complete"])
    add("failed", conditions=["Failed"])
    add("going", deletionTimestamp="2026-01-01T00:00:00Z")
    add("foreign", deployment="other/other")
    assert await sweeper.look([place]) == ([], [])
    assert database.asked == []


async def test_the_database_is_not_asked_while_every_job_is_young_or_unclear(sweeper, database, place, add):
    add("new", age=timedelta(minutes=1))
    add("copy", name="debugging")
    await sweeper.look([place])
    assert database.asked == []


async def test_jobs_are_read_before_the_database(place, add, api):
    add("gone")
    calls = []

    def read(identities):
        calls.append(dict(api.calls))
        return {}

    await orphan_of(Sweeper(DEPLOYMENT, read, MIN_AGE), place)
    assert calls == [{"list jobs": 1}]


async def test_a_namespace_that_refuses_does_not_hide_the_others(sweeper, place, add, api):
    add("gone")
    api.faults["list jobs"] = [fault(403, "Forbidden", "may not list")]
    seen, [error] = await sweeper.look([Place("team-billing", place.client), place])
    assert [each.fate for each in seen] == [Fate.ORPHAN]
    assert "list Jobs in team-billing" in str(error)


async def test_no_database_means_no_verdict(place, add, api):
    def read(identities):
        raise DatabaseError("does not answer")

    add("gone")
    with pytest.raises(DatabaseError):
        await Sweeper(DEPLOYMENT, read, MIN_AGE).look([place])
    assert len(names(api)) == 1


async def test_an_orphan_is_deleted_as_the_launcher_in_the_foreground(sweeper, database, place, add, api):
    add("ended")
    database.records = {"ended": TaskRecord("failed", 1)}
    done = await sweeper.remove(await orphan_of(sweeper, place))
    assert (done.fate, done.why) == (Fate.DELETED, "its task is failed")
    assert names(api) == set()
    assert {headers["Impersonate-User"] for _, headers, _ in api.seen} == {place.client.impersonate}
    assert database.asked == [["ended"], ["ended"]]


async def test_a_task_that_goes_on_at_the_second_look_keeps_its_job(sweeper, database, place, add, api):
    add("revived")
    orphan = await orphan_of(sweeper, place)
    database.records = {"revived": TaskRecord("deferred", 1, "id-revived")}
    done = await sweeper.remove(orphan)
    assert (done.fate, done.why) == (Fate.SPARED, "its task goes on")
    assert len(names(api)) == 1


async def test_a_job_that_ended_before_the_second_look_is_left_to_its_delete_policy(sweeper, place, add, api):
    job = add("gone")
    orphan = await orphan_of(sweeper, place)
    api.finish(job)
    assert (await sweeper.remove(orphan)).fate is Fate.SPARED
    assert len(names(api)) == 1


async def test_another_job_under_the_same_name_is_left_alone(sweeper, place, add, api):
    add("gone")
    orphan = await orphan_of(sweeper, place)
    add("gone", uid="another")
    assert (await sweeper.remove(orphan)).fate is Fate.SPARED
    assert len(names(api)) == 1


async def test_a_job_that_is_gone_already_is_no_failure(sweeper, place, add, api):
    job = add("gone")
    orphan = await orphan_of(sweeper, place)
    api.remove("jobs", NAMESPACE, job["metadata"]["name"])
    assert (await sweeper.remove(orphan)).fate is Fate.SPARED


async def test_a_refused_deletion_is_a_failure_with_the_servers_words(sweeper, place, add, api):
    add("gone")
    orphan = await orphan_of(sweeper, place)
    api.faults["delete jobs"] = [fault(403, "Forbidden", "may not delete")]
    done = await sweeper.remove(orphan)
    assert done.fate is Fate.FAILED
    assert "may not delete" in done.why


async def test_a_database_that_fails_at_the_second_look_keeps_the_job(place, add, api):
    answers = iter([{}])

    def read(identities):
        try:
            return next(answers)
        except StopIteration:
            raise DatabaseError("went away") from None

    add("gone")
    sweeper = Sweeper(DEPLOYMENT, read, MIN_AGE)
    done = await sweeper.remove(await orphan_of(sweeper, place))
    assert (done.fate, done.why) == (Fate.FAILED, "went away")
    assert len(names(api)) == 1


async def test_only_orphans_can_be_removed(sweeper, place, add):
    add("new", age=timedelta(minutes=1))
    [seen], _ = await sweeper.look([place])
    with pytest.raises(ValueError, match="is no orphan but young"):
        await sweeper.remove(seen)
