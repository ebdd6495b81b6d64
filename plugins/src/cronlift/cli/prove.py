"""`cronlift prove`: the imported DAGs run exactly when the old daemon started their jobs."""

import json
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cronlift.cli.fires import moment
from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.fires import fire_minutes
from cronlift.crontab.model import Flavour
from cronlift.crontab.proof import QUEUE_MINUTES, Difference, a_second_apart, first_difference, stretches, today
from cronlift.crontab.zones import find_zone, to_minute
from cronlift.errors import CronliftError

JUDGE = (
    "Judge: cronlift's model of the daemon's main loop, which the tests hold against the real cron and cronie"
    " under a fake clock, and against cronsim."
)
_NO_TWO_ALIKE = "~"


@dataclass(frozen=True)
class Line:
    """An imported line: an entry of import/report.json."""

    file: str
    line: int
    dag_id: str
    schedule: str
    timezone: str
    cron_timezone: str | None
    flavour: str
    by_hand: bool = False
    """Somebody decided `action: manual`: the DAG is to have no runs of its own."""

    @property
    def seed(self) -> str:
        """Return what draws cronie's `a~b`; nothing where there is none, so that equal lines are proved once."""
        return self.dag_id if _NO_TWO_ALIKE in self.schedule else ""


@dataclass(frozen=True)
class Pair:
    """Lines of one schedule and zone, whose DAGs have one timetable.

    Attributes:
        lines: The lines.
        timetable: As the scheduler has it; None when a DAG is missing.
        fault: Why nothing could be compared; empty when it could.
        count: How many starts are equal.
        difference: Where they part; None when they do not.
    """

    lines: tuple[Line, ...]
    timetable: Any
    fault: str = ""
    count: int = 0
    difference: Difference | None = None

    @property
    def ok(self) -> bool:
        """Whether all was compared and equal."""
        return not self.fault and self.difference is None

    def to_json(self) -> dict[str, Any]:
        """Return what `--json` prints of it."""
        first, parts = self.lines[0], self.difference
        return {
            "schedule": first.schedule,
            "timezone": first.timezone,
            "flavour": first.flavour,
            "equal": self.ok,
            "starts": self.count,
            "fault": self.fault or None,
            "first_difference": parts and {"at": parts.at.isoformat(), "daemon": parts.daemon, "dag": parts.dag},
            "lines": [{"file": each.file, "line": each.line, "dag_id": each.dag_id} for each in self.lines],
        }


