"""/etc/anacrontab: jobs by the day rather than by the clock, explained in cron's terms.

anacron starts a job when so many days have passed since it last ran, and then waits its delay. It is for machines that
are off at night; Airflow never is, so each line becomes a proposal with a time of day, for a person to confirm.
"""

import re
from dataclasses import dataclass, replace

from cronlift.crontab.model import Crontab, Flavour, Format, Line, LineKind, Source
from cronlift.crontab.text import split_lines

DEBIAN_START = (7, 30)
"""/etc/cron.d/anacron starts anacron at half past seven."""
CRONIE_START = (3, 1)
"""/etc/cron.hourly/0anacron runs at one past each hour, and START_HOURS_RANGE is 3-22 as shipped."""

_NAMED_PERIODS = {"@daily": 1, "@weekly": 7, "@monthly": 30, "@yearly": 365, "@annually": 365, "@annualy": 365}
_SETTING = re.compile(r"[ \t]*([^ \t=]+)[ \t]*=(.*)\Z")
_JOB = re.compile(r"[ \t]*(@[^ \t]+|[0-9]+)[ \t]+([0-9]+)[ \t]+([^ \t/]+)[ \t]+([^ \t].*)\Z")
_RULE = (
    "anacron takes a period in days, a delay in minutes, a name and a command, for example: "
    "1 5 cron.daily run-parts /etc/cron.daily"
)


@dataclass(frozen=True)
class AnacronJob:
    """One line of an anacrontab.

    Args:
        number: Its first line in the file, from 1.
        period: As written: days, or a name such as "@monthly".
        days: The period in days; a month counts 30 here and a year 365.
        delay_minutes: What anacron waits before it starts the job, to spread the load.
        identifier: The name of its time stamp in /var/spool/anacron.
        command: What `SHELL -c` gets.
        proposal: Five time fields with which a machine that is always on would do the same.
    """

    number: int
    period: str
    days: int
    delay_minutes: int
    identifier: str
    command: str
    proposal: str

    def explain(self) -> str:
        """Return in words what anacron did, and what is proposed instead."""
        every = "every day" if self.days == 1 else f"every {self.days} days"
        return (
            f"anacron started {self.identifier!r} {every} that the machine was on, {self.delay_minutes} minutes after "
            f"anacron itself, late rather than never. Airflow is always on: proposed is `{self.proposal}`."
        )


def parse_anacrontab(source: Source, flavour: Flavour) -> Crontab:
    """Read an anacrontab; each input line becomes a `Line`, as with crontabs.

    Jobs have no `schedule`, the user root, and the explanation as their first warning; `anacron_jobs` has the details.
    A line that continues the one above it (after a backslash) is BLANK with a warning that says so.

    Raises:
        CrontabFileError: The file is too large, is UTF-16 or is no text.

    Source: `read_tab_line` and `parse_tab_line` in anacron/readtab.c of cronie 1.7.2.
    """
    raws, _ = split_lines(source)
    lines: list[Line] = []
    environment: dict[str, str] = {}
    comments: list[str] = []
    for number, text in _logical_lines(raws):
        line = Line(source.path, number, raws[number - 1], LineKind.BLANK)
        read = _read(line, text, environment, tuple(comments), flavour)
        comments = [*comments, read.raw] if read.kind is LineKind.COMMENT else []
        lines.append(read)
        for more in range(number + 1, number + text.count("\n") + 1):
            told = f"Continues line {number}."
            lines.append(Line(source.path, more, raws[more - 1], LineKind.BLANK, warnings=(told,)))
    return Crontab(source, flavour, Format.SYSTEM, tuple(lines))


def anacron_jobs(source: Source, flavour: Flavour) -> tuple[AnacronJob, ...]:
    """Return the jobs of an anacrontab with their periods and delays, in the order of the file."""
    raws, _ = split_lines(source)
    environment: dict[str, str] = {}
    found = []
    for number, text in _logical_lines(raws):
        joined = text.replace("\n", " ")
        if re.match(r"[ \t]*(\Z|#)", joined):
            continue
        if setting := _SETTING.match(joined):
            environment[setting[1]] = setting[2]
        elif job := _job(number, joined, environment, flavour):
            found.append(job)
    return tuple(found)


def _logical_lines(raws: list[str]) -> list[tuple[int, str]]:
    """Join lines that end in a backslash with those below; the line feed stays, to count by."""
    found: list[tuple[int, str]] = []
    open_line = False
    for number, raw in enumerate(raws, start=1):
        text = raw.removesuffix("\r")
        continues = text.endswith("\\")
        text = text[:-1] if continues else text
        if open_line:
            found[-1] = (found[-1][0], found[-1][1] + "\n" + text)
        else:
            found.append((number, text))
        open_line = continues
    return found


def _read(line: Line, text: str, environment: dict[str, str], comments: tuple[str, ...], flavour: Flavour) -> Line:
    joined = text.replace("\n", " ")
    if not joined.strip(" \t"):
        return line
    if joined.lstrip(" \t").startswith("#"):
        return replace(line, kind=LineKind.COMMENT)
    if setting := _SETTING.match(joined):
        environment[setting[1]] = setting[2]
        return replace(line, kind=LineKind.SETTING, environment=tuple(environment.items()))
    job = _job(line.number, joined, environment, flavour)
    if job is None:
        return replace(line, kind=LineKind.BAD, environment=tuple(environment.items()), error=_RULE)
    return replace(
        line,
        kind=LineKind.JOB,
        user="root",
        command=job.command,
        environment=tuple(environment.items()),
        comments=comments,
        warnings=(job.explain(),),
    )


def _job(number: int, text: str, environment: dict[str, str], flavour: Flavour) -> AnacronJob | None:
    found = _JOB.match(text)
    if found is None or (found[1].startswith("@") and found[1] not in _NAMED_PERIODS):
        return None
    days = _NAMED_PERIODS[found[1]] if found[1].startswith("@") else int(found[1])
    delay = int(found[2])
    return AnacronJob(number, found[1], days, delay, found[3], found[4], _proposal(days, delay, environment, flavour))


def _proposal(days: int, delay: int, environment: dict[str, str], flavour: Flavour) -> str:
    hour, minute = DEBIAN_START if flavour is Flavour.DEBIAN else CRONIE_START
    if hours := re.match(r"([0-9]{1,2})-", environment.get("START_HOURS_RANGE", "")):
        hour = int(hours[1])
    at = (hour * 60 + minute + delay) % (24 * 60)
    clock = f"{at % 60} {at // 60}"
    if days <= 1:
        return f"{clock} * * *"
    if days < 7:
        return f"{clock} */{days} * *"
    if days < 28:
        return f"{clock} * * 0" if days < 14 else f"{clock} 1,15 * *"
    return f"{clock} 1 * *" if days < 365 else f"{clock} 1 1 *"
