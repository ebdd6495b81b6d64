"""Which timetable is chosen, and that the model of Airflow's own one, by which it is chosen, is right."""

import os
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.fires import fire_minutes
from cronlift.crontab.ladder import choose
from cronlift.crontab.model import Flavour, Verdict
from cronlift.crontab.stock import StockClock, halves, stock_expression
from cronlift.crontab.zones import changes, from_minute, to_minute
from cronlift.errors import ScheduleError
from tests.unit.crontab.test_cronsim import an_expression

# Airflow writes its configuration file when it is first imported: not into the home of whoever runs the tests.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="cronlift-airflow-"))

START = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "Europe/Paris", "America/New_York", "America/Havana", "Asia/Kolkata", "Australia/Lord_Howe")
COUNT = 3000 if os.environ.get("LONG") else 120


def stock(expression: str, zone: str) -> str:
    return f'CronTriggerTimetable("{expression}", timezone="{zone}")'


@pytest.mark.parametrize(
    ("text", "zone", "kind", "python"),
    [
        ("0 3 * * *", "Europe/Paris", "cron-trigger", stock("0 3 * * *", "Europe/Paris")),
        ("*/5 * * * *", "Europe/Paris", "cron-trigger", stock("*/5 * * * *", "Europe/Paris")),
        ("30 2 * * *", "UTC", "cron-trigger", stock("30 2 * * *", "UTC")),
        ("@daily", "Europe/Paris", "cron-trigger", stock("0 0 * * *", "Europe/Paris")),
        ("0 4 * * 7", "Europe/Paris", "cron-trigger", stock("0 4 * * 0", "Europe/Paris")),
        ("5-5 4 * * mon-fri", "Europe/Paris", "cron-trigger", stock("5 4 * * mon-fri", "Europe/Paris")),
        ("*/90 4 * * *", "Europe/Paris", "cron-trigger", stock("0 4 * * *", "Europe/Paris")),
        ("0 4 1-31 * 1", "Europe/Paris", "cron-trigger", stock("0 4 * * *", "Europe/Paris")),
        ("0 4 1 * fri-sun", "Europe/Paris", "cron-trigger", stock("0 4 1 * *", "Europe/Paris")),
        ("0 4 1 * 5#3", "Europe/Paris", "cron-trigger", stock("0 4 1 * 5", "Europe/Paris")),
        ("0 * * * 1", "UTC", "cron-trigger", stock("0 * * * 1", "UTC")),
        ("0 * * * 1", "Europe/Paris", "rewritten",
         'MultipleCronTriggerTimetable("0 0-11 * * 1", "0 12-23 * * 1", timezone="Europe/Paris")'),
        ("30 2 * * *", "Europe/Paris", "cronlift",
         'CrontabTimetable("30 2 * * *", timezone="Europe/Paris", flavour="debian")'),
        ("0 0 */2 * 1", "UTC", "cronlift", 'CrontabTimetable("0 0 */2 * 1", timezone="UTC", flavour="debian")'),
        ('30" 2 * * 0,6"x', "Europe/Paris", "cronlift",
         'CrontabTimetable("30 2 * * 0,6", timezone="Europe/Paris", flavour="debian")'),
        ("30 2 * * *\xa0x", "Europe/Paris", "cronlift",
         'CrontabTimetable("30 2 * * *", timezone="Europe/Paris", flavour="debian")'),
        ("0 22-2 * * *", "UTC", "never", "None"),
        ("0 0 31 2 *", "UTC", "never", "None"),
        ("@reboot", "UTC", "never", "None"),
    ],
)  # fmt: skip
def test_plainest_timetable_is_chosen(text: str, zone: str, kind: str, python: str) -> None:
    found = choose(text, Flavour.DEBIAN, zone, start=START)
    assert (found.kind, found.python) == (kind, python)
    assert found.reason.endswith(".")


@pytest.mark.parametrize(
    ("text", "zone", "verdict"),
    [
        ("30 2 * * *", "Europe/Paris", Verdict.EXACT),
        ("0,30 2 * * *", "Europe/Paris", Verdict.EQUIVALENT),
        ("0,30 2 * * *", "UTC", Verdict.EXACT),
        ("0 22-2 * * *", "UTC", Verdict.NEVER_RAN),
        ("@reboot", "UTC", Verdict.NEEDS_DECISION),
    ],
)
def test_verdict(text: str, zone: str, verdict: Verdict) -> None:
    assert choose(text, Flavour.DEBIAN, zone, start=START).verdict is verdict


def test_first_difference_from_airflows_own_timetable_is_told() -> None:
    found = choose("30 2 * * *", Flavour.DEBIAN, "Europe/Paris", start=START)
    assert found.first_difference == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert "2026-03-29 01:00 UTC" in found.reason
    assert choose("0 12 */2 * 1", Flavour.DEBIAN, "UTC", start=START).first_difference == START.replace(hour=12)
    assert choose("0 3 * * *", Flavour.DEBIAN, "Europe/Paris", start=START).first_difference is None


def test_what_cronie_draws_is_settled() -> None:
    found = choose("0~59 2 * * *", Flavour.CRONIE, "Europe/Paris", "team__job", start=START)
    again = choose("0~59 2 * * *", Flavour.CRONIE, "Europe/Paris", "team__job", start=START)
    assert found == again
    assert "~" not in found.python
    assert found.warnings


