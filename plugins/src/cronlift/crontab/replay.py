"""The history of real runs against the times that the imported lines are computed to fire at. Pure."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from cronlift.crontab.expression import Schedule
from cronlift.crontab.fires import fire_times
from cronlift.crontab.history import Start, printed
from cronlift.crontab.model import Flavour

EARLY = timedelta(seconds=2)
LATE = timedelta(seconds=58)
"""A daemon wakes up at the minute, and a loaded host starts the job some seconds later; the next minute is not ours."""

GAP_LINES = 2
"""So many lines, each seen at other times, must miss runs between two starts for that to be a gap of the log."""

Key = tuple[str, str]


class Outcome(StrEnum):
    """What the history says about a line."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NEVER_SEEN = "never-seen"
    NOT_DUE = "not-due"
    """No run was due in the log's time, and none was seen."""
    WITH_THE_HOST = "with-the-host"
    """@reboot: no time of the clock to compare."""
    RANDOM = "random"
    """cronie's `a~b`: the daemon drew the times, and nobody wrote them down."""


@dataclass(frozen=True)
class TimedLine:
    """A job line and when it fires.

    Attributes:
        where: `file:line`.
        user: Whom it runs as; empty when that is not known, which fits every user.
        command: After the rule of `%`.
        schedule: Its time fields.
        cron_zone: Zone of CRON_TZ, where the daemon honours it.
    """

    where: str
    user: str
    command: str
    schedule: Schedule
    cron_zone: ZoneInfo | None = None

    @property
    def comparable(self) -> bool:
        """Say whether its times can be computed."""
        return not self.schedule.reboot and "~" not in self.schedule.text


@dataclass(frozen=True)
class LineReplay:
    """What became of one line's runs.

    Attributes:
        line: The line.
        outcome: In a word.
        expected: Runs that were due in the log's time.
        seen: Starts of its command by its user.
        missing: Due and not in the log, outside of gaps.
        extra: In the log and not due.
        in_gaps: Due while the log has a gap.
        shared_with: Other lines with the same user and command; their runs cannot be told apart in a log.
    """

    line: TimedLine
    outcome: Outcome
    expected: int
    seen: int
    missing: tuple[datetime, ...] = ()
    extra: tuple[datetime, ...] = ()
    in_gaps: int = 0
    shared_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unknown:
    """A command that ran on the old host and that no line has."""

    user: str
    command: str
    times: int
    last: datetime


@dataclass(frozen=True)
class Replay:
    """The whole comparison.

    Attributes:
        begin: The log's first start.
        end: Its last one.
        lines: One entry for each line, in their order.
        unknown: Commands of the log that no line has, the most frequent first.
        gaps: Times without any start, though several lines were due.
    """

    begin: datetime
    end: datetime
    lines: tuple[LineReplay, ...]
    unknown: tuple[Unknown, ...]
    gaps: tuple[tuple[datetime, datetime], ...]

    @property
    def equal(self) -> bool:
        """Say whether the computed times are those of the log, and no command is missing from the lines."""
        return not self.unknown and all(
            line.outcome not in (Outcome.DIFFERENT, Outcome.NEVER_SEEN) for line in self.lines
        )


@dataclass
class _Group:
    """The lines that a log cannot tell apart, with their runs."""

    lines: list[TimedLine]
    due: list[datetime]
    starts: list[datetime]
    missing: list[datetime]
    extra: list[datetime]


def replay(lines: Sequence[TimedLine], history: Sequence[Start], zone: ZoneInfo, flavour: Flavour) -> Replay:
    """Compare.

    Args:
        lines: The job lines.
        history: Starts in order of time; at least one.
        zone: The old host's.
        flavour: Its daemon.

    Raises:
        ValueError: There is no history.
    """
    if not history:
        raise ValueError("there is no history to compare with")
    begin, end = history[0].time, history[-1].time
    groups, unknown = _grouped(lines, history)
    for group in groups:
        due = (_due(line, zone, begin, end, flavour) for line in group.lines if line.comparable)
        group.due = sorted(time for times in due for time in times)
        missing, group.extra = match(group.due, group.starts)
        # What was due as the log begins and ends may have been logged before or after it.
        group.missing = [time for time in missing if begin < time < end - LATE]
        group.due = sorted((Counter(group.due) - Counter(missing) + Counter(group.missing)).elements())
    gaps = _gaps(groups, [start.time for start in history])
    found = {line.where: _verdict(line, group, gaps) for group in groups for line in group.lines}
    return Replay(begin, end, tuple(found[line.where] for line in lines), _counted(unknown), gaps)


