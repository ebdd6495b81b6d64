"""`cronlift replay`: what the old host really ran against what its crontabs are computed to run."""

import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from cronlift.cli.crontab_files import Inputs, read_inputs
from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.flavour import sniff_flavour
from cronlift.crontab.history import Start, read_history
from cronlift.crontab.model import Flavour, Format
from cronlift.crontab.parse import parse_crontab
from cronlift.crontab.replay import LineReplay, Outcome, Replay, TimedLine, replay
from cronlift.crontab.secrets import mask
from cronlift.crontab.zones import find_zone
from cronlift.errors import CronliftError

SHOWN_TIMES = 3
MARKS = {
    Outcome.EQUAL: ("✓", "green"),
    Outcome.DIFFERENT: ("✗", "red"),
    Outcome.NEVER_SEEN: ("✗", "red"),
}


@click.command("replay")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Syslog, cron log or `journalctl -o short-iso -t CRON`, oldest first; may be gzipped; repeatable. By default "
    "the history in the inventory's tarball.",
)
@click.option(
    "--timezone", metavar="ZONE", help="The old host's zone, for example Europe/Paris. By default the inventory's."
)
@click.option(
    "--flavour",
    type=click.Choice([*(each.value for each in Flavour), "auto"]),
    default="auto",
    show_default=True,
    help="The old host's daemon.",
)
@click.option(
    "--format", "form", type=click.Choice([each.value for each in Format]), help="With a user's column or without."
)
@click.option("--user", help="Whose tabs they are, for tabs without that column.")
@click.option(
    "--written", metavar="ISO", help="When the logs were taken, for lines without a year. By default their files' time."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay_command(
    files: Sequence[str],
    logs: Sequence[Path],
    timezone: str | None,
    flavour: str,
    form: str | None,
    user: str | None,
    written: str | None,
    as_json: bool,
) -> None:
    """Compare the old host's log of started jobs with the times that its lines are computed to fire at.

    FILES are what `cronlift import` takes: crontabs, folders, tarballs, the inventory.

    Exit code: 0 all equal, 1 a run is missing or extra or a command is in no line, 2 wrong usage.
    """
    at = _moment(written) if written else None
    try:
        inputs = read_inputs(files)
        if not (name := timezone or inputs.facts.timezone):
            raise click.UsageError("The zone of the old host is not in what was handed over. Add --timezone.")
        zone = find_zone(name)
        daemon = sniff_flavour(inputs.sources, inputs.facts).flavour if flavour == "auto" else Flavour(flavour)
        history = _history(inputs, files, logs, zone, at)
        found = replay(list(_lines(inputs, daemon, form, user)), history, zone, daemon)
    except CronliftError as error:
        click.echo(f"cronlift: {error}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(to_json(found), indent=2, ensure_ascii=False))
    else:
        _show(found, zone)
    if not found.equal:
        sys.exit(1)


def to_json(found: Replay) -> dict[str, Any]:
    """Return what `--json` prints; times are ISO 8601 in UTC, passwords are masked."""
    return {
        "equal": found.equal,
        "from": found.begin.isoformat(),
        "to": found.end.isoformat(),
        "lines": [
            {
                "where": each.line.where,
                "user": each.line.user or None,
                "schedule": each.line.schedule.text,
                "command": mask(each.line.command),
                "outcome": each.outcome.value,
                "words": words(each),
                "expected": each.expected,
                "seen": each.seen,
                "missing": [time.isoformat() for time in each.missing],
                "extra": [time.isoformat() for time in each.extra],
                "in_gaps": each.in_gaps,
                "shared_with": list(each.shared_with),
            }
            for each in found.lines
        ],
        "unknown": [
            {"user": each.user, "command": mask(each.command), "times": each.times, "last": each.last.isoformat()}
            for each in found.unknown
        ],
        "gaps": [[begin.isoformat(), end.isoformat()] for begin, end in found.gaps],
    }


def words(found: LineReplay) -> str:
    """Return what the history says about a line, in a sentence."""
    together = f", together with {', '.join(found.shared_with)}" if found.shared_with else ""
    gaps = f"; {found.in_gaps} more were due in gaps of the log" if found.in_gaps else ""
    match found.outcome:
        case Outcome.EQUAL:
            return f"{found.seen} runs{together}, all as computed{gaps}"
        case Outcome.DIFFERENT:
            return (
                f"{found.expected} runs computed, {found.seen} seen{together}: {len(found.missing)} missing, "
                f"{len(found.extra)} extra{gaps}"
            )
        case Outcome.NEVER_SEEN:
            return (
                f"{found.expected} runs computed, none seen{together}. Is the line newer than the log, or its user "
                "another one?"
            )
        case Outcome.NOT_DUE:
            return "not due in the log's time"
        case Outcome.WITH_THE_HOST:
            return f"starts with the host; {found.seen} starts seen"
        case Outcome.RANDOM:
            return f"the daemon drew its times at random; {found.seen} starts seen"


def _history(
    inputs: Inputs, files: Sequence[str], logs: Sequence[Path], zone: ZoneInfo, written: datetime | None
) -> list[Start]:
    """Read the logs that were named, else the inventory's history."""
    try:
        if logs:
            parts = [_starts(_text(log), zone, written or _taken(log)) for log in logs]
            found = sorted((start for part in parts for start in part), key=lambda start: start.time)
        else:
            taken = max((_taken(Path(file)) for file in files if Path(file).exists()), default=datetime.now(UTC))
            found = _starts(inputs.facts.history, zone, written or taken)
    except (OSError, EOFError) as error:
        raise CronliftError(f"A log cannot be read: {error}") from error
    if not found:
        where = ", ".join(map(str, logs)) if logs else "what was handed over. Name a log by --log"
        raise CronliftError(
            f"No start of a job is in {where}. A good line is: "
            "Jan 31 03:00:01 old CRON[123]: (root) CMD (/usr/local/bin/report)"
        )
    return found


def _starts(text: str, zone: ZoneInfo, written: datetime) -> list[Start]:
    return read_history(text.splitlines(), zone, written)


def _text(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode(errors="surrogateescape")


def _taken(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _lines(inputs: Inputs, flavour: Flavour, form: str | None, user: str | None) -> Iterator[TimedLine]:
    """Read the job lines of everything but anacron's tab and run-parts scripts, which a daemon's log does not name."""
    for source in inputs.sources:
        if source.kind in ("anacrontab", "run-parts"):
            continue
        tab = parse_crontab(source, flavour, Format(form) if form else None, user, users=inputs.facts.user_names)
        for line in tab.jobs:
            if line.schedule is None or line.command is None:
                continue
            schedule = parse_schedule(line.schedule, flavour, seed=line.where)
            cron_zone = find_zone(line.timezone) if line.timezone else None
            yield TimedLine(line.where, line.user or "", line.command, schedule, cron_zone)


def _show(found: Replay, zone: ZoneInfo) -> None:
    def local(time: datetime) -> str:
        return time.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S%z")

    click.echo(f"The log has starts from {local(found.begin)} to {local(found.end)}")
    for each in found.lines:
        mark, colour = MARKS.get(each.outcome, ("·", "yellow"))
        click.echo(f"{click.style(mark, fg=colour)} {each.line.where}  {each.line.schedule.text}  {words(each)}")
        for name, times in (("missing", each.missing), ("extra", each.extra)):
            if times:
                more = f" and {len(times) - SHOWN_TIMES} more" if len(times) > SHOWN_TIMES else ""
                click.echo(f"    {name}: {', '.join(map(local, times[:SHOWN_TIMES]))}{more}")
    for begin, end in found.gaps:
        click.echo(f"{click.style('·', fg='yellow')} gap in the log: {local(begin)} to {local(end)}")
    for other in found.unknown:
        click.echo(
            f"{click.style('✗', fg='red')} in no line: ({other.user}) {mask(other.command)}, {other.times} times, "
            f"last at {local(other.last)}"
        )
    differ = sum(each.outcome in (Outcome.DIFFERENT, Outcome.NEVER_SEEN) for each in found.lines)
    click.echo(
        f"{len(found.lines)} lines, {differ} differ, {len(found.unknown)} commands in no line, {len(found.gaps)} gaps",
        err=True,
    )


def _moment(value: str) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is no ISO 8601 time; a good one is 2026-03-29T00:00:00Z", param_hint="--written"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