def test_cron_tz_is_the_zone_for_cronie_alone() -> None:
    found = choose("30 4 * * *", Flavour.CRONIE, "UTC", cron_zone="Europe/Paris", start=START)
    assert found.python == stock("30 4 * * *", "Europe/Paris")
    found = choose("30 2 * * *", Flavour.CRONIE, "UTC", cron_zone="Europe/Paris", start=START)
    assert found.python.endswith('timezone="UTC", flavour="cronie", cron_timezone="Europe/Paris")')
    found = choose("30 2 * * *", Flavour.DEBIAN, "UTC", cron_zone="Europe/Paris", start=START)
    assert found.python == stock("30 2 * * *", "UTC")


@pytest.mark.parametrize(("text", "zone"), [("61 * * * *", "UTC"), ("* * * * *", "Mars/Phobos")])
def test_bad_input_is_a_schedule_error(text: str, zone: str) -> None:
    with pytest.raises(ScheduleError):
        choose(text, Flavour.DEBIAN, zone)


def real_runs(expressions: list[str], zone: str, after: int) -> Iterator[int]:
    """Step Airflow's own timetable from one run to the next."""
    from airflow.sdk.timezone import coerce_datetime
    from airflow.timetables.base import DataInterval, TimeRestriction
    from airflow.timetables.trigger import CronTriggerTimetable, MultipleCronTriggerTimetable

    timetable: Any = CronTriggerTimetable(expressions[0], timezone=zone)
    if len(expressions) > 1:
        timetable = MultipleCronTriggerTimetable(*expressions, timezone=zone)
    last = DataInterval.exact(coerce_datetime(from_minute(after)))
    while True:
        info = timetable.next_dagrun_info(
            last_automated_data_interval=last, restriction=TimeRestriction(None, None, catchup=True)
        )
        last = info.data_interval
        yield to_minute(info.run_after)


def model_runs(clock: StockClock, after: int) -> Iterator[int]:
    at: int | None = after
    while at is not None and (at := clock.after(at)) is not None:
        yield at


def starts_of_walks(draw: random.Random, zone: ZoneInfo) -> list[int]:
    begin, end = (to_minute(datetime(year, 1, 1, tzinfo=UTC)) for year in (2026, 2036))
    near = [change - draw.randrange(60 * 30) for change in draw.sample(changes(zone, begin, end), 2)] if changes(
        zone, begin, end
    ) else []  # fmt: skip
    return [draw.randrange(begin, end), *near]


def test_model_of_airflows_own_timetable_is_right() -> None:
    """Its text for croniter, and its steps, for any expression that a daemon takes."""
    draw = random.Random(1)
    different = []
    for _ in range(COUNT):
        text = an_expression(draw)
        schedule = parse_schedule(text, Flavour.DEBIAN)
        if schedule.never_fires or (expression := stock_expression(schedule)) is None:
            continue
        parts, expressions = [schedule], [expression]
        if schedule.every_hour and draw.random() < 0.5:
            parts = list(halves(schedule))
            expressions = [str(stock_expression(part)) for part in parts]
        zone = ZoneInfo(draw.choice(ZONES))
        for start in starts_of_walks(draw, zone):
            ours = list(islice(model_runs(StockClock(parts, zone), start), 12))
            real = list(islice(real_runs(expressions, zone.key, start), 12))
            if ours != real:
                different.append((text, expressions, zone.key, str(from_minute(start))))
    assert different == []


def test_choice_of_airflows_own_timetable_holds_through_changes_of_the_clock() -> None:
    """What is chosen is stepped as Airflow steps it, over ten years' changes of the clock."""
    draw = random.Random(2)
    begin, end = (to_minute(datetime(year, 1, 1, tzinfo=UTC)) for year in (2026, 2036))
    kinds = []
    for _ in range(COUNT // 3):
        text, zone = an_expression(draw), draw.choice(ZONES[1:])
        found = choose(text, Flavour.DEBIAN, zone, start=START)
        kinds.append(found.kind)
        if found.kind not in ("cron-trigger", "rewritten"):
            continue
        schedule = parse_schedule(text, Flavour.DEBIAN)
        all_changes = changes(ZoneInfo(zone), begin, end)
        for change in draw.sample(all_changes, 2) if all_changes else []:
            first = StockClock([schedule], ZoneInfo(zone)).before(change - 3000)
            assert first is not None
            real = list(islice(real_runs(found.expression.split(" + "), zone, first), 40))
            real = [each for each in real if each >= change - 300]
            if real:
                wanted = fire_minutes(schedule, ZoneInfo(zone), change - 300, real[-1] + 1, Flavour.DEBIAN)
                assert real == list(wanted), (text, zone, from_minute(change))
    assert {"cron-trigger", "cronlift", "rewritten"} <= set(kinds)


@pytest.mark.parametrize(
    ("text", "why"),
    [("0 0 * * fri-sun", "counts backwards"), ("0 22-2 * * *", "counts backwards"), ("0 0 31 2 *", "no such date")],
)
def test_reason_why_it_never_fires_is_the_right_one(text: str, why: str) -> None:
    assert why in choose(text, Flavour.DEBIAN, "UTC").reason


def test_random_draw_that_stays_is_not_exact() -> None:
    found = choose("0~59 4 * * *", Flavour.CRONIE, "UTC", "team__job")
    assert (found.verdict, "draws anew" in found.reason) == (Verdict.EQUIVALENT, True)
