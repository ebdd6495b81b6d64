"""The schedule of one line of a crontab, whatever is wrong with the rest of the line or of the file."""

from dataclasses import dataclass, replace

from cronlift.crontab.assignment import parse_assignment
from cronlift.crontab.cutover import restore_lines
from cronlift.crontab.dialects import dialect_of
from cronlift.crontab.entry import Reading, split_schedule
from cronlift.crontab.expression import Schedule, parse_schedule
from cronlift.crontab.model import Flavour, Format, Source
from cronlift.crontab.parse import read_disabled
from cronlift.crontab.text import BYTE_ORDER_MARK, split_lines
from cronlift.errors import ScheduleError

_BLANKS = " \t"


@dataclass(frozen=True)
class TimedLine:
    """A line's schedule.

    Attributes:
        schedule: Its time fields.
        cron_zone_name: What CRON_TZ says above it; None without it, or where the flavour does not honour it.
        note: Why the daemon does not start the job although the schedule is one; empty when it does.
    """

    schedule: Schedule
    cron_zone_name: str | None
    note: str = ""


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
    lines, _ = split_lines(replace(source, content=restore_lines(source.content).content))
    where = f"{source.path}:{number}"
    if not 1 <= number <= len(lines):
        raise ScheduleError(f"{where}: there is no such line", cure=f"The file has {len(lines)} lines.")
    lines[0] = lines[0].removeprefix(BYTE_ORDER_MARK)
    text = lines[number - 1].lstrip(_BLANKS).rstrip("\r")
    note = ""
    if text.startswith("#"):
        note = "the line is commented out, so the daemon does not start it; these are the times of its schedule"
    try:
        schedule = parse_schedule(_fields(text, flavour), flavour, seed)
    except ScheduleError as error:
        raise ScheduleError(f"{where}: {error.what}", cure=error.cure) from error
    return TimedLine(schedule, _cron_zone(lines[: number - 1], flavour), note)


def _fields(text: str, flavour: Flavour) -> str:
    """Return the text of a line's time fields, those of a job that was commented out too.

    Raises:
        ScheduleError: The line is none of a job.
    """
    cure = "Name a line with a job, for example `30 2 * * 1-5 /usr/local/bin/report`."
    if text.startswith("#"):
        disabled = read_disabled(text, Reading(flavour, Format.SYSTEM))
        if disabled is None or disabled.schedule is None:
            raise ScheduleError("the line is a comment", cure=cure)
        return disabled.schedule
    if not text:
        raise ScheduleError("the line is blank", cure=cure)
    if parse_assignment(text, flavour) is not None:
        raise ScheduleError("the line is a setting", cure=cure)
    schedule, rest = split_schedule(text.removeprefix("-") if flavour is Flavour.CRONIE else text)
    if rest is not None and rest.startswith("*"):
        what = dialect_of(text) or "a sixth time field stands where the command should be"
        raise ScheduleError(f"{what}; the daemon rejects it", cure="Write five time fields, then the command.")
    return schedule or text


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
