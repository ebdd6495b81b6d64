"""Which stretches of time a proof looks at, and what it found."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from zoneinfo import ZoneInfo

from cronlift.crontab.expression import Schedule
from cronlift.crontab.zones import EPOCH, MINUTES_PER_DAY, changes, from_minute, to_minute

EVERY_TICK_RUNS_PER_DAY = 48
"""Up to so many runs a day every one is compared; denser schedules only around changes of the clock and in samples."""

QUEUE_MINUTES = 4
"""Starts of three skipped hours, the most that cron catches up at one instant, take three minutes a second apart."""

SAMPLE_WEEKS = 30
_AROUND_CHANGE_MINUTES = 2 * MINUTES_PER_DAY
_WEEK_MINUTES = 7 * MINUTES_PER_DAY


@dataclass(frozen=True)
class Stretch:
    """A stretch of time.

    Attributes:
        after: Later than this.
        until: Not later than this.
        warm_up: How long before it a walk from run to run should begin; dense schedules need little.
    """

    after: datetime
    until: datetime
    warm_up: timedelta = timedelta(days=2)


@dataclass(frozen=True)
class Difference:
    """The first time at which two lists of starts part.

    Attributes:
        at: The time, UTC; a start that shares its minute with others is a second behind them.
        daemon: How often the daemon starts the job then.
        dag: How often the DAG runs then.
    """

    at: datetime
    daemon: int
    dag: int


def runs_per_day(schedule: Schedule) -> int:
    """Return how many starts a day has that has any."""
    return 0 if schedule.never_fires else len(schedule.minutes) * len(schedule.hours)


def stretches(schedule: Schedule, zones: Sequence[ZoneInfo], begin: datetime, years: int, full: bool) -> list[Stretch]:
    """Return what to compare.

    Args:
        schedule: The line's.
        zones: Zones whose changes of the clock matter.
        begin: Where the years begin.
        years: How many.
        full: Compare everything, however dense.
    """
    first = to_minute(begin)
    last = first + years * 365 * MINUTES_PER_DAY + years // 4 * MINUTES_PER_DAY
    if full or runs_per_day(schedule) <= EVERY_TICK_RUNS_PER_DAY:
        return [Stretch(from_minute(first), from_minute(last))]
    parts = [
        (max(first, change - _AROUND_CHANGE_MINUTES), min(last, change + _AROUND_CHANGE_MINUTES))
        for zone in zones
        for change in changes(zone, first, last)
    ]
    draw = random.Random(schedule.text)  # noqa: S311 - a sample, the same one each time
    parts += [(start, start + _WEEK_MINUTES) for start in draw.sample(range(first, last - _WEEK_MINUTES), SAMPLE_WEEKS)]
    short = timedelta(hours=1)
    return [Stretch(from_minute(start), from_minute(end), short) for start, end in _joined(sorted(parts))]


def a_second_apart(minutes: Iterable[int], first: int, last: int) -> Iterator[int]:
    """Return when Airflow has to run what a daemon starts, in seconds since 1970: it takes one run an instant.

    Args:
        minutes: The daemon's starts, in order, from `QUEUE_MINUTES` before the first second that matters.
        first: The first second that is returned.
        last: The last one.
    """
    free = 0
    for minute in minutes:
        second = max(free, minute * 60)
        free = second + 1
        if first <= second <= last:
            yield second


def first_difference(daemon: Iterable[int], dag: Iterable[int]) -> tuple[int, Difference | None]:
    """Compare two lists of seconds since 1970, in order.

    Returns:
        How many starts were equal, and where the lists part; None when they do not.
    """
    count = 0
    ours, theirs = iter(daemon), iter(dag)
    for one, other in zip_longest(ours, theirs):
        if one != other:
            at = min(each for each in (one, other) if each is not None)
            return count, Difference(EPOCH + timedelta(seconds=at), _times(at, one, ours), _times(at, other, theirs))
        count += 1
    return count, None


def today() -> datetime:
    """Return the midnight, UTC, that today began with."""
    now = datetime.now(UTC)
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _times(at: int, first: int | None, rest: Iterator[int]) -> int:
    count = 0
    while first == at:
        count += 1
        first = next(rest, None)
    return count


def _joined(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in parts:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
