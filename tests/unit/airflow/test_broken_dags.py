"""A DAG whose file stops importing stays alive with its runs; one that left its file does not."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from cronlift.airflow import delivery_status


@pytest.fixture
def session(monkeypatch):
    """Airflow's two tables in memory, with one file that does not import."""
    from airflow.models import import_all_models
    from airflow.models.dag import DagModel
    from airflow.models.errors import ParseImportError
    from airflow.utils import session as sessions
    from sqlalchemy import create_engine, insert
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import StaticPool

    import_all_models()
    engine = create_engine("sqlite://", poolclass=StaticPool)
    for model in (DagModel, ParseImportError):
        model.__table__.create(engine)
    with Session(engine) as opened:

        @contextmanager
        def create_session():
            yield opened
            opened.commit()

        opened.execute(insert(ParseImportError).values(bundle_name="demo", filename="broken.py"))
        monkeypatch.setattr(sessions, "create_session", create_session)
        monkeypatch.setattr(delivery_status, "_kept_at", float("-inf"))
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL", "300")
        yield opened
    engine.dispose()


@pytest.mark.parametrize(
    ("file", "has_errors", "stale", "parsed_seconds_ago", "is_kept"),
    [
        ("broken.py", True, False, 200, True),
        ("broken.py", True, False, 9000, True),
        ("broken.py", True, True, 200, True),
        ("broken.py", True, True, 9000, False),
        ("good.py", False, False, 200, False),
        ("good.py", False, True, 200, False),
        ("deleted.py", True, True, 200, False),
    ],
    ids=["alive", "broken for hours", "just marked stale", "left the file long ago", "of a good file",
         "left a good file", "of a deleted file"],
)  # fmt: skip
def test_dag_is_kept_while_its_file_does_not_import(session, file, has_errors, stale, parsed_seconds_ago, is_kept):
    from airflow.models.dag import DagModel
    from sqlalchemy import insert, select

    parsed = datetime.now(UTC) - timedelta(seconds=parsed_seconds_ago)
    session.execute(insert(DagModel.__table__).values(
        dag_id="demo__a", bundle_name="demo", relative_fileloc=file, has_import_errors=has_errors, is_stale=stale,
        last_parsed_time=parsed, max_active_tasks=1, max_consecutive_failed_dag_runs=0,
        has_task_concurrency_limits=False, timetable_type="", timetable_partitioned=False, timetable_periodic=False,
        exceeds_max_non_backfill=False, fail_fast=False,
    ))  # fmt: skip
    session.commit()
    delivery_status.keep_broken_dags()
    after = session.execute(select(DagModel.is_stale, DagModel.last_parsed_time)).one()
    assert (after.last_parsed_time > parsed + timedelta(seconds=100)) == is_kept
    assert after.is_stale == (stale and not is_kept)
