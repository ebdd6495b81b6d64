"""The wall clock minutes that a schedule names, without any zone: plain calendar work."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from cronlift.crontab.expression import Schedule
from cronlift.crontab.zones import MINUTES_PER_DAY

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_HORIZON_DAYS = 366 * 41
"""29 February on one weekday comes within 40 years, whatever centuries do; a schedule that fires does so by then."""


def ticks(schedule: Schedule, begin: int, end: int) -> Iterator[int]:
    """Return the local minutes of a schedule, in order.

    Args:
        schedule: What to look for.
        begin: The first local minute.
        end: The first local minute after the stretch.
    """
    if begin >= end or schedule.never_fires:
        return
    times = _times(schedule)
    first_day, last_day = begin // MINUTES_PER_DAY, (end - 1) // MINUTES_PER_DAY
    every_day = schedule.every_day
    for day in range(first_day, last_day + 1):
        if not every_day and not on_day(schedule, day):
            continue
        base = day * MINUTES_PER_DAY
        if day in (first_day, last_day):
            for time in times:
                if begin <= base + time < end:
                    yield base + time
        else:
            for time in times:
                yield base + time


def next_tick(schedule: Schedule, after: int) -> int | None:
    """Return the first local minute of a schedule after a local minute; None when it never fires."""
    if schedule.never_fires:
        return None
    times = _times(schedule)
    day, time = divmod(after + 1, MINUTES_PER_DAY)
    for each in range(day, day + _HORIZON_DAYS):
        if on_day(schedule, each):
            place = bisect_left(times, time) if each == day else 0
            if place < len(times):
                return each * MINUTES_PER_DAY + times[place]
    return None


def previous_tick(schedule: Schedule, before: int) -> int | None:
    """Return the last local minute of a schedule before a local minute; None when it never fires."""
    if schedule.never_fires:
        return None
    times = _times(schedule)
    day, time = divmod(before, MINUTES_PER_DAY)
    for each in range(day, day - _HORIZON_DAYS, -1):
        if on_day(schedule, each):
            place = bisect_left(times, time) if each == day else len(times)
            if place > 0:
                return each * MINUTES_PER_DAY + times[place - 1]
    return None


def on_day(schedule: Schedule, day: int) -> bool:
    """Say whether a schedule has starts on a day, counted from 1970."""
    month, of_month, weekday = _calendar(day)
    return schedule.matches_day(month, of_month, weekday)


@lru_cache(maxsize=65536)
def _calendar(day: int) -> tuple[int, int, int]:
    found = date.fromordinal(day + _EPOCH_ORDINAL)
    return found.month, found.day, found.isoweekday() % 7


@lru_cache(maxsize=1024)
def _times(schedule: Schedule) -> tuple[int, ...]:
    return tuple(hour * 60 + minute for hour in sorted(schedule.hours) for minute in sorted(schedule.minutes))
