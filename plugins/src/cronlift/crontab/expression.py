"""The five time fields of a crontab line, read exactly as each daemon reads them.

Two readers, for the daemons differ: Debian's stops at the first character that it does not know and takes what it has
(`5#3` is Friday), cronie's wants a separator there. Both were written after the daemons' own get_list, get_range and
get_number, and are compared with the real programs by the tests.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from cronlift.crontab.model import Flavour
from cronlift.errors import ScheduleError

MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Field:
    """One of the five fields: its name in messages, its bounds, its names, and a good example."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    example: str = "*/5"


MINUTE = Field("minute", 0, 59, example="*/15")
HOUR = Field("hour", 0, 23, example="8-18")
DAY = Field("day of month", 1, 31, example="1,15")
MONTH = Field("month", 1, 12, MONTH_NAMES, example="1-6")
WEEKDAY = Field("day of week", 0, 7, WEEKDAY_NAMES, example="mon-fri")
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)

_EVERY_DAY = frozenset(range(1, 32))
_EVERY_MONTH = frozenset(range(1, 13))
_EVERY_WEEKDAY = frozenset(range(7))

_BLANKS = re.compile(r"[ \t\r\n]+")
"""What Python takes for blanks besides, such as a no-break space, is a letter to the daemons."""

_FIVE = "Write minute, hour, day of month, month and day of week, for example `30 2 * * 1-5`."
_NICKNAMES_CURE = "Write one of @yearly, @monthly, @weekly, @daily, @hourly, or five fields such as `*/5 * * * *`."


