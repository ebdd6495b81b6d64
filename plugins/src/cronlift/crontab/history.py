"""What a cron daemon wrote to syslog or to the journal about the jobs that it started. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
BACK_IN_TIME = timedelta(hours=2)
"""Lines of a log may be out of order by seconds; more is the turn of a year, and exactly an hour that of the clock."""

_LINE = re.compile(
    r"^(?:<\d+>)?(?:(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?\s?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<month>[A-Z][a-z]{2})\s+(?P<day>\d{1,2})\s(?P<clock>\d\d:\d\d:\d\d))"
    r"\s+\S+\s+(?:\S*/)?(?:CROND?|crond?)(?:\[\d+\])?:\s+\((?P<user>[^)]*)\)\s+CMD\s+\((?:\[\d+\]\s)?(?P<command>.*)\)\s*$"
)


@dataclass(frozen=True)
class Start:
    """One start of a job.

    Attributes:
        time: When, in UTC.
        user: Whom it ran as.
        command: As the daemon prints it; see `printed`.
    """

    time: datetime
    user: str
    command: str


def read_history(lines: Iterable[str], zone: ZoneInfo, written: datetime) -> list[Start]:
    """Read the starts of jobs from a log; other lines are passed over.

    Args:
        lines: Oldest first, as syslog (RFC 3164: no year, the host's local time) or in ISO 8601.
        zone: The host's, for times that do not say theirs.
        written: No line is later than that; it tells the year of those that have none.

    Returns:
        The starts, in order of time.
    """
    matches = [match for match in map(_LINE.match, lines) if match]
    local = _folded(_with_years([_clock(match) for match in matches], written.astimezone(zone)), zone)
    found = []
    for match, clock in zip(matches, local, strict=True):
        time = clock if clock.tzinfo else clock.replace(tzinfo=zone)
        found.append(Start(time.astimezone(UTC), match["user"], match["command"]))
    return sorted(found, key=lambda start: start.time)


def printed(command: str) -> str:
    """Return a command as the daemons print it into the log, with its outer blanks gone.

    Source:
        `mkprints` in misc.c of cron 3.0pl1 and cronie: control characters as ^X, what is not ASCII byte by byte in
        octal.
    """
    return "".join(_printed(each) for each in command.strip().encode(errors="surrogateescape"))


def _printed(byte: int) -> str:
    if byte < 32:
        return f"^{chr(byte + 64)}"
    if byte < 127:
        return chr(byte)
    return "^?" if byte == 127 else f"\\{byte:03o}"


def _clock(match: re.Match[str]) -> datetime:
    """Return a line's time; without an offset where the line has none, and in the year 4 where it has no year."""
    if match["iso"]:
        text = match["iso"].replace(",", ".").replace(" ", "T", 1).replace(" ", "")
        return datetime.fromisoformat(text)
    hour, minute, second = map(int, match["clock"].split(":"))
    # 4: a leap year, so that February 29 is a date.
    return datetime(4, MONTHS.index(match["month"]) + 1, int(match["day"]), hour, minute, second)


def _with_years(clocks: list[datetime], written: datetime) -> list[datetime]:
    """Give each time without a year the latest one that keeps the log in order."""
    found = list(clocks)
    year, later = written.year, written.replace(tzinfo=None) + BACK_IN_TIME
    for at in range(len(found) - 1, -1, -1):
        if found[at].year > 4:
            continue
        year, found[at] = _in_year(found[at], year, later)
        later = found[at] + BACK_IN_TIME
    return found


def _in_year(clock: datetime, year: int, later: datetime) -> tuple[int, datetime]:
    while True:
        try:
            found = clock.replace(year=year)
        except ValueError:  # February 29 of a year that has none
            year -= 1
            continue
        if found <= later:
            return year, found
        year -= 1


def _folded(clocks: Iterable[datetime], zone: ZoneInfo) -> Iterator[datetime]:
    """Mark local times of an hour that comes twice as its second pass, from where the clock went back."""
    highest: datetime | None = None
    again = False
    for clock in clocks:
        if clock.tzinfo is not None:
            yield clock
            continue
        local = clock.replace(tzinfo=zone)
        if local.utcoffset() == local.replace(fold=1).utcoffset():
            again = False
        elif highest is not None and highest - clock > timedelta(minutes=1):
            again = True
        highest = clock
        yield clock.replace(fold=int(again))
