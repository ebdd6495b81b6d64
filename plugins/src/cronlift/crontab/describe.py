"""Say in plain words when a schedule fires."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from cronlift.crontab.expression import Schedule

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MANY_TIMES = 6
"""More times of the day than this are told as minutes and hours, not one by one."""


def describe(schedule: Schedule, zone: ZoneInfo | str) -> str:
    """Return one line for people, such as "At 02:30, Monday to Friday, Europe/Paris".

    Args:
        schedule: What to tell.
        zone: The zone whose wall clock is meant.
    """
    if schedule.reboot:
        return "When the machine starts"
    if schedule.never_fires:
        return "Never"
    parts = [_times(schedule), _days(schedule), _months(schedule), zone if isinstance(zone, str) else zone.key]
    text = ", ".join(part for part in parts if part)
    return text[0].upper() + text[1:]


def _times(schedule: Schedule) -> str:
    minutes, hours = sorted(schedule.minutes), sorted(schedule.hours)
    if len(minutes) * len(hours) <= _MANY_TIMES:
        return "at " + _listed(f"{hour:02}:{minute:02}" for hour in hours for minute in minutes)
    if len(minutes) == 60:
        minutely = "every minute"
    elif len(minutes) == 1 and schedule.every_hour:
        return "every hour" if minutes == [0] else f"every hour, {minutes[0]} min past"
    elif (step := _step(minutes, 60)) is not None:
        minutely = f"every {step} minutes"
    else:
        minutely = f"at minute{'' if len(minutes) == 1 else 's'} {_numbers(minutes)}"
    return minutely if schedule.every_hour else f"{minutely} of {_hours(hours)}"


def _hours(hours: Sequence[int]) -> str:
    step = _step(hours, 24)
    if step is not None:
        return f"every {step} hours"
    return f"hour{'' if len(hours) == 1 else 's'} {_numbers(hours)}"


def _days(schedule: Schedule) -> str:
    if schedule.every_day or (len(schedule.days) == 31 and len(schedule.weekdays) == 7):
        return "" if len(schedule.months) < 12 else "every day"
    of_month = f"on day{'' if len(schedule.days) == 1 else 's'} {_numbers(sorted(schedule.days))} of the month"
    weekdays = _weekdays(schedule.weekdays) if schedule.weekdays else ""
    together = schedule.dom_star or schedule.dow_star
    if together:
        if len(schedule.weekdays) == 7:
            return of_month
        return weekdays if len(schedule.days) == 31 else f"{of_month} if that is {_listed(_names(schedule), 'or')}"
    if not schedule.weekdays:
        return of_month
    if not schedule.days:
        return weekdays
    if len(schedule.days) == 31 or len(schedule.weekdays) == 7:
        return "every day"
    return f"{of_month} and every {_listed(_names(schedule))}"


def _names(schedule: Schedule) -> list[str]:
    return [_WEEKDAYS[day] for day in sorted(schedule.weekdays, key=lambda day: (day - 1) % 7)]


def _weekdays(weekdays: frozenset[int]) -> str:
    ordered = sorted((day - 1) % 7 for day in weekdays)
    names = [_WEEKDAYS[(day + 1) % 7] for day in ordered]
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{names[0]} to {names[-1]}"
    return f"on {_listed(names)}"


def _months(schedule: Schedule) -> str:
    months = sorted(schedule.months)
    if len(months) == 12:
        return ""
    if len(months) > 2 and months[-1] - months[0] == len(months) - 1:
        return f"{_MONTHS[months[0] - 1]} to {_MONTHS[months[-1] - 1]}"
    return "in " + _listed(_MONTHS[month - 1] for month in months)


def _step(numbers: Sequence[int], count: int) -> int | None:
    """Return n when numbers are every n-th from 0, and come round evenly."""
    if len(numbers) < 2 or numbers[0] != 0 or count % len(numbers):
        return None
    step = count // len(numbers)
    return step if list(numbers) == list(range(0, count, step)) else None


def _numbers(numbers: Sequence[int]) -> str:
    """Return numbers with stretches of three and more as ranges."""
    parts: list[str] = []
    start = 0
    for index, number in enumerate(numbers):
        if index + 1 == len(numbers) or numbers[index + 1] != number + 1:
            stretch = numbers[start : index + 1]
            parts.extend([f"{stretch[0]}-{stretch[-1]}"] if len(stretch) > 2 else map(str, stretch))
            start = index + 1
    return _listed(parts)


def _listed(words: Iterable[str], last: str = "and") -> str:
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final
