"""Reading what a daemon logged about the jobs that it started."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from cronlift.crontab.history import Start, printed, read_history

PARIS = ZoneInfo("Europe/Paris")
WRITTEN = datetime(2026, 2, 1, tzinfo=UTC)
AT = datetime(2026, 1, 31, 2, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        "Jan 31 03:00:01 old CRON[123]: (www) CMD (/opt/run --all)",
        "Jan 31 03:00:01 old /USR/SBIN/CRON[123]: (www) CMD (/opt/run --all)",
        "Jan 31 03:00:01 old CROND[123]: (www) CMD (/opt/run --all)",
        "<78>Jan 31 03:00:01 old crond[123]: (www) CMD (/opt/run --all) ",
        "Jan 31 03:00:01 old CRON[123]: (www) CMD ([124] /opt/run --all)",
        "2026-01-31T03:00:01+01:00 old CRON[123]: (www) CMD (/opt/run --all)",
        "2026-01-31T03:00:01+0100 old CRON[123]: (www) CMD (/opt/run --all)",
        "2026-01-31T02:00:01Z old CROND[123]: (www) CMD (/opt/run --all)",
    ],
)
def test_start_is_read_from_every_form(line: str) -> None:
    assert read_history([line], PARIS, WRITTEN) == [Start(AT, "www", "/opt/run --all")]


@pytest.mark.parametrize(
    "line",
    [
        "Jan 31 03:00:01 old sshd[1]: (www) CMD (x)",
        "Jan 31 03:00:01 old CROND[1]: (www) CMDEND (x)",
        "Jan 31 03:00:01 old CROND[1]: (www) CMDOUT (x)",
        "Jan 31 03:00:01 old CRON[1]: (www) RELOAD (crontabs/www)",
        "Jan 31 03:00:01 old CRON[1]: pam_unix(cron:session): session opened for user www",
        "",
    ],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert read_history([line], PARIS, WRITTEN) == []


def test_brackets_of_the_command_are_kept() -> None:
    line = "Jan 31 03:00:01 old CRON[1]: (www) CMD ((cd /x; ./run))"
    assert read_history([line], PARIS, WRITTEN)[0].command == "(cd /x; ./run)"


def times(*clocks: str, written: datetime = WRITTEN, zone: ZoneInfo = PARIS) -> list[str]:
    lines = [f"{clock} old CRON[1]: (www) CMD (x)" for clock in clocks]
    return [start.time.isoformat() for start in read_history(lines, zone, written)]


def test_year_turns_where_the_log_goes_back() -> None:
    assert times("Dec 31 23:30:00", "Jan  1 00:30:00") == ["2025-12-31T22:30:00+00:00", "2025-12-31T23:30:00+00:00"]


def test_log_of_last_years_end_is_last_years() -> None:
    assert times("Dec 30 12:00:00") == ["2025-12-30T11:00:00+00:00"]


def test_leap_day_is_that_of_the_latest_leap_year() -> None:
    assert times("Feb 29 12:00:00") == ["2024-02-29T11:00:00+00:00"]


def test_hour_that_comes_twice_in_autumn_is_told_apart_by_the_order() -> None:
    clocks = ["Oct 25 02:00:01", "Oct 25 02:30:01", "Oct 25 02:00:01", "Oct 25 02:30:01", "Oct 25 03:00:01"]
    assert times(*clocks, written=datetime(2026, 11, 1, tzinfo=UTC)) == [
        "2026-10-25T00:00:01+00:00",
        "2026-10-25T00:30:01+00:00",
        "2026-10-25T01:00:01+00:00",
        "2026-10-25T01:30:01+00:00",
        "2026-10-25T02:00:01+00:00",
    ]


@pytest.mark.parametrize(
    ("command", "expected"),
    [(" a  b ", "a  b"), ("a\tb", "a^Ib"), ("é", r"\303\251"), ("\udce9", r"\351"), ("\x7f", "^?")],
)
def test_command_as_the_daemons_print_it(command: str, expected: str) -> None:
    assert printed(command) == expected
