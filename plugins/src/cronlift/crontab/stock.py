"""What Airflow's own CronTriggerTimetable would do with a schedule: its text for it, and when it would fire.

Airflow asks croniter for the next time on the wall clock and turns that into an instant. Only when the clock changes do
the two ways of doing so (`_covers_every_hour` in airflow/timetables/_cron.py, Airflow 3.3.2) matter. So it is followed
step by step around those changes, and nowhere else. The tests compare this model with the real class.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from cronlift.crontab.expression import DAY, FIELDS, HOUR, MINUTE, MONTH, WEEKDAY, Field, Schedule
from cronlift.crontab.ticks import next_tick, previous_tick
from cronlift.crontab.zones import from_minute, offset_at

NEAR_MINUTES = 4 * 60
"""How long before and after a change of the clock a difference can begin: daemons look back three hours."""

_PLAIN = re.compile(r"\*|\d+(,\d+)*|\d+-\d+(/\d+)?|\*/\d+|[a-z]{3}(-[a-z]{3})?|[a-z]{3}(,[a-z]{3})+", re.IGNORECASE)


def stock_expression(schedule: Schedule) -> str | None:
    """Return an expression that croniter reads as a daemon reads this schedule, leaving changes of the clock aside.

    What croniter would misread is written out: `5-5` (every minute to croniter), `22-2`, `*/90`, names in lists.

    Args:
        schedule: One that fires sometimes.

    Returns:
        Five fields, as they were written where that is safe. None when croniter has no words for it: both days
        restricted, and meant together (`0 0 */2 * 1`).
    """
    days, weekdays = _restricted_days(schedule)
    if days and weekdays and (schedule.dom_star or schedule.dow_star):
        return None
    words = schedule.text.split()
    if len(words) != len(FIELDS):
        words = [""] * len(FIELDS)
    return " ".join(
        (
            _field(MINUTE, schedule.minutes, words[0]),
            _field(HOUR, schedule.hours, words[1]),
            _field(DAY, schedule.days, words[2]) if days else "*",
            _field(MONTH, schedule.months, words[3]),
            _field(WEEKDAY, schedule.weekdays, words[4]) if weekdays else "*",
        )
    )


def _restricted_days(schedule: Schedule) -> tuple[bool, bool]:
    """Say whether days of month and weekdays have to be written, or are `*`."""
    days, weekdays = len(schedule.days) < 31, len(schedule.weekdays) < 7
    if schedule.dom_star or schedule.dow_star:
        return days, weekdays
    if days and weekdays:
        return bool(schedule.days), bool(schedule.weekdays)
    return False, False


def _field(field: Field, numbers: frozenset[int], word: str) -> str:
    """Return a field's text: what was written when croniter reads that alike, else `*`, a range or a list."""
    count = 7 if field is WEEKDAY else field.high - field.low + 1
    if len(numbers) == count:
        return "*"
    if _PLAIN.fullmatch(word) and _is_safe(field, numbers, word):
        return word
    low, high = min(numbers), max(numbers)
    if high - low == len(numbers) - 1 and len(numbers) > 2:
        return f"{low}-{high}"
    return ",".join(map(str, sorted(numbers)))


def _is_safe(field: Field, numbers: frozenset[int], word: str) -> bool:
    if word.startswith("*/"):
        return int(word[2:]) <= field.high // 2
    if "-" in word:
        first, last = re.split(r"[-/]", word.lower())[:2]
        if field.names and not first.isdigit():
            return field.names.index(first) < field.names.index(last) < 6 + 6 * (field is MONTH)
        if "/" in word and int(word.split("/")[1]) > int(last) - int(first):
            return False
        return int(first) < int(last) and (field is not WEEKDAY or int(last) < 7)
    return field is not WEEKDAY or "7" not in word


class StockClock:
    """Steps from one fire time of CronTriggerTimetable, or MultipleCronTriggerTimetable, to the next.

    Args:
        schedules: The expressions' meanings; more than one stands for MultipleCronTriggerTimetable.
        zone: The timetable's time zone.
    """

    def __init__(self, schedules: Sequence[Schedule], zone: ZoneInfo) -> None:
        self.schedules, self.zone = schedules, zone

    def after(self, minute: int) -> int | None:
        """Return the fire time that follows a time, both in minutes of UTC; None when there is none."""
        found = [self._after(schedule, minute) for schedule in self.schedules]
        return min((each for each in found if each is not None), default=None)

    def before(self, minute: int) -> int | None:
        """Return the last fire time that the wall clock shows before a time that no change of the clock is near to."""
        local = minute + offset_at(self.zone, minute)
        found = [previous_tick(schedule, local) for schedule in self.schedules]
        return max((self._instant(each) for each in found if each is not None), default=None)

    def _after(self, schedule: Schedule, minute: int) -> int | None:
        local = minute + offset_at(self.zone, minute)
        tick = next_tick(schedule, local)
        if tick is None:
            return None
        return minute + (tick - local) if schedule.every_hour else self._instant(tick)

    def _instant(self, local: int) -> int:
        """Return the instant of a wall clock minute: the later of two; one that is skipped, an hour later."""
        naive = from_minute(local).replace(tzinfo=self.zone)
        offsets = (naive.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
        return local - min(offsets) // timedelta(minutes=1)


def halves(schedule: Schedule) -> tuple[Schedule, Schedule]:
    """Split a schedule of all hours into one before noon and one after, so that Airflow goes by the wall clock."""
    morning = frozenset(range(12))
    words = schedule.text.split()
    texts = [" ".join((words[0], hours, *words[2:])) if len(words) == 5 else "" for hours in ("0-11", "12-23")]
    return (
        replace(schedule, hours=schedule.hours & morning, text=texts[0]),
        replace(schedule, hours=schedule.hours - morning, text=texts[1]),
    )
