"""A task that has succeeded in the triggerer makes the DAG processor parse nothing (fact 24)."""

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.callbacks.database_callback_sink import DatabaseCallbackSink
from airflow.models.db_callback_request import DbCallbackRequest
from airflow.models.trigger import handle_event_submit
from airflow.triggers.base import BaseTaskEndEvent, TaskFailedEvent, TaskSuccessEvent

from cronlift.airflow import success_callbacks, warmup


@pytest.fixture(autouse=True)
def airflows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with Airflow's own sink, and leave it."""
    send: Any = DatabaseCallbackSink.send
    monkeypatch.setattr(DatabaseCallbackSink, "send", send.__wrapped__ if hasattr(send, "sends_no_successes") else send)


def sent_by(event: BaseTaskEndEvent) -> list[DbCallbackRequest]:
    """Write a task's end as the triggerer does, and return what the DAG processor is asked for."""
    found: list[DbCallbackRequest] = []
    session: Any = SimpleNamespace(add=found.append, flush=lambda: None)
    task: Any = SimpleNamespace(
        id=uuid.uuid4(),
        task_id="t",
        dag_id="d",
        run_id="r",
        try_number=1,
        dag_version_id=uuid.uuid4(),
        map_index=-1,
        hostname=None,
        context_carrier=None,
        queue="default",
        priority_weight=1,
        pool_slots=1,
        executor_config=None,
        parent_context_carrier=None,
        queued_dttm=None,
        dag_model=SimpleNamespace(relative_fileloc="d.py", bundle_name="demo"),
        dag_run=SimpleNamespace(bundle_version="1"),
        set_state=lambda state, session: None,
        trigger_id=1,
    )
    handle_event_submit(event, task_instance=task, session=session)
    return found


def test_success_asks_for_no_callback() -> None:
    success_callbacks.send_none()
    success_callbacks.send_none()
    assert sent_by(TaskSuccessEvent()) == []


def test_failure_asks_for_its_callback() -> None:
    success_callbacks.send_none()
    assert len(sent_by(TaskFailedEvent())) == 1


def test_airflow_still_asks_for_callbacks_of_successes() -> None:
    assert len(sent_by(TaskSuccessEvent())) == 1, "Airflow is cured: remove success_callbacks.py"


def test_triggerer_begins_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup, "API_MODULES", ("no_such_module",))
    monkeypatch.setattr(warmup, "find_job_runner", lambda: object())
    warmup._after_fork()
    assert sent_by(TaskSuccessEvent()) == []


def test_other_processes_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup, "find_job_runner", lambda: None)
    warmup._after_fork()
    assert len(sent_by(TaskSuccessEvent())) == 1
