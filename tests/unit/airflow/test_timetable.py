"""The timetable, as the DAG processor, the scheduler and the UI use it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cronlift import CrontabTimetable
from cronlift.errors import LateRunError, ScheduleError

PARIS = "Europe/Paris"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return a clock whose time a test sets."""
    clock = SimpleNamespace(time=at("2026-03-01T00:00"))
    monkeypatch.setattr("cronlift.airflow.timetable.utcnow", lambda: clock.time)
    return clock


def next_run(
    timetable: CrontabTimetable,
    last: str | None = None,
    earliest: str | None = None,
    latest: str | None = None,
    catchup: bool = False,
) -> str | None:
    """Ask as the scheduler does, and return the run's time."""
    from airflow.sdk.timezone import coerce_datetime
    from airflow.timetables.base import DataInterval, TimeRestriction

    interval = DataInterval.exact(coerce_datetime(at(last))) if last else None
    first, end = (coerce_datetime(at(each)) if each else None for each in (earliest, latest))
    info = timetable.next_dagrun_info(
        last_automated_data_interval=interval, restriction=TimeRestriction(first, end, catchup)
    )
    if info is None:
        return None
    assert info.data_interval is not None
    assert info.data_interval.start == info.data_interval.end == info.run_after == info.logical_date
    return f"{info.run_after:%Y-%m-%dT%H:%M:%S}"


def runs(timetable: CrontabTimetable, count: int, last: str) -> Iterator[str]:
    for _ in range(count):
        found = next_run(timetable, last, catchup=True)
        assert found
        last = found
        yield found


def test_skipped_start_runs_when_the_clock_has_changed(now: Any) -> None:
    timetable = CrontabTimetable("30 2 * * *", timezone=PARIS)
    assert list(runs(timetable, 2, "2026-03-28T01:30")) == ["2026-03-29T01:00:00", "2026-03-30T00:30:00"]


def test_repeated_hour_runs_a_fixed_job_once(now: Any) -> None:
    timetable = CrontabTimetable("30 2 * * *", timezone=PARIS)
    assert list(runs(timetable, 2, "2026-10-24T00:30")) == ["2026-10-25T00:30:00", "2026-10-26T01:30:00"]


def test_two_starts_at_one_instant_come_a_second_apart(now: Any) -> None:
    timetable = CrontabTimetable("0,30 2 * * *", timezone=PARIS)
    found = list(runs(timetable, 3, "2026-03-28T02:00"))
    assert found == ["2026-03-29T01:00:00", "2026-03-29T01:00:01", "2026-03-30T00:00:00"]


def test_each_of_many_starts_at_one_instant_has_a_time_of_its_own(now: Any) -> None:
    timetable = CrontabTimetable("0-59 2,3 * * *", timezone=PARIS)
    found = list(runs(timetable, 122, "2026-03-28T02:59"))
    assert len(set(found)) == 122
    assert found == sorted(found)
    assert found[0] == "2026-03-29T01:00:00"
    assert found[120:] == ["2026-03-30T00:00:00", "2026-03-30T00:01:00"]


def test_cron_tz_of_cronie(now: Any) -> None:
    timetable = CrontabTimetable("30 2 * * *", timezone="UTC", flavour="cronie", cron_timezone=PARIS)
    assert next_run(timetable, "2026-03-28T01:30", catchup=True) == "2026-03-30T00:30:00"


def test_past_start_date_makes_no_run_for_what_is_missed(now: Any) -> None:
    now.time = at("2026-03-01T12:00")
    timetable = CrontabTimetable("0 3 * * *", timezone="UTC")
    assert next_run(timetable, earliest="2026-01-01T00:00") == "2026-03-02T03:00:00"


def test_start_date_in_the_future_is_waited_for(now: Any) -> None:
    timetable = CrontabTimetable("0 3 * * *", timezone="UTC")
    assert next_run(timetable, earliest="2026-05-01T03:00") == "2026-05-01T03:00:00"
    assert next_run(timetable, earliest="2026-05-01T03:01") == "2026-05-02T03:00:00"


def test_missed_start_is_made_up_for_within_the_grace_only(now: Any) -> None:
    timetable = CrontabTimetable("0 * * * *", timezone="UTC", grace=timedelta(minutes=10))
    now.time = at("2026-03-01T03:10")
    assert next_run(timetable, last="2026-03-01T00:00") == "2026-03-01T03:00:00"
    now.time = at("2026-03-01T03:10:01")
    assert next_run(timetable, last="2026-03-01T00:00") == "2026-03-01T04:00:00"


def test_backfill_gets_what_is_past(now: Any) -> None:
    timetable = CrontabTimetable("0 3 * * *", timezone="UTC")
    assert next_run(timetable, earliest="2026-01-01T00:00", catchup=True) == "2026-01-01T03:00:00"


def test_end_date_ends(now: Any) -> None:
    timetable = CrontabTimetable("0 3 * * *", timezone="UTC")
    assert next_run(timetable, latest="2026-03-01T03:00") == "2026-03-01T03:00:00"
    assert next_run(timetable, latest="2026-03-01T02:59") is None


