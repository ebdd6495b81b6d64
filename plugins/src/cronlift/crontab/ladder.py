"""Choose the timetable of a DAG that fires exactly when the daemon starts the job: the plainest one that does.

1. Airflow's CronTriggerTimetable, where its fire times are the daemon's.
2. Airflow's MultipleCronTriggerTimetable, where a schedule of all hours has to be split for that.
3. This package's CrontabTimetable, which knows the daemon's rules.
4. No schedule, where the job never starts by the clock.

"The same fire times" is decided for 28 years, in which the calendar with its changes of the clock repeats.
"""

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronlift.crontab.expression import Schedule, parse_schedule
from cronlift.crontab.fires import fire_minutes
from cronlift.crontab.model import Flavour, Verdict
from cronlift.crontab.stock import NEAR_MINUTES, StockClock, halves, stock_expression
from cronlift.crontab.ticks import on_day
from cronlift.crontab.zones import MINUTES_PER_DAY, changes, find_zone, from_minute, offset_at, to_minute

_UNKNOWN = re.compile(r"[^0-9A-Za-z*,/~-]")

YEARS = 28
"""Weekdays and dates repeat after 28 years, so every change of the clock meets every kind of day."""


@dataclass(frozen=True)
class Choice:
    """The timetable of a line.

    Attributes:
        kind: "cron-trigger", "rewritten", "cronlift" or "never".
        expression: What the timetable gets; two are joined by " + ". What was written, for "never".
        python: The expression for the DAG file's `schedule=`.
        verdict: EXACT; EQUIVALENT when two starts at one instant come a second apart; NEVER_RAN; NEEDS_DECISION for
            `@reboot`.
        reason: Why this step of the ladder, a sentence.
        first_difference: When CronTriggerTimetable would first differ from the daemon, UTC; None when it never does.
        warnings: What the daemon accepts, but probably not as meant.
    """

    kind: str
    expression: str
    python: str
    verdict: Verdict
    reason: str
    first_difference: datetime | None = None
    warnings: tuple[str, ...] = ()


def choose(
    schedule_text: str,
    flavour: Flavour,
    zone_name: str,
    seed: str = "",
    *,
    cron_zone: str | None = None,
    start: datetime | None = None,
) -> Choice:
    """Choose the timetable of a crontab line.

    Args:
        schedule_text: The time fields.
        flavour: Whose rules.
        zone_name: The old daemon's time zone, an IANA name.
        seed: For cronie's `a~b`; see `parse_schedule`.
        cron_zone: CRON_TZ above the line; only cronie honours it.
        start: Where the 28 years begin; the first of January of this year when not given.

    Raises:
        ScheduleError: The daemon rejects the fields, or there is no such zone.
    """
    flavour = Flavour(flavour)
    schedule = parse_schedule(schedule_text, flavour, seed)
    begin = to_minute(start or datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC))
    zone = find_zone(zone_name)
    elsewhere = find_zone(cron_zone) if cron_zone and flavour is Flavour.CRONIE else None
    found = replace(_choose(schedule, flavour, zone, elsewhere, begin), warnings=schedule.warnings)
    if "~" in schedule.text and found.verdict is Verdict.EXACT:
        drawn = f"{found.reason} cronie draws anew whenever it loads the tab; here the draw stays."
        return replace(found, verdict=Verdict.EQUIVALENT, reason=drawn)
    return found


@lru_cache(maxsize=4096)
def _choose(schedule: Schedule, flavour: Flavour, zone: ZoneInfo, cron_zone: ZoneInfo | None, begin: int) -> Choice:
    if schedule.reboot:
        reason = "@reboot starts with the machine, which is gone; nothing in Airflow is like it."
        return Choice("never", schedule.text, "None", Verdict.NEEDS_DECISION, reason)
    if schedule.never_fires:
        return Choice("never", schedule.text, "None", Verdict.NEVER_RAN, _why_never(schedule))
    old = _Daemon(schedule, flavour, zone, cron_zone)
    expression = stock_expression(schedule)
    if expression is None:
        first = old.first_other_day(begin)
        reason = "A day field that starts with `*` must match together with the other; Airflow takes either."
        return old.own_timetable(begin, reason, first)
    first = old.first_difference((schedule,), begin)
    shown = (cron_zone or zone).key
    if first is None:
        python = f'CronTriggerTimetable("{expression}", timezone="{shown}")'
        return Choice("cron-trigger", expression, python, Verdict.EXACT, "Airflow's own timetable fires the same.")
    reason = f"Airflow's own timetable would differ when the clock changes, first at {_show(first)}."
    if schedule.every_hour and not schedule.every_day:
        parts = halves(schedule)
        if old.first_difference(parts, begin) is None:
            expressions = [text for part in parts if (text := stock_expression(part))]
            quoted = ", ".join(f'"{text}"' for text in expressions)
            python = f'MultipleCronTriggerTimetable({quoted}, timezone="{shown}")'
            reason = f"Split at noon: as one, it would differ when the clock changes, first at {_show(first)}."
            return Choice("rewritten", " + ".join(expressions), python, Verdict.EXACT, reason, from_minute(first))
    return old.own_timetable(begin, reason, first)


