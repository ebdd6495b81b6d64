"""When a cron daemon starts a job, to the minute, through every change of the clock.

The daemon wakes each minute and compares the wall clock with a clock of its own, which never goes back. Where the two
agree, it starts what the minute names. Where they part, the way depends on how far:

| the wall clock jumps | jobs with `*` as minute or hour ("wild") | the others ("fixed") |
| --- | --- | --- |
| ahead by up to 4 minutes | each skipped minute, at once | the same |
| ahead by up to 3 hours | the current minute only | each skipped minute, at once |
| back by up to 3 hours | by the wall clock, so again | not until the wall clock has caught up |
| further, either way | by the wall clock | by the wall clock |

Between starts that it catches up, the daemon sleeps until the started job ends, at most 10 s. So with long jobs more
than six such starts would reach into the next minutes; here all come at the first minute after the jump.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from cronlift.crontab.expression import Schedule
from cronlift.crontab.model import Flavour
from cronlift.crontab.ticks import ticks
from cronlift.crontab.zones import MINUTES_PER_DAY, Segment, from_minute, is_summer, segments, to_minute

SMALL_JUMP_MINUTES = 5
LARGE_JUMP_MINUTES = 180
"""Both count from the last minute that was dealt with, so a clock put ahead by an hour jumps 61 (cron.c)."""

_WARM_UP_MINUTES = 2 * MINUTES_PER_DAY
"""The daemon was running for that long; after a jump back, three hours are enough to forget it."""


def fire_times(
    schedule: Schedule,
    zone: ZoneInfo,
    after: datetime,
    until: datetime,
    flavour: Flavour,
    cron_zone: ZoneInfo | None = None,
) -> Iterator[datetime]:
    """Return when the daemon starts a job.

    Args:
        schedule: The line's time fields.
        zone: The daemon's time zone.
        after: Aware; a start at this very time is not among them.
        until: Aware; a start at this very time is.
        flavour: Whose rules.
        cron_zone: What CRON_TZ says above the line. Only cronie honours it, and by the wall clock alone: nothing is
            caught up, a repeated hour runs twice. See `fire_minutes`.

    Returns:
        Times in UTC, in order. What the daemon starts twice at one time is there twice.

    Source:
        The main loop and find_jobs of cron.c: cron 3.0pl1-162 with Debian's Better-timeskip-handling, cronie 1.7.2.
    """
    begin, end = to_minute(after), to_minute(until)
    for minute in fire_minutes(schedule, zone, begin + 1, end + 1, flavour, cron_zone):
        yield from_minute(minute)


def fire_minutes(
    schedule: Schedule, zone: ZoneInfo, begin: int, end: int, flavour: Flavour, cron_zone: ZoneInfo | None = None
) -> Iterator[int]:
    """Return the same as `fire_times`, as minutes since 1970, which is several times faster.

    Args:
        schedule: The line's time fields.
        zone: The daemon's time zone.
        begin: The first minute.
        end: The first minute after the stretch.
        flavour: Whose rules.
        cron_zone: CRON_TZ. Its jobs follow that zone's wall clock; when the daemon's own clock goes back, fixed ones
            are left out until it has caught up, as the daemon looks at wild jobs only.
    """
    if schedule.never_fires:
        return
    if cron_zone is not None and flavour is Flavour.CRONIE:
        yield from _fires_elsewhere(schedule, zone, begin, end, cron_zone)
        return
    caught_up: int | None = None
    for part in _noticed(zone, begin - _WARM_UP_MINUTES, end, flavour):
        first = part.begin + part.offset
        jump = 1 if caught_up is None else first - caught_up
        catches_up = 1 < jump <= (SMALL_JUMP_MINUTES if schedule.wild else LARGE_JUMP_MINUTES)
        if catches_up and caught_up is not None and begin <= part.begin:
            for _ in ticks(schedule, caught_up + 1, first):
                yield part.begin
        if _is_back_to_back(jump, flavour):
            caught_up = None
        behind = first if caught_up is None or schedule.wild else max(first, caught_up + 1)
        for tick in ticks(schedule, max(behind, begin + part.offset), part.end + part.offset):
            yield tick - part.offset
        last = part.end + part.offset - 1
        caught_up = last if caught_up is None else max(caught_up, last)


def _noticed(zone: ZoneInfo, begin: int, end: int, flavour: Flavour) -> Iterator[Segment]:
    """Cut a stretch of time where the daemon notices that the clock changes.

    Cronie looks at the offset only when summer time begins or ends. Where a country changes its offset without that
    (Moscow in 2014, Caracas in 2016, Almaty in 2024) it goes on by the old one until the next summer time, or until it
    is started again; here it was started two days before.

    Source:
        set_time in cron.c of cronie 1.7.2.
    """
    told: Segment | None = None
    summer = False
    for part in segments(zone, begin, end):
        now = is_summer(zone, part.begin)
        if flavour is Flavour.DEBIAN or told is None or now != summer:
            told, summer = part, now
        yield replace(part, offset=told.offset)


def _is_back_to_back(jump: int, flavour: Flavour) -> bool:
    """Say whether the clock went back so far that the daemon takes the new time for its own at once."""
    if flavour is Flavour.DEBIAN:
        return jump <= -LARGE_JUMP_MINUTES
    return jump < -LARGE_JUMP_MINUTES


def _fires_elsewhere(schedule: Schedule, zone: ZoneInfo, begin: int, end: int, cron_zone: ZoneInfo) -> Iterator[int]:
    """Return the starts of a job under CRON_TZ."""
    held = [] if schedule.wild else _held_back(zone, begin, end)
    for part in segments(cron_zone, begin, end):
        for tick in ticks(schedule, part.begin + part.offset, part.end + part.offset):
            minute = tick - part.offset
            if not any(first <= minute < last for first, last in held):
                yield minute


def _held_back(zone: ZoneInfo, begin: int, end: int) -> list[tuple[int, int]]:
    """Return the stretches in which cronie looks at wild jobs only, since its own clock went back."""
    found: list[tuple[int, int]] = []
    caught_up: int | None = None
    for part in _noticed(zone, begin - _WARM_UP_MINUTES, end, Flavour.CRONIE):
        first, last = part.begin + part.offset, part.end + part.offset - 1
        if caught_up is not None and _is_back_to_back(first - caught_up, Flavour.CRONIE):
            caught_up = None
        if caught_up is not None and first <= caught_up:
            found.append((part.begin, min(caught_up + 1 - part.offset, part.end)))
        caught_up = last if caught_up is None else max(caught_up, last)
    return found
