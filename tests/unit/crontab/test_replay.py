"""Real runs against computed ones."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.fires import fire_times
from cronlift.crontab.history import Start
from cronlift.crontab.model import Flavour
from cronlift.crontab.replay import Outcome, Replay, TimedLine, match, replay

PARIS = ZoneInfo("Europe/Paris")
BEGIN = datetime(2026, 3, 27, tzinfo=UTC)
END = datetime(2026, 3, 31, tzinfo=UTC)
"""With the day on which Paris loses an hour."""


def line(schedule: str, command: str = "x", number: int = 1, user: str = "www") -> TimedLine:
    return TimedLine(f"tab:{number}", user, command, parse_schedule(schedule, Flavour.CRONIE))


def history(*lines: TimedLine, late: float = 1.0, without: tuple[datetime, datetime] | None = None) -> list[Start]:
    """Return what a daemon would have logged."""
    found = [
        Start(time + timedelta(seconds=late), each.user or "www", each.command)
        for each in lines
        for time in fire_times(each.schedule, PARIS, BEGIN, END, Flavour.CRONIE)
        if without is None or not without[0] < time < without[1]
    ]
    return sorted(found, key=lambda start: start.time)


def compare(lines: list[TimedLine], starts: list[Start]) -> Replay:
    return replay(lines, starts, PARIS, Flavour.CRONIE)


MINUTELY = line("* * * * *", "tick", 9)


@pytest.mark.parametrize("schedule", ["*/5 * * * *", "30 2 * * *", "0,30 2 * * *", "15 * * * *"])
def test_log_of_the_daemon_is_equal_over_a_change_of_the_clock(schedule: str) -> None:
    lines = [line(schedule), MINUTELY]
    found = compare(lines, history(*lines))
    assert found.equal
    assert found.lines[0].expected == found.lines[0].seen > 0


def test_missing_run_is_named() -> None:
    lines = [line("0 * * * *"), MINUTELY]
    starts = history(*lines)
    lost = next(start for start in starts if start.command == "x" and start.time.day == 29)
    starts.remove(lost)
    found = compare(lines, starts)
    assert not found.equal
    assert found.lines[0].outcome is Outcome.DIFFERENT
    assert found.lines[0].missing == (lost.time - timedelta(seconds=1),)
    assert found.lines[1].outcome is Outcome.EQUAL


def test_extra_run_is_named() -> None:
    lines = [line("0 * * * *"), MINUTELY]
    by_hand = Start(datetime(2026, 3, 28, 12, 7, tzinfo=UTC), "www", "x")
    starts = sorted([*history(*lines), by_hand], key=lambda start: start.time)
    assert compare(lines, starts).lines[0].extra == (by_hand.time,)


def test_line_that_never_ran_is_told_from_one_that_was_not_due() -> None:
    other = [line("0 3 * * *", "a", 1), line("0 3 1 1 *", "b", 2)]
    found = compare([*other, MINUTELY], history(MINUTELY))
    assert [each.outcome for each in found.lines] == [Outcome.NEVER_SEEN, Outcome.NOT_DUE, Outcome.EQUAL]


def test_command_that_no_line_has_is_counted() -> None:
    found = compare([MINUTELY], history(MINUTELY, line("0 3 * * *", "lost", user="root")))
    assert not found.equal
    assert [(each.user, each.command, each.times) for each in found.unknown] == [("root", "lost", 4)]


def test_same_command_of_another_user_is_another_job() -> None:
    found = compare([line("0 3 * * *", user="root"), MINUTELY], history(line("0 3 * * *", user="www"), MINUTELY))
    assert found.lines[0].outcome is Outcome.NEVER_SEEN
    assert [each.user for each in found.unknown] == ["www"]


def test_line_without_a_user_fits_every_user() -> None:
    lines = [line("0 3 * * *", user=""), MINUTELY]
    assert compare(lines, history(*lines)).equal


def test_lines_with_one_command_are_judged_together() -> None:
    lines = [line("0 3 * * *", number=1), line("0 15 * * *", number=2), MINUTELY]
    found = compare(lines, history(*lines))
    assert found.equal
    assert found.lines[0].shared_with == ("tab:2",)
    assert found.lines[0].expected == 8


def test_gap_that_several_lines_share_is_the_logs() -> None:
    lines = [line("*/10 * * * *"), MINUTELY]
    gap = (datetime(2026, 3, 28, 1, tzinfo=UTC), datetime(2026, 3, 28, 5, tzinfo=UTC))
    found = compare(lines, history(*lines, without=gap))
    assert found.equal
    assert len(found.gaps) == 1
    assert found.lines[0].in_gaps == 23


def test_missing_runs_of_one_line_alone_are_no_gap() -> None:
    found = compare([line("0 * * * *")], history(line("0 3 * * *")))
    assert found.gaps == ()
    assert found.lines[0].outcome is Outcome.DIFFERENT


def test_reboot_and_random_lines_are_not_compared() -> None:
    lines = [line("@reboot", "a", 1), line("0~59 3 * * *", "b", 2), MINUTELY]
    starts = history(MINUTELY)
    found = compare(
        lines, sorted([*starts, Start(END, "www", "a"), Start(END, "www", "b")], key=lambda each: each.time)
    )
    assert [each.outcome for each in found.lines] == [Outcome.WITH_THE_HOST, Outcome.RANDOM, Outcome.EQUAL]
    assert found.equal


def test_run_due_twice_at_one_time_needs_two_starts() -> None:
    twice = [BEGIN, BEGIN]
    assert match(twice, twice) == ([], [])
    assert match(twice, [BEGIN]) == ([BEGIN], [])


def test_start_of_the_next_minute_is_not_taken_for_a_late_one() -> None:
    late = BEGIN + timedelta(minutes=1)
    assert match([BEGIN], [late]) == ([BEGIN], [late])


def test_no_history_is_a_fault() -> None:
    with pytest.raises(ValueError, match="no history"):
        compare([MINUTELY], [])