@dataclass(frozen=True)
class Schedule:
    """When a job starts, as sets of numbers.

    Attributes:
        minutes: 0-59.
        hours: 0-23.
        days: Days of month, 1-31.
        months: 1-12.
        weekdays: 0-6, Sunday is 0. Any of the five may be empty: `22-2` is accepted and stands for nothing.
        dom_star: The day of month starts with `*`.
        dow_star: The day of week starts with `*`. Either star makes a day match only when both fields match.
        wild: The minute or the hour starts with `*`: on days when the clock changes the daemon treats such a job by
            the wall clock, and catches nothing up.
        reboot: `@reboot`: the job starts when the machine does; all sets are empty.
        text: As it was written, with single blanks.
        warnings: What the daemon accepts, but probably not as meant.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    dom_star: bool
    dow_star: bool
    wild: bool
    reboot: bool
    text: str
    warnings: tuple[str, ...] = ()

    @property
    def every_hour(self) -> bool:
        """Whether all 24 hours are in it."""
        return len(self.hours) == 24

    @property
    def every_day(self) -> bool:
        """Whether it has starts on each day of the year."""
        if len(self.months) < 12:
            return False
        full = len(self.days) == 31, len(self.weekdays) == 7
        return all(full) if self.dom_star or self.dow_star else any(full)

    def matches_day(self, month: int, day: int, weekday: int) -> bool:
        """Say whether there are starts on a day.

        Args:
            month: 1-12.
            day: 1-31.
            weekday: 0-6, Sunday is 0.
        """
        if month not in self.months:
            return False
        if self.dom_star or self.dow_star:
            return day in self.days and weekday in self.weekdays
        return day in self.days or weekday in self.weekdays

    @property
    def never_fires(self) -> bool:
        """Whether no day ever has a start: an empty field, or a date such as 31 February."""
        if not (self.minutes and self.hours and self.months):
            return True
        dated = any(min(self.days, default=32) <= _LONGEST[month] for month in self.months)
        if self.dom_star or self.dow_star:
            return not (dated and self.weekdays)
        return not (dated or self.weekdays)


_LONGEST = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}


@lru_cache(maxsize=4096)
def parse_schedule(text: str, flavour: Flavour, seed: str = "") -> Schedule:
    """Read the time fields of a crontab line.

    Args:
        text: Five fields separated by blanks, or a nickname such as `@daily`.
        flavour: Whose rules.
        seed: For cronie's `a~b`, which the daemon draws whenever it loads the file: here the number follows from the
            seed, so that it stays the same. The id of the job is a good one.

    Raises:
        ScheduleError: The daemon rejects it.

    Source:
        entry.c of cron 3.0pl1-162 (Debian) and of cronie 1.7.2.
    """
    flavour = Flavour(flavour)
    words = [each for each in _BLANKS.split(text) if each]
    shown = " ".join(words)
    if words and words[0].startswith("@"):
        return _nickname(words, shown)
    if words and words[0][0] in "!&%":
        raise ScheduleError(f"{words[0][0]!r} cannot start a schedule: such lines are fcron's", cure=_FIVE)
    if len(words) != 5:
        dialect = " (with seconds or a year they are Quartz's or Spring's, not cron's)" if len(words) in (6, 7) else ""
        count = "one field" if len(words) == 1 else f"{len(words)} fields"
        raise ScheduleError(f"{shown!r} has {count} instead of five{dialect}", cure=_FIVE)
    warnings: list[str] = []
    sets = []
    for index, (field, word) in enumerate(zip(FIELDS, words, strict=True)):
        reader = _Debian(field, word) if flavour is Flavour.DEBIAN else _Cronie(field, word, f"{seed}\0{index}")
        sets.append(reader.read())
        warnings.extend(reader.warnings)
        if not sets[-1]:
            warnings.append(f"the {field.name} {word!r} counts backwards: {flavour} accepts it, and it never matches")
    minutes, hours, days, months, weekdays = sets
    if weekdays & {0, 7}:
        weekdays = (weekdays | {0}) - {7}
    return Schedule(
        frozenset(minutes), frozenset(hours), frozenset(days), frozenset(months), frozenset(weekdays),
        dom_star=words[2].startswith("*"), dow_star=words[4].startswith("*"),
        wild=words[0].startswith("*") or words[1].startswith("*"),
        reboot=False, text=shown, warnings=tuple(warnings),
    )  # fmt: skip


def _nickname(words: list[str], shown: str) -> Schedule:
    zero, first = frozenset({0}), frozenset({1})
    hours = frozenset(range(24))
    table = {
        "@yearly": (zero, zero, first, first, _EVERY_WEEKDAY, False, True, False),
        "@monthly": (zero, zero, first, _EVERY_MONTH, _EVERY_WEEKDAY, False, True, False),
        "@weekly": (zero, zero, _EVERY_DAY, _EVERY_MONTH, zero, True, False, False),
        "@daily": (zero, zero, _EVERY_DAY, _EVERY_MONTH, _EVERY_WEEKDAY, False, False, False),
        "@hourly": (zero, hours, _EVERY_DAY, _EVERY_MONTH, _EVERY_WEEKDAY, False, False, True),
    }
    table["@annually"], table["@midnight"] = table["@yearly"], table["@daily"]
    if len(words) > 1:
        raise ScheduleError(f"{shown!r} has words after the nickname", cure=_NICKNAMES_CURE)
    if shown == "@reboot":
        none: frozenset[int] = frozenset()
        return Schedule(none, none, none, none, none, False, False, False, reboot=True, text=shown)
    if shown not in table:
        whose = "it is of Go's robfig/cron" if shown.startswith("@every") else "cron knows no such nickname"
        raise ScheduleError(f"{shown!r} is no schedule: {whose}", cure=_NICKNAMES_CURE)
    return Schedule(*table[shown], reboot=False, text=shown)


class _Reader:
    """What both readers share: a place in the word, and how a fault is told."""

    def __init__(self, field: Field, word: str) -> None:
        self.field, self.word, self.at = field, word, 0
        self.warnings: list[str] = []

    def peek(self) -> str:
        return self.word[self.at : self.at + 1]

    def fault(self, why: str) -> ScheduleError:
        field = self.field
        return ScheduleError(
            f"bad {field.name} {self.word!r}: {why}",
            cure=f"It takes {field.low}-{field.high}{', names' if field.names else ''}, lists, ranges and steps of a"
            f" range, for example `{field.example}`.",
        )

    def number(self, names: tuple[str, ...]) -> int:
        """Read a number or one of the names; both daemons take all letters and digits that follow."""
        match = re.compile(r"[0-9A-Za-z]*", re.ASCII).match(self.word, self.at)
        found = match.group() if match else ""
        if not found:
            rest = self.word[self.at :]
            raise self.fault(f"a number is missing{f' before {rest!r}' if rest else ' at its end'}{_hint(rest)}")
        self.at += len(found)
        if found.isdigit():
            return _c_int(found)
        if found.lower() in names:
            return names.index(found.lower()) + (self.field.low if names else 0)
        raise self.fault(f"{found!r} is no number{' or name' if names else ''}{_hint(found)}")

    def check(self, *numbers: int) -> None:
        for number in numbers:
            if not self.field.low <= number <= self.field.high:
                raise self.fault(f"{number} is out of bounds")


class _Debian(_Reader):
    def read(self) -> set[int]:
        found: set[int] = set()
        while True:
            found |= self._range()
            if self.peek() != ",":
                break
            self.at += 1
        if rest := self.word[self.at :]:
            self.warnings.append(
                f"the {self.field.name} {self.word!r} is read as {self.word[: self.at]!r}:"
                f" Debian's cron stops at {rest[0]!r}"
            )
        return found

    def _range(self) -> set[int]:
        low, high = self.field.low, self.field.high
        if self.peek() == "*":
            self.at += 1
        else:
            low = self.number(self.field.names)
            if self.peek() != "-":
                if self.peek() == "/":
                    raise self.fault(f"a step needs a range: write {low}-{self.field.high}{self.word[self.at :]}")
                self.check(low)
                return {low}
            self.at += 1
            high = self.number(self.field.names)
        step = 1
        if self.peek() == "/":
            self.at += 1
            step = self.number(())
            if step <= 0:
                raise self.fault("a step is at least 1")
        self.check(low, high)
        return set(range(low, high + 1, step))


class _Cronie(_Reader):
    def __init__(self, field: Field, word: str, seed: str) -> None:
        super().__init__(field, word)
        self.seed = seed

    def read(self) -> set[int]:
        found: set[int] = set()
        while True:
            found |= self._range()
            if self.at >= len(self.word):
                return found
            self.at += 1

    def _range(self) -> set[int]:
        low, high, step = self.field.low, self.field.high, 1
        if self.peek() == "*":
            self.at += 1
            step = self._step()
        elif self.peek() == "~":
            low = high = self._drawn(low)
        else:
            low = high = self.number(self.field.names)
            if self.peek() == "~":
                low = high = self._drawn(low)
            elif self.peek() == "-":
                self.at += 1
                high = self.number(self.field.names)
                step = self._step()
            elif self.peek() == "/":
                raise self.fault(f"a step needs a range: write {low}-{self.field.high}{self.word[self.at :]}")
        if self.peek() not in ("", ","):
            raise self.fault(f"{self.word[self.at :]!r} is not understood{_hint(self.word[self.at :])}")
        if low <= high:
            numbers = set(range(low, high + 1, step)) if step > 0 else {low, low + step}
            self.check(*sorted(numbers))
            return numbers
        return set()

    def _step(self) -> int:
        if self.peek() != "/":
            return 1
        self.at += 1
        step = self.number(())
        if step == 0:
            raise self.fault("a step is at least 1")
        return step

    def _drawn(self, low: int) -> int:
        """Draw the number of `low~high`: cronie does it at each load, here the seed decides."""
        self.at += 1
        high = self.field.high if self.peek() in ("", ",") else self.number(self.field.names)
        if low > high:
            raise self.fault("the random range counts backwards")
        self.check(low, high)
        draw = int.from_bytes(hashlib.sha256(f"{self.seed}\0{self.word}\0{self.at}".encode()).digest()[:8], "big")
        drawn = low + draw % (high - low + 1)
        self.warnings.append(
            f"the {self.field.name} {self.word!r} is random in cronie, drawn at each load; here it is {drawn} for good"
        )
        return drawn


def _hint(rest: str) -> str:
    """Name the dialect that a rejected word is probably of."""
    if re.search(r"[?#]|[LW]$|^[LW]", rest):
        return " (`?`, `L`, `W` and `#` are Quartz's, not cron's)"
    if rest.startswith(("H",)):
        return " (`H` is Jenkins')"
    return ""


def _c_int(digits: str) -> int:
    """Return what C's atoi makes of digits: it saturates as a long, then is cut to an int."""
    return (min(int(digits[:40]), 2**63 - 1) + 2**31) % 2**32 - 2**31
