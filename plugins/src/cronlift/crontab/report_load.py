"""How many Jobs start when: from the lines of a report, for the picture of the day and for advice.

Days on which the clock changes are left aside: this is about load, not about single starts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from cronlift.crontab.expression import Schedule, parse_schedule
from cronlift.crontab.model import Flavour
from cronlift.errors import ScheduleError

MINUTES_PER_DAY = 24 * 60
OFTEN_RUNS_PER_DAY = 288
"""Every five minutes: a Pod takes seconds to start, so such jobs pay most for it."""

_YEAR = [date(2027, 1, 1) + timedelta(days=each) for each in range(365)]
"""Any year will do; each weekday is in it 52 times or 53."""

_DAYS = [(each.month, each.day, each.isoweekday() % 7) for each in _YEAR]
_WEEKDAY_COUNTS = [sum(weekday == each for *_, weekday in _DAYS) for each in range(7)]


@dataclass(frozen=True)
class Rhythm:
    """When one line starts.

    Args:
        minutes: Minutes of the day, sorted.
        weekdays: For each weekday, Sunday first: on how many of them it starts, from 0 to 1.
    """

    minutes: tuple[int, ...]
    weekdays: tuple[float, ...]

    @property
    def shortest_gap_seconds(self) -> int:
        """Return the least time between two starts of a day, and from the last to the first of the next; 0 for none."""
        if not self.minutes:
            return 0
        following = (*self.minutes[1:], self.minutes[0] + MINUTES_PER_DAY)
        return min(after - before for before, after in zip(self.minutes, following, strict=True)) * 60

    @property
    def runs_per_day(self) -> float:
        """Return the mean over a year."""
        days = sum(share * count for share, count in zip(self.weekdays, _WEEKDAY_COUNTS, strict=True))
        return len(self.minutes) * days / len(_DAYS)


@dataclass(frozen=True)
class Load:
    """What a report's lines start together.

    Args:
        by_minute: Mean starts in each minute of the day.
        by_hour: Mean starts in each hour of each weekday, Sunday first.
        peak: The most starts that one minute of a day can have.
        peak_minute: That minute of the day.
        runs_per_day: Of all lines together.
        often: The lines that run every five minutes or more often.
        often_share: Their part of all runs, from 0 to 1.
    """

    by_minute: tuple[float, ...]
    by_hour: tuple[tuple[float, ...], ...]
    peak: int
    peak_minute: int
    runs_per_day: float
    often: int
    often_share: float


def rhythm_of(schedule: Schedule) -> Rhythm:
    """Return when a schedule starts; nothing for `@reboot` and for what never fires."""
    if schedule.reboot or schedule.never_fires:
        return Rhythm((), (0.0,) * 7)
    return Rhythm(_minutes(schedule.hours, schedule.minutes), _weekdays(_day_key(schedule)))


def load_of(lines: Iterable[Mapping[str, Any]]) -> Load:
    """Sum up the lines that have a DAG.

    Args:
        lines: Of a report.
    """
    by_minute, together = [0.0] * MINUTES_PER_DAY, [0] * MINUTES_PER_DAY
    by_hour = [[0.0] * 24 for _ in range(7)]
    runs = often_runs = 0.0
    often = 0
    for line in lines:
        rhythm = rhythm_of_line(line)
        if rhythm is None or not rhythm.minutes:
            continue
        mean = rhythm.runs_per_day / len(rhythm.minutes)
        for minute in rhythm.minutes:
            by_minute[minute] += mean
            together[minute] += 1
        for hour, count in _per_hour(rhythm.minutes):
            for weekday, share in enumerate(rhythm.weekdays):
                by_hour[weekday][hour] += share * count
        runs += rhythm.runs_per_day
        if rhythm.runs_per_day >= OFTEN_RUNS_PER_DAY:
            often, often_runs = often + 1, often_runs + rhythm.runs_per_day
    peak = max(together)
    return Load(
        tuple(by_minute),
        tuple(tuple(each) for each in by_hour),
        peak,
        together.index(peak),
        runs,
        often,
        often_runs / runs if runs else 0.0,
    )


def rhythm_of_line(line: Mapping[str, Any]) -> Rhythm | None:
    """Return a report line's rhythm; None when it has no DAG, or none that starts by the clock."""
    if not line.get("dag_id") or not line.get("schedule") or line.get("schedule_kind") in ("never", "manual"):
        return None
    try:
        return rhythm_of(parse_schedule(line["schedule"], Flavour(line["flavour"]), line["dag_id"]))
    except ScheduleError:
        return None


@lru_cache(maxsize=1024)
def _minutes(hours: frozenset[int], minutes: frozenset[int]) -> tuple[int, ...]:
    return tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes))


@lru_cache(maxsize=1024)
def _per_hour(minutes: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    found: dict[int, int] = {}
    for minute in minutes:
        found[minute // 60] = found.get(minute // 60, 0) + 1
    return tuple(found.items())


def _day_key(schedule: Schedule) -> tuple[frozenset[int], frozenset[int], frozenset[int], bool]:
    either = not (schedule.dom_star or schedule.dow_star)
    return schedule.days, schedule.months, schedule.weekdays, either


@lru_cache(maxsize=1024)
def _weekdays(key: tuple[frozenset[int], frozenset[int], frozenset[int], bool]) -> tuple[float, ...]:
    days, months, weekdays, either = key
    counts = [0] * 7
    for month, day, weekday in _DAYS:
        hits = (day in days) + (weekday in weekdays)
        if month in months and (hits == 2 or (either and hits)):
            counts[weekday] += 1
    return tuple(count / total for count, total in zip(counts, _WEEKDAY_COUNTS, strict=True))
