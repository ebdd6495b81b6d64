"""Time fields, read as each daemon reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.model import Flavour
from cronlift.errors import ScheduleError

BOTH = tuple(Flavour)
WORDS = st.text("0123456789*,-/~#L?asunmo ", max_size=12)


def minutes(word: str, flavour: Flavour = Flavour.DEBIAN) -> set[int]:
    return set(parse_schedule(f"{word} * * * *", flavour).minutes)


@pytest.mark.parametrize("flavour", BOTH)
@pytest.mark.parametrize(
    ("word", "numbers"),
    [
        ("*", set(range(60))),
        ("*/45", {0, 45}),
        ("*/90", {0}),
        ("5", {5}),
        ("1,2,3", {1, 2, 3}),
        ("10-14", {10, 11, 12, 13, 14}),
        ("10-20/5,59", {10, 15, 20, 59}),
        ("007", {7}),
        ("22-2", set()),
        ("30,22-2", {30}),
        ("7-7", {7}),
    ],
)
def test_both_daemons_read(word: str, numbers: set[int], flavour: Flavour) -> None:
    assert minutes(word, flavour) == numbers


@pytest.mark.parametrize("flavour", BOTH)
@pytest.mark.parametrize(
    "word", ["60", "*/0", "5/15", "L", "?", "1,,2", "1,", "1-", "x1", "*/", "15W", "H", "mon", "~~"]
)
def test_both_daemons_reject(word: str, flavour: Flavour) -> None:
    with pytest.raises(ScheduleError) as found:
        minutes(word, flavour)
    assert repr(word) in found.value.what
    assert "`*/15`" in found.value.cure


@pytest.mark.parametrize(
    ("word", "numbers"), [("5#3", {5}), ("*L", set(range(60))), ("*-5", set(range(60))), ("1-5-7", {1, 2, 3, 4, 5})]
)
def test_debian_stops_where_it_understands_no_more_and_cronie_rejects(word: str, numbers: set[int]) -> None:
    found = parse_schedule(f"{word} * * * *", Flavour.DEBIAN)
    assert found.minutes == numbers
    assert "Debian's cron stops at" in found.warnings[0]
    with pytest.raises(ScheduleError):
        minutes(word, Flavour.CRONIE)


def test_bounds_of_a_range_are_looked_at_by_debian_and_its_numbers_by_cronie() -> None:
    assert minutes("5-70/100", Flavour.CRONIE) == {5}
    assert minutes("70-60", Flavour.CRONIE) == set()
    for word in ("5-70/100", "70-60"):
        with pytest.raises(ScheduleError, match="out of bounds"):
            minutes(word, Flavour.DEBIAN)


@pytest.mark.parametrize("flavour", BOTH)
@pytest.mark.parametrize(
    ("word", "days"),
    [("7", {0}), ("0", {0}), ("sun", {0}), ("SUN", {0}), ("5-7", {5, 6, 0}), ("*/7", {0}), ("1-7/2", {1, 3, 5, 0}),
     ("mon-fri", {1, 2, 3, 4, 5}), ("fri-sun", set()), ("sat-sun", set()), ("0-7", set(range(7)))],
)  # fmt: skip
def test_sunday_is_0_and_7_and_a_range_to_its_name_counts_backwards(
    word: str, days: set[int], flavour: Flavour
) -> None:
    assert set(parse_schedule(f"0 0 * * {word}", flavour).weekdays) == days


@pytest.mark.parametrize("flavour", BOTH)
@pytest.mark.parametrize("text", ["* * * * *", "*/2 5 1 1 1", "0 * * * *", "0 */4 1 1 1", "@hourly"])
def test_star_at_the_start_of_minute_or_hour_makes_a_job_wild(text: str, flavour: Flavour) -> None:
    assert parse_schedule(text, flavour).wild


@pytest.mark.parametrize("text", ["0 0-23 * * *", "0-59 1 * * *", "@daily", "@monthly", "@reboot"])
def test_others_are_fixed(text: str) -> None:
    assert not parse_schedule(text, Flavour.DEBIAN).wild


@pytest.mark.parametrize(
    ("days", "matches"),
    [("1 * 1", "either"), ("* * 1", "both"), ("*/2 * 1", "both"), ("1-7 * */7", "both"), ("1-31 * 1", "either")],
)
def test_a_day_field_that_starts_with_a_star_must_match_together_with_the_other(days: str, matches: str) -> None:
    found = parse_schedule(f"0 0 {days}", Flavour.DEBIAN)
    only_one = found.matches_day(5, min(found.days), min(found.weekdays) + 1)
    assert only_one is (matches == "either")


@pytest.mark.parametrize("text", ["0 22-2 * * *", "0 0 31 2 *", "0 0 31 feb,apr *", "0 0 * * fri-sun", "@reboot"])
def test_what_never_fires_is_known(text: str) -> None:
    assert parse_schedule(text, Flavour.DEBIAN).never_fires


@pytest.mark.parametrize("text", ["0 0 29 2 *", "0 0 31 2 1", "0 0 1 * fri-sun", "0 0 31 * *"])
def test_what_fires_seldom_is_not_taken_for_never(text: str) -> None:
    assert not parse_schedule(text, Flavour.DEBIAN).never_fires


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("0 0 12 * * ?", "Quartz"),
        ("0 0 0 1 1 ? 2026", "Quartz"),
        ("@every 5m", "words after the nickname"),
        ("@every", "robfig"),
        ("@Daily", "no such nickname"),
        ("0 0 L * *", "Quartz"),
        ("H 0 * * *", "Jenkins"),
        ("&lavg5 * * * *", "fcron"),
        ("!priority(1) * * * *", "fcron"),
        ("* * * *", "4 fields instead of five"),
        ("", "0 fields"),
    ],
)
def test_error_names_the_dialect(text: str, dialect: str) -> None:
    with pytest.raises(ScheduleError, match=dialect):
        parse_schedule(text, Flavour.CRONIE)


def test_random_number_of_cronie_follows_from_the_seed() -> None:
    drawn = {parse_schedule("0~59 * * * *", Flavour.CRONIE, f"job{index}").minutes for index in range(100)}
    assert len(drawn) > 20
    one, other = (parse_schedule("0~59 5~8 * * *", Flavour.CRONIE, "job") for _ in range(2))
    assert one == other
    assert len(one.minutes) == len(one.hours) == 1
    assert one.hours <= {5, 6, 7, 8}
    assert "random" in one.warnings[0]
    assert minutes("5~59", Flavour.DEBIAN) == {5}


@given(st.lists(WORDS, min_size=1, max_size=7), st.sampled_from(BOTH))
def test_any_words_give_a_schedule_within_bounds_or_a_schedule_error(words: list[str], flavour: Flavour) -> None:
    try:
        found = parse_schedule(" ".join(words), flavour, "seed")
    except ScheduleError:
        return
    bounds = {"minutes": (0, 59), "hours": (0, 23), "days": (1, 31), "months": (1, 12), "weekdays": (0, 6)}
    for name, (low, high) in bounds.items():
        assert all(low <= number <= high for number in getattr(found, name))
