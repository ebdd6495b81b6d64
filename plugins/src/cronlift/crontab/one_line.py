"""The schedule of one line of a crontab, whatever is wrong with the rest of the line or of the file."""

from dataclasses import dataclass

from cronlift.crontab.assignment import parse_assignment
from cronlift.crontab.expression import Schedule, parse_schedule
from cronlift.crontab.model import Flavour, Source
from cronlift.crontab.text import split_lines
from cronlift.errors import ScheduleError

_BLANKS = " \t"


@dataclass(frozen=True)
class TimedLine:
    """A line's schedule.

    Attributes:
        schedule: Its time fields.
        cron_zone_name: What CRON_TZ says above it; None without it, or where the flavour does not honour it.
    """

    schedule: Schedule
    cron_zone_name: str | None


def read_schedule(source: Source, number: int, flavour: Flavour, seed: str = "") -> TimedLine:
    """Read the time fields of one line.

    Args:
        source: The crontab.
        number: The line, from 1.
        flavour: Whose rules.
        seed: See `parse_schedule`.

    Raises:
        ScheduleError: There is no such line, it has no time fields, or the daemon rejects them.
        CrontabFileError: The file is no text.
    """
    lines, _ = split_lines(source)
    where = f"{source.path}:{number}"
    if not 1 <= number <= len(lines):
        raise ScheduleError(f"{where}: there is no such line", cure=f"The file has {len(lines)} lines.")
    text = lines[number - 1].lstrip(_BLANKS).rstrip("\r")
    cure = "Name a line with a job, for example `30 2 * * 1-5 /usr/local/bin/report`."
    if not text or text.startswith("#"):
        raise ScheduleError(f"{where}: the line is {'a comment' if text else 'blank'}", cure=cure)
    if parse_assignment(text, flavour) is not None:
        raise ScheduleError(f"{where}: the line is a setting", cure=cure)
    if flavour is Flavour.CRONIE:
        text = text.removeprefix("-")
    words = text.split()
    fields = words[:1] if text.startswith("@") else words[:5]
    try:
        schedule = parse_schedule(" ".join(fields), flavour, seed)
    except ScheduleError as error:
        raise ScheduleError(f"{where}: {error.what}", cure=error.cure) from error
    return TimedLine(schedule, _cron_zone(lines[: number - 1], flavour))


def _cron_zone(lines: list[str], flavour: Flavour) -> str | None:
    """Return the last CRON_TZ of the lines; an empty one takes it back."""
    if flavour is not Flavour.CRONIE:
        return None
    found = None
    for line in lines:
        text = line.lstrip(_BLANKS).rstrip("\r")
        if text.startswith("#") or "CRON_TZ" not in text:
            continue
        setting = parse_assignment(text, flavour)
        if setting is not None and setting[0] == "CRON_TZ":
            found = setting[1] or None
    return found