def test_manual_run_is_for_its_own_time() -> None:
    from airflow.sdk.timezone import coerce_datetime

    when = coerce_datetime(at("2026-03-01T12:34"))
    interval = CrontabTimetable("0 3 * * *", timezone="UTC").infer_manual_data_interval(run_after=when)
    assert interval.start == interval.end == when


@pytest.mark.parametrize("text", ["0 0 31 2 *", "0 22-2 * * *", "0 0 31 feb,apr,jun *"])
def test_impossible_date_never_runs_and_never_raises(text: str, now: Any) -> None:
    timetable = CrontabTimetable(text, timezone=PARIS)
    assert next_run(timetable) is None
    assert next_run(timetable, earliest="2020-01-01T00:00", catchup=True) is None
    assert not timetable.can_be_scheduled
    assert timetable.description == "Never"


def test_rare_date_is_found(now: Any) -> None:
    timetable = CrontabTimetable("0 0 29 2 */7", timezone="UTC")
    assert next_run(timetable) == "2032-02-29T00:00:00"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"expression": "61 * * * *", "timezone": "UTC"}, "bad minute '61'"),
        ({"expression": "5/15 * * * *", "timezone": "UTC"}, "a step needs a range: write 5-59/15"),
        ({"expression": "0 0 L * *", "timezone": "UTC"}, "Quartz"),
        ({"expression": "* * * * *", "timezone": "Mars/Phobos"}, "no time zone 'Mars/Phobos'"),
        ({"expression": "* * * * *", "timezone": "UTC", "flavour": "fcron"}, "fcron"),
    ],
)
def test_bad_argument_is_told_where_the_dag_is_parsed(words: dict[str, str], says: str) -> None:
    with pytest.raises((ScheduleError, ValueError), match=says):
        CrontabTimetable(**words)


def test_zone_object_is_taken_by_its_name() -> None:
    import pendulum

    found = CrontabTimetable("0 3 * * *", timezone=pendulum.timezone(PARIS))
    assert found == CrontabTimetable("0 3 * * *", timezone=PARIS)


@pytest.mark.parametrize(
    "timetable",
    [
        CrontabTimetable("30 2 * * *", timezone=PARIS),
        CrontabTimetable("@hourly", timezone="UTC", flavour="cronie", cron_timezone=PARIS, grace=timedelta(hours=1)),
    ],
    ids=["plain", "all arguments"],
)
def test_scheduler_makes_the_same_timetable(timetable: CrontabTimetable) -> None:
    """By the plugin's registration: Airflow refuses a timetable that no plugin names."""
    import json

    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable

    found = decode_timetable(json.loads(json.dumps(encode_timetable(timetable))))
    assert found == timetable
    assert found is not timetable
    assert repr(found) == repr(timetable)
    assert hash(found) == hash(timetable)
    assert found != CrontabTimetable("31 2 * * *", timezone=PARIS)


def test_ui_shows_the_expression_and_plain_words() -> None:
    timetable = CrontabTimetable("30 2 * * 1-5", timezone=PARIS)
    assert timetable.summary == "30 2 * * 1-5"
    assert timetable.description == "At 02:30, Monday to Friday, Europe/Paris"


def test_dag_file_with_the_timetable_parses_and_serializes(parse: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    bag = parse("""
        from cronlift import CrontabTimetable
        with DAG("demo__x", schedule=CrontabTimetable("30 2 * * *", timezone="Europe/Paris"), catchup=False):
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")
    """)
    assert bag.import_errors == {}
    dag = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["demo__x"]))
    assert dag.timetable == CrontabTimetable("30 2 * * *", timezone=PARIS)


def dag_model(planned: str) -> Any:
    from airflow.models.dag import DagModel

    model = DagModel(dag_id="demo__x")
    model.next_dagrun = model.next_dagrun_create_after = at(planned)
    model.next_dagrun_data_interval = (at(planned), at(planned))
    return model


def test_planned_run_is_made_within_the_grace(now: Any) -> None:
    now.time = at("2026-03-01T03:10")
    info = CrontabTimetable("0 3 * * *", timezone="UTC").next_run_info_from_dag_model(
        dag_model=dag_model("2026-03-01T03:00")
    )
    assert info is not None
    assert info.run_after == at("2026-03-01T03:00")


def test_run_that_was_planned_before_a_long_outage_is_left_out_once(now: Any) -> None:
    now.time = at("2026-03-03T09:00")
    timetable = CrontabTimetable("0 3 * * *", timezone="UTC")
    model = dag_model("2026-03-01T03:00")
    with pytest.raises(LateRunError, match=r"demo__x: the run of 2026-03-01T03:00:00\+00:00 is left out") as found:
        timetable.next_run_info_from_dag_model(dag_model=model)
    assert "The next is 2026-03-04T03:00:00+00:00" in str(found.value)
    assert model.next_dagrun == model.next_dagrun_create_after == at("2026-03-04T03:00")
    now.time = at("2026-03-04T03:00:05")
    info = timetable.next_run_info_from_dag_model(dag_model=model)
    assert info is not None
    assert info.run_after == at("2026-03-04T03:00")
