"""How many Jobs start when: from the lines of a report, for the picture of the day and for advice.

Days on which the clock changes are left aside: this is about load, not about single starts.
"""

from collections.abc import Iterable, Mapping, Sequence
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

BUSIEST = 5
"""How many of the busiest minutes are told."""

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
    def is_often(self) -> bool:
        """Tell whether it starts every five minutes or more often."""
        return self.runs_per_day >= OFTEN_RUNS_PER_DAY

    @property
    def runs_per_day(self) -> float:
        """Return the mean over a year."""
        days = sum(share * count for share, count in zip(self.weekdays, _WEEKDAY_COUNTS, strict=True))
        return len(self.minutes) * days / len(_DAYS)


@dataclass(frozen=True)
class Part:
    """Jobs that are counted together: those that run often, or all others.

    Args:
        jobs: How many lines.
        runs_per_day: Of them together.
        by_minute: Mean starts in each minute of the day.
        by_hour: Mean starts in each hour of each weekday, Sunday first.
    """

    jobs: int
    runs_per_day: float
    by_minute: tuple[float, ...]
    by_hour: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Busy:
    """A minute of the day in which many jobs can start.

    Args:
        minute: Of the day.
        starts: How many jobs can start in it, at most.
        others: The DAG ids of those that do not run every five minutes or more often.
    """

    minute: int
    starts: int
    others: tuple[str, ...]


@dataclass(frozen=True)
class Load:
    """What a report's lines start together.

    Args:
        often: The lines that run every five minutes or more often.
        rest: All others.
        peak: The most starts that one minute of a day can have.
        peak_minute: That minute of the day.
        busiest: The minutes with the most starts, first the one with the most.
    """

    often: Part
    rest: Part
    peak: int
    peak_minute: int
    busiest: tuple[Busy, ...] = ()

    @property
    def by_minute(self) -> tuple[float, ...]:
        """Return the mean starts of all lines in each minute of the day."""
        return tuple(map(sum, zip(self.often.by_minute, self.rest.by_minute, strict=True)))

    @property
    def runs_per_day(self) -> float:
        """Return the runs of all lines."""
        return self.often.runs_per_day + self.rest.runs_per_day

    @property
    def often_share(self) -> float:
        """Return the part of all runs that are those of the lines that run often, from 0 to 1."""
        return self.often.runs_per_day / self.runs_per_day if self.runs_per_day else 0.0


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
    rhythms = [(line["dag_id"], rhythm) for line in lines if (rhythm := rhythm_of_line(line)) and rhythm.minutes]
    often = [rhythm for _, rhythm in rhythms if rhythm.is_often]
    rest = [(name, rhythm) for name, rhythm in rhythms if not rhythm.is_often]
    together = [0] * MINUTES_PER_DAY
    for _, rhythm in rhythms:
        for minute in rhythm.minutes:
            together[minute] += 1
    peak = max(together)
    order = sorted(range(MINUTES_PER_DAY), key=lambda minute: (-together[minute], minute))
    busiest = [Busy(minute, together[minute], _others(minute, rest)) for minute in order[:BUSIEST] if together[minute]]
    return Load(_part(often), _part([rhythm for _, rhythm in rest]), peak, together.index(peak), tuple(busiest))


def _others(minute: int, rest: Iterable[tuple[str, Rhythm]]) -> tuple[str, ...]:
    return tuple(name for name, rhythm in rest if minute in rhythm.minutes)


def _part(rhythms: Sequence[Rhythm]) -> Part:
    by_minute = [0.0] * MINUTES_PER_DAY
    by_hour = [[0.0] * 24 for _ in range(7)]
    for rhythm in rhythms:
        mean = rhythm.runs_per_day / len(rhythm.minutes)
        for minute in rhythm.minutes:
            by_minute[minute] += mean
        for hour, count in _per_hour(rhythm.minutes):
            for weekday, share in enumerate(rhythm.weekdays):
                by_hour[weekday][hour] += share * count
    runs = sum(rhythm.runs_per_day for rhythm in rhythms)
    return Part(len(rhythms), runs, tuple(by_minute), tuple(map(tuple, by_hour)))


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
