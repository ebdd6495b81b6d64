"""When the daemons start jobs, on the days when clocks change; the real ones judge this in tests/integration."""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.fires import fire_minutes, fire_times
from cronlift.crontab.model import Flavour
from cronlift.crontab.zones import changes, to_minute

PARIS = ZoneInfo("Europe/Paris")
SPRING = "2026-03-28T22:00 2026-03-29T05:00"
AUTUMN = "2026-10-24T22:00 2026-10-25T05:00"


def starts(text: str, span: str, zone: str = "Europe/Paris", flavour: str = "debian", cron_zone: str = "") -> str:
    """Return hours and minutes, UTC, of the starts between two times."""
    after, until = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in span.split())
    schedule = parse_schedule(text, Flavour(flavour))
    elsewhere = ZoneInfo(cron_zone) if cron_zone else None
    found = fire_times(schedule, ZoneInfo(zone), after, until, Flavour(flavour), elsewhere)
    return " ".join(f"{each:%H:%M}" for each in found)


@pytest.mark.parametrize("flavour", list(Flavour))
@pytest.mark.parametrize(
    ("text", "spring", "autumn"),
    [
        ("30 2 * * *", "01:00", "00:30"),
        ("0,30 2 * * *", "01:00 01:00", "00:00 00:30"),
        ("0 3 * * *", "01:00", "02:00"),
        ("0 2,3 * * *", "01:00 01:00", "00:00 02:00"),
        ("*/30 2 * * *", "", "00:00 00:30 01:00 01:30"),
        ("0 */2 * * *", "23:00 02:00 04:00", "22:00 00:00 01:00 03:00 05:00"),
        ("0 1-3 * * *", "00:00 01:00 01:00", "23:00 00:00 02:00"),
        ("@hourly", "23:00 00:00 01:00 02:00 03:00 04:00 05:00", "23:00 00:00 01:00 02:00 03:00 04:00 05:00"),
    ],
)
def test_change_of_the_clock_in_paris(text: str, spring: str, autumn: str, flavour: str) -> None:
    assert starts(text, SPRING, flavour=flavour) == spring
    expected = autumn.removeprefix("22:00 ")  # later than 22:00, not at it
    assert starts(text, AUTUMN, flavour=flavour) == expected


@pytest.mark.parametrize(
    ("text", "zone", "span", "expected"),
    [
        ("30 0 * * *", "America/Havana", "2026-03-08T00:00 2026-03-08T12:00", "05:00"),
        ("30 0 * * *", "America/Havana", "2026-11-01T00:00 2026-11-01T12:00", "04:30"),
        ("0,15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00 2026-10-03T18:00", "15:30 15:30"),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00 2026-04-04T18:00", "14:45"),
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00 2011-12-31T00:00", "22:00 22:00"),
        ("30 3 * * *", "Asia/Kolkata", "2026-03-28T21:00 2026-03-29T21:00", "22:00"),
    ],
)
def test_other_zones(text: str, zone: str, span: str, expected: str) -> None:
    assert starts(text, span, zone) == expected


def test_bounds_are_later_than_the_first_and_not_later_than_the_last() -> None:
    assert starts("0 * * * *", "2026-01-01T01:00 2026-01-01T03:00", "UTC") == "02:00 03:00"


def test_what_is_caught_up_counts_only_within_the_bounds() -> None:
    assert starts("30 2 * * *", "2026-03-29T01:00 2026-03-29T02:00") == ""
    assert starts("30 2 * * *", "2026-03-29T00:59 2026-03-29T01:00") == "01:00"


def test_cron_tz_goes_by_the_wall_clock_and_catches_nothing_up() -> None:
    assert starts("30 2 * * *", SPRING, "UTC", "cronie", "Europe/Paris") == ""
    assert starts("30 2 * * *", AUTUMN, "UTC", "cronie", "Europe/Paris") == "00:30 01:30"


def test_cron_tz_is_not_debians() -> None:
    assert starts("30 2 * * *", SPRING, "UTC", "debian", "Europe/Paris") == "02:30"


def test_fixed_jobs_under_cron_tz_wait_while_the_daemons_own_clock_is_behind() -> None:
    """01:00-02:00 UTC is the hour that Paris has twice; 21:00 in New York lies in it."""
    assert starts("30 21 * * *", AUTUMN, "Europe/Paris", "cronie", "America/New_York") == ""
    assert starts("*/30 21 * * *", AUTUMN, "Europe/Paris", "cronie", "America/New_York") == "01:00 01:30"


def test_daemons_part_where_the_clock_goes_back_by_three_hours() -> None:
    """Only a jump of exactly 180 minutes tells them apart, which no zone has had since 1970; so they agree here."""
    for flavour in Flavour:
        span = "2018-03-10T12:00 2018-03-11T12:00"
        assert starts("0 2 * * *", span, "Antarctica/Casey", flavour) == "15:00"


def test_five_years_of_minutes_take_seconds_and_sparse_schedules_milliseconds() -> None:
    begin, end = (to_minute(datetime(year, 1, 1, tzinfo=UTC)) for year in (2026, 2031))
    taken = {}
    for text in ("* * * * *", "30 2 * * *", "0 0 29 2 *"):
        schedule = parse_schedule(text, Flavour.DEBIAN)
        started = time.process_time()
        count = sum(1 for _ in fire_minutes(schedule, PARIS, begin, end, Flavour.DEBIAN))
        taken[text] = time.process_time() - started
        assert count == {"* * * * *": 2_629_440, "30 2 * * *": 1826, "0 0 29 2 *": 1}[text]
    assert taken["30 2 * * *"] < taken["* * * * *"] / 20


def test_changes_of_the_clock_are_found_to_the_minute() -> None:
    begin, end = (to_minute(datetime(year, 1, 1, tzinfo=UTC)) for year in (2026, 2027))
    found = [datetime.fromtimestamp(each * 60, UTC).isoformat() for each in changes(PARIS, begin, end)]
    assert found == ["2026-03-29T01:00:00+00:00", "2026-10-25T01:00:00+00:00"]


@pytest.mark.parametrize(
    ("flavour", "times"),
    [("debian", "23:00 00:00 00:00 00:00"), ("cronie", "23:00 23:00 23:00 23:00")],
)
def test_cronie_does_not_notice_a_new_offset_without_summer_time(flavour: str, times: str) -> None:
    span = "2014-10-24T12:00 2014-10-28T12:00"
    assert starts("0 3 * * *", span, "Europe/Moscow", flavour) == times


def test_cronie_notices_a_new_offset_with_summer_time() -> None:
    span = "2010-03-27T12:00 2010-03-29T12:00"
    assert starts("0 3 * * *", span, "Europe/Moscow", "cronie") == starts("0 3 * * *", span, "Europe/Moscow", "debian")
