"""What the sweeper reads from Airflow's database: a real table of Airflow's own model, in memory."""

from uuid import UUID

import pytest
from airflow.models import import_all_models
from airflow.models.taskinstance import TaskInstance
from airflow.utils.state import TaskInstanceState
from sqlalchemy import create_engine, insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cronlift.airflow import task_states
from cronlift.errors import DatabaseError
from cronlift.job.naming import TaskIdentity
from cronlift.job.orphans import ENDED_STATES, WAITING_STATES, TaskRecord, task_key

UUIDS = [UUID(int=number) for number in range(4)]


def identity(task_id="work", run_id="manual__1", map_index=-1):
    return TaskIdentity("cronlift/cronlift", "demo__a", run_id, task_id, map_index, 1)


@pytest.fixture
def session():
    import_all_models()  # the tables that its foreign keys name
    engine = create_engine("sqlite://")
    TaskInstance.__table__.create(engine)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def add(session, number, state, **more):
    row = {"dag_id": "demo__a", "run_id": "manual__1", "task_id": "work", "map_index": -1, "pool": "default_pool"}
    row |= {"id": UUIDS[number], "state": state, "try_number": 1, "pool_slots": 1, "span_status": "not_started"}
    session.execute(insert(TaskInstance).values(**row | more))


def test_every_state_of_airflow_is_judged():
    # 3.3.2: a state that Airflow adds later is in neither set, and its Jobs are left alone. awaiting_input is that of
    # a task which waits for a person, and our operator never does.
    known = {state.value for state in TaskInstanceState} - {"awaiting_input"}
    assert known == (WAITING_STATES | ENDED_STATES) - {None}


def test_records_are_found_by_all_four_parts_of_their_key(session):
    add(session, 0, "deferred")
    add(session, 1, "success", map_index=2, try_number=3)
    add(session, 2, None, run_id="manual__2")
    add(session, 3, "running", task_id="other")
    wanted = [identity(), identity(map_index=2), identity(run_id="manual__2"), identity(map_index=5)]
    assert task_states.select_records(session, [task_key(each) for each in wanted]) == {
        task_key(wanted[0]): TaskRecord("deferred", 1, str(UUIDS[0])),
        task_key(wanted[1]): TaskRecord("success", 3, str(UUIDS[1])),
        task_key(wanted[2]): TaskRecord(None, 1, str(UUIDS[2])),
    }


def test_many_tasks_are_read_in_chunks(session, monkeypatch):
    monkeypatch.setattr(task_states, "CHUNK", 2)
    for number in range(4):
        add(session, number, "running", map_index=number)
    keys = [task_key(identity(map_index=number)) for number in range(5)]
    assert list(task_states.select_records(session, keys)) == keys[:4]


def test_an_empty_database_is_taken_for_a_foreign_one(session):
    with pytest.raises(DatabaseError, match="holds no task instance at all"):
        task_states.select_records(session, [task_key(identity())])


def test_a_database_that_does_not_answer_is_an_error_with_its_cause(monkeypatch):
    def refuse(session, keys):
        raise OperationalError("SELECT 1", {}, Exception("connection refused\nIs the server running?"))

    monkeypatch.setattr(task_states, "select_records", refuse)
    with pytest.raises(DatabaseError, match=r"database: connection refused\. Run this in a Pod"):
        task_states.read_records([identity()])
