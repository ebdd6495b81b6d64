"""Where a time zone's clock changes, in whole minutes.

Times are minutes since 1970 in UTC; a local minute is that plus the offset, so that wall clocks are plain numbers and
a day is `local // 1440`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronlift.errors import ScheduleError

MINUTES_PER_DAY = 1440
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1900, 2400
"""What is asked outside of these years is nobody's crontab; datetime itself ends at 9999."""


@dataclass(frozen=True)
class Segment:
    """A stretch of time with one offset.

    Attributes:
        begin: Its first minute, UTC.
        end: The first minute after it, UTC.
        offset: Minutes that the local clock is ahead of UTC.
    """

    begin: int
    end: int
    offset: int


def find_zone(name: str) -> ZoneInfo:
    """Return a zone of the IANA database.

    Raises:
        ScheduleError: There is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        cure = "Name one of the IANA database, for example Europe/Paris or UTC."
        raise ScheduleError(f"there is no time zone {name!r}", cure) from error


def to_minute(when: datetime) -> int:
    """Return the minute that an aware time lies in."""
    return int(when.timestamp() // 60)


def from_minute(minute: int) -> datetime:
    """Return the aware time, in UTC, at which a minute begins."""
    return EPOCH + timedelta(minutes=minute)


def segments(zone: ZoneInfo, begin: int, end: int) -> Iterator[Segment]:
    """Cut a stretch of time where the zone's clock changes.

    Args:
        zone: The zone.
        begin: The first minute, UTC.
        end: The first minute after it, UTC.
    """
    at = begin
    offset = offset_at(zone, begin)
    for year in range(_year(begin), _year(end) + 1):
        for change, after in _changes(zone, year):
            if at < change < end:
                yield Segment(at, change, offset)
                at = change
            if change <= at:
                offset = after
    if at < end:
        yield Segment(at, end, offset)


def changes(zone: ZoneInfo, begin: int, end: int) -> list[int]:
    """Return the minutes, UTC, in a stretch of time at which the zone's clock changes."""
    return [
        change
        for year in range(_year(begin), _year(end) + 1)
        for change, _ in _changes(zone, year)
        if begin <= change < end
    ]


def offset_at(zone: ZoneInfo, minute: int) -> int:
    """Return how many minutes the zone's clock is ahead of UTC at a minute."""
    offset = from_minute(minute).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // timedelta(minutes=1)


def is_summer(zone: ZoneInfo, minute: int) -> bool:
    """Tell whether a zone's clock shows summer time at a minute: `tm_isdst` of C."""
    return bool(from_minute(minute).astimezone(zone).dst())


def _year(minute: int) -> int:
    return min(max(from_minute(minute).year, _FIRST_YEAR), _LAST_YEAR)


@lru_cache(maxsize=4096)
def _changes(zone: ZoneInfo, year: int) -> tuple[tuple[int, int], ...]:
    """Return when in a year, UTC, the clock changes, and the offset from then on.

    No zone changes twice within a day, so a look at each midnight finds all, and halving finds the minute.
    """
    begin = to_minute(datetime(year, 1, 1, tzinfo=UTC))
    end = to_minute(datetime(year + 1, 1, 1, tzinfo=UTC))
    found = []
    before = offset_at(zone, begin)
    for day in range(begin + MINUTES_PER_DAY, end + 1, MINUTES_PER_DAY):
        after = offset_at(zone, day)
        if after != before:
            low, high = day - MINUTES_PER_DAY, day
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(zone, middle) == before else (low, middle)
            found.append((high, after))
        before = after
    return tuple(found)