@dataclass(frozen=True)
class _Daemon:
    """The old daemon's view of a schedule."""

    schedule: Schedule
    flavour: Flavour
    zone: ZoneInfo
    cron_zone: ZoneInfo | None

    def first_difference(self, stock: tuple[Schedule, ...], begin: int) -> int | None:
        """Return the first minute at which Airflow would do otherwise, or None."""
        clock = StockClock(stock, self.cron_zone or self.zone)
        for change in self._telling_changes(begin):
            at = clock.before(change - NEAR_MINUTES)
            if at is None:
                return None
            first, found = at + 1, []
            while at <= change + NEAR_MINUTES and (following := clock.after(at)) is not None:
                found.append(following)
                at = following
            wanted = list(fire_minutes(self.schedule, self.zone, first, at + 1, self.flavour, self.cron_zone))
            if found != wanted:
                return _first_other(found, wanted)
        return None

    def has_twins(self, begin: int) -> bool:
        """Say whether two starts ever come at one instant."""
        return any(
            len(near) != len(set(near))
            for change in self._telling_changes(begin)
            if (near := list(self._fires(change, change + 1)))
        )

    def first_other_day(self, begin: int) -> int | None:
        """Return the first start that Airflow would add when it takes either day field for enough."""
        either = replace(self.schedule, dom_star=False, dow_star=False)
        zone = self.cron_zone or self.zone
        times = fire_minutes(either, zone, begin, begin + 366 * 8 * MINUTES_PER_DAY, self.flavour)
        for minute in times:
            local = minute + offset_at(zone, minute)
            if not on_day(self.schedule, local // MINUTES_PER_DAY):
                return minute
        return None

    def own_timetable(self, begin: int, reason: str, first: int | None) -> Choice:
        """Return the choice of this package's timetable."""
        text = _settled(self.schedule)
        words = [f'"{text}"', f'timezone="{self.zone.key}"', f'flavour="{self.flavour}"']
        if self.cron_zone is not None:
            words.append(f'cron_timezone="{self.cron_zone.key}"')
        verdict = Verdict.EXACT
        if self.has_twins(begin):
            verdict = Verdict.EQUIVALENT
            reason += " Where the daemon starts it twice at one instant, the second start comes a second later."
        difference = None if first is None else from_minute(first)
        return Choice("cronlift", text, f"CrontabTimetable({', '.join(words)})", verdict, reason, difference)

    def _fires(self, begin: int, end: int) -> Iterator[int]:
        return fire_minutes(self.schedule, self.zone, begin, end, self.flavour, self.cron_zone)

    def _telling_changes(self, begin: int) -> Iterator[int]:
        """Return the changes of the clock that are not like an earlier one: same time, same jump, same kind of days."""
        seen = set()
        zones = tuple({zone.key: zone for zone in (self.zone, self.cron_zone) if zone is not None}.values())
        for change, day, sign in _signed_changes(zones, self.cron_zone or self.zone, begin):
            kinds = tuple(on_day(self.schedule, each) for each in (day - 1, day, day + 1))
            if (sign, kinds) not in seen:
                seen.add((sign, kinds))
                yield change


@lru_cache(maxsize=64)
def _signed_changes(zones: tuple[ZoneInfo, ...], wall: ZoneInfo, begin: int) -> list[tuple[int, int, Hashable]]:
    """Return the changes of the clock of 28 years: when, on which local day, and what tells one kind from another.

    Args:
        zones: Whose changes.
        wall: Whose wall clock the days are of.
        begin: Where the years begin.
    """
    end = begin + YEARS * 365 * MINUTES_PER_DAY + YEARS // 4 * MINUTES_PER_DAY
    pairs = [(change, zone) for zone in zones for change in changes(zone, begin, end)]
    found: list[tuple[int, int, Hashable]] = []
    for change, its in sorted(pairs, key=lambda pair: pair[0]):
        local = change + offset_at(wall, change)
        jump = offset_at(its, change - 1), offset_at(its, change)
        found.append((change, local // MINUTES_PER_DAY, (its.key, local % MINUTES_PER_DAY, *jump)))
    return found


def _first_other(found: list[int], wanted: list[int]) -> int:
    for one, other in zip(found, wanted, strict=False):
        if one != other:
            return min(one, other)
    return (found if len(found) > len(wanted) else wanted)[min(len(found), len(wanted))]


def _settled(schedule: Schedule) -> str:
    """Return the text with what cronie draws at random replaced by what was drawn, and without what Debian skips.

    Debian's cron stops reading a field at a character that it does not know, which may be a quote.
    """
    words = [_UNKNOWN.split(each, maxsplit=1)[0] for each in schedule.text.split(" ")]
    sets = (schedule.minutes, schedule.hours, schedule.days, schedule.months, schedule.weekdays)
    if len(words) != len(sets):
        return schedule.text  # a nickname
    return " ".join(
        ",".join(map(str, sorted(numbers))) if "~" in word else word for word, numbers in zip(words, sets, strict=True)
    )


def _why_never(schedule: Schedule) -> str:
    together = schedule.dom_star or schedule.dow_star
    days = all((schedule.days, schedule.weekdays)) if together else any((schedule.days, schedule.weekdays))
    if schedule.minutes and schedule.hours and schedule.months and days:
        return "There is no such date, so the daemon never starts it."
    return "A range counts backwards, which stands for nothing, so the daemon never starts it."


def _show(minute: int) -> str:
    return f"{from_minute(minute):%Y-%m-%d %H:%M} UTC"