def match(due: Sequence[datetime], starts: Sequence[datetime]) -> tuple[list[datetime], list[datetime]]:
    """Pair runs that were due with starts, both in order; return what is left of each."""
    missing, extra = [], []
    at = 0
    for time in due:
        while at < len(starts) and starts[at] < time - EARLY:
            extra.append(starts[at])
            at += 1
        if at < len(starts) and starts[at] <= time + LATE:
            at += 1
        else:
            missing.append(time)
    return missing, [*extra, *starts[at:]]


def _grouped(lines: Sequence[TimedLine], history: Iterable[Start]) -> tuple[list[_Group], list[Start]]:
    """Sort lines and starts by user and command; return what no line wants, too."""
    by_key: dict[Key, _Group] = {}
    for line in lines:
        by_key.setdefault((line.user, printed(line.command)), _Group([], [], [], [], [])).lines.append(line)
    unknown = []
    for start in history:
        command = start.command.strip()
        group = by_key.get((start.user, command)) or by_key.get(("", command))
        if group is None:
            unknown.append(start)
        else:
            group.starts.append(start.time)
    return list(by_key.values()), unknown


def _due(line: TimedLine, zone: ZoneInfo, begin: datetime, end: datetime, flavour: Flavour) -> list[datetime]:
    return list(fire_times(line.schedule, zone, begin - LATE, end, flavour, line.cron_zone))


def _gaps(groups: Sequence[_Group], starts: Sequence[datetime]) -> tuple[tuple[datetime, datetime], ...]:
    """Return the times between two starts in which several lines, all seen at other times, missed their runs."""
    missed: dict[int, set[int]] = defaultdict(set)
    for number, group in enumerate(groups):
        if group.starts:
            for time in group.missing:
                missed[bisect_left(starts, time)].add(number)
    return tuple(
        (starts[at - 1], starts[at])
        for at, numbers in sorted(missed.items())
        if 0 < at < len(starts) and len(numbers) >= GAP_LINES and starts[at] - starts[at - 1] > 2 * LATE
    )


def _verdict(line: TimedLine, group: _Group, gaps: Sequence[tuple[datetime, datetime]]) -> LineReplay:
    missing = [time for time in group.missing if not any(begin < time < end for begin, end in gaps)]
    outcome = Outcome.DIFFERENT if missing or group.extra else Outcome.EQUAL
    if line.schedule.reboot:
        outcome = Outcome.WITH_THE_HOST
    elif not line.comparable:
        outcome = Outcome.RANDOM
    elif group.due and not group.starts:
        outcome = Outcome.NEVER_SEEN
    elif not group.due and not group.starts:
        outcome = Outcome.NOT_DUE
    told = outcome in (Outcome.DIFFERENT, Outcome.NEVER_SEEN)
    return LineReplay(
        line,
        outcome,
        expected=len(group.due),
        seen=len(group.starts),
        missing=tuple(missing) if told else (),
        extra=tuple(group.extra) if told else (),
        in_gaps=len(group.missing) - len(missing),
        shared_with=tuple(each.where for each in group.lines if each is not line),
    )


def _counted(starts: Iterable[Start]) -> tuple[Unknown, ...]:
    by_key: dict[Key, list[Start]] = defaultdict(list)
    for start in starts:
        by_key[start.user, start.command.strip()].append(start)
    found = [Unknown(user, command, len(each), each[-1].time) for (user, command), each in by_key.items()]
    return tuple(sorted(found, key=lambda unknown: (-unknown.times, unknown.user, unknown.command)))