@click.command("prove")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--full", is_flag=True, help="Compare every start, of schedules with more than 48 a day too.")
@click.option("--years", type=click.IntRange(1, 28), default=5, show_default=True, help="How far to look ahead.")
@click.option("--from", "begin", type=moment, metavar="ISO", help="Where to begin; today when not given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prove_command(folder: Path, full: bool, years: int, begin: datetime | None, as_json: bool) -> None:
    """Compare when the old daemon started each job with when its imported DAG runs.

    DIR is a team's folder, or the repo. Each schedule is looked at once. Up to 48 runs a day every start is compared;
    of denser schedules two days around each change of the clock and 30 weeks in between.

    A line that is started by hand, by decision, must have no schedule.

    Exit code: 0 all are equal, 1 one differs or could not be compared, 2 wrong usage.
    """
    try:
        pairs = [pair for each in _team_folders(folder) for pair in _pairs(each)]
    except CronliftError as error:
        click.echo(f"cronlift: {error}", err=True)
        sys.exit(1)
    done = []
    for pair in _compare_all(pairs, begin or today(), years, full):
        done.append(pair)
        if not as_json:
            _show(pair)
        _progress(len(done), len(pairs))
    good = sum(pair.ok for pair in done)
    lines = sum(len(pair.lines) for pair in done)
    if as_json:
        found = {"judge": JUDGE, "equal": good == len(done), "schedules": [pair.to_json() for pair in done]}
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        starts = sum(pair.count for pair in done)
        click.echo(f"{good} of {len(done)} schedules of {lines} lines are equal; {starts:,} starts in {years} years")
        click.echo(JUDGE)
    sys.exit(0 if good == len(done) else 1)


def _team_folders(folder: Path) -> list[Path]:
    patterns = ("import/report.json", "*/import/report.json", "dags/*/import/report.json")
    found = sorted({path.parent.parent for pattern in patterns for path in folder.glob(pattern)})
    if not found:
        raise CronliftError(
            f"Nothing imported in {folder}: there is no import/report.json. Name a team's folder, such as dags/billing."
        )
    return found


def _pairs(folder: Path) -> list[Pair]:
    """Return what to compare of one team."""
    from cronlift.airflow.dag_times import load_timetables

    lines = _lines(folder / "import/report.json")
    loaded = load_timetables(folder)
    groups: dict[tuple[Any, ...], Pair] = {}
    for line in lines:
        timetable = loaded.timetables.get(line.dag_id)
        told = None if timetable is None else (type(timetable).__name__, json.dumps(timetable.serialize()))
        key = (line.schedule, line.timezone, line.cron_timezone, line.flavour, line.seed, line.by_hand, told)
        fault = "" if timetable is not None else _why_missing(line, loaded.import_errors)
        seen = groups.get(key, Pair((), timetable, fault))
        groups[key] = replace(seen, lines=(*seen.lines, line))
    return list(groups.values())


def _lines(report: Path) -> list[Line]:
    try:
        data = json.loads(report.read_text(encoding="utf-8"))
        entries = [entry for entry in data["lines"] if entry.get("dag_id") and entry.get("schedule")]
        return [
            Line(
                file=entry["file"],
                line=entry["line"],
                dag_id=entry["dag_id"],
                schedule=entry["schedule"],
                timezone=entry["timezone"],
                cron_timezone=entry.get("cron_timezone"),
                flavour=entry.get("flavour") or data["flavour"],
                by_hand=entry.get("schedule_kind") == "manual",
            )
            for entry in entries
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CronliftError(f"{report} cannot be read ({error!r}). Run `cronlift import` again.") from error


def _why_missing(line: Line, import_errors: dict[str, str]) -> str:
    faults = "; ".join(f"{path}: {text.strip().splitlines()[-1]}" for path, text in sorted(import_errors.items()))
    return f"the DAG {line.dag_id} is missing{f' ({faults})' if faults else ''}"


def _compare_all(pairs: list[Pair], begin: datetime, years: int, full: bool) -> Iterator[Pair]:
    """Compare on all processors; a fork has Airflow loaded already."""
    from cronlift.airflow.dag_times import remember_expressions

    workers = min(os.cpu_count() or 1, len(pairs))
    if workers < 2:
        yield from (compare(pair, begin, years, full) for pair in pairs)
        return
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=fork, initializer=remember_expressions) as pool:
        waiting = [pool.submit(compare, pair, begin, years, full) for pair in pairs]
        for each in waiting:
            yield each.result()


def compare(pair: Pair, begin: datetime, years: int, full: bool) -> Pair:
    """Compare one schedule's starts with its DAG's runs.

    Args:
        pair: What to compare.
        begin: Where the years begin.
        years: How many.
        full: Every start, however dense the schedule.
    """
    from cronlift.airflow.dag_times import run_times

    if pair.fault:
        return pair
    line, count = pair.lines[0], 0
    try:
        flavour = Flavour(line.flavour)
        schedule = parse_schedule(line.schedule, flavour, line.seed)
        zone = find_zone(line.timezone)
        cron_zone = find_zone(line.cron_timezone) if line.cron_timezone else None
        zones = [each for each in (zone, cron_zone) if each is not None]
        for part in stretches(schedule, zones, begin, years, full):
            first, last = to_minute(part.after) + 1, to_minute(part.until) + 1
            starts = fire_minutes(schedule, zone, first - QUEUE_MINUTES, last, flavour, cron_zone)
            daemon = a_second_apart(() if line.by_hand else starts, first * 60, to_minute(part.until) * 60)
            dag = (int(each.timestamp()) for each in run_times(pair.timetable, part.after, part.until, part.warm_up))
            equal, difference = first_difference(daemon, dag)
            count += equal
            if difference is not None:
                return replace(pair, count=count, difference=difference)
    except (CronliftError, ValueError) as error:
        return replace(pair, fault=str(error))
    return replace(pair, count=count)


def _show(pair: Pair) -> None:
    line, parts = pair.lines[0], pair.difference
    mark = click.style("✓", fg="green") if pair.ok else click.style("✗", fg="red")
    more = f" and {len(pair.lines) - 1} more" if len(pair.lines) > 1 else ""
    if pair.fault:
        said = pair.fault
    elif parts is not None:
        said = f"first difference {parts.at.isoformat()}: the daemon starts it {parts.daemon}x, the DAG {parts.dag}x"
    elif line.by_hand:
        said = "started by hand, by decision; the DAG has no schedule"
    else:
        said = f"equal, {pair.count:,} starts"
    zone = f"{line.cron_timezone} (CRON_TZ)" if line.cron_timezone else line.timezone
    click.echo(f"{mark} {line.file}:{line.line}{more}  {line.schedule}  {zone}: {said}")


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {of} schedules{' ' if done < of else chr(10)}")
        sys.stderr.flush()
