"""`cronlift fires`: when a crontab line started its job, or when a DAG will run."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from cronlift.crontab.fires import fire_times
from cronlift.crontab.model import Flavour, Source
from cronlift.crontab.one_line import read_schedule
from cronlift.crontab.zones import find_zone
from cronlift.errors import CronliftError, ScheduleError

_YEARS = range(1900, 2400)
"""For which the zones' changes of the clock are computed."""


def moment(value: str) -> datetime:
    """Read an ISO 8601 time of the command line; without an offset it is UTC."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is no ISO 8601 time; a good one is 2026-03-29T00:00:00Z") from error
    if found.year not in _YEARS:
        raise click.BadParameter(f"{value!r} is not between {_YEARS[0]} and {_YEARS[-1]}")
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


@click.command("fires")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--line", type=click.IntRange(min=1), metavar="N", help="The line of FILE, from 1.")
@click.option(
    "--flavour",
    type=click.Choice([each.value for each in Flavour]),
    default="debian",
    show_default=True,
    help="Daemon.",
)
@click.option("--timezone", metavar="ZONE", help="The old server's time zone, for example Europe/Paris.")
@click.option("--seed", default="", help="For cronie's a~b: the DAG id, which draws the same as the import does.")
@click.option("--dag", metavar="DAG_ID", help="Ask a DAG instead of a line.")
@click.option("--dags", type=click.Path(exists=True, path_type=Path), metavar="DIR", help="Where its file is.")
@click.option(
    "--from", "after", required=True, type=moment, metavar="ISO", help="Later than this time; UTC without an offset."
)
@click.option(
    "--to", "until", required=True, type=moment, metavar="ISO", help="Not later than this time; UTC without an offset."
)
def fires_command(
    file: Path | None,
    line: int | None,
    flavour: str,
    timezone: str | None,
    seed: str,
    dag: str | None,
    dags: Path | None,
    after: datetime,
    until: datetime,
) -> None:
    """Print when a line of FILE started its job, or when a DAG runs: UTC, a time a line.

    A time at which the daemon starts the job twice is printed twice; @reboot has none, which a note says. Only the time
    fields count, whatever is wrong with the rest of the line or of the file; of a job that was commented out too, which
    a note says.

    Exit code: 0 well, 1 the line has no schedule or the DAG cannot be loaded, 2 wrong usage.
    """
    try:
        if dag is not None:
            if dags is None or file is not None or line is not None:
                raise click.UsageError("--dag goes with --dags DIR, and without FILE and --line.")
            times = _of_dag(dag, dags, after, until)
        else:
            if file is None or line is None or timezone is None or dags is not None:
                raise click.UsageError("Say FILE --line N --timezone ZONE, or --dag DAG_ID --dags DIR.")
            times = _of_line(file, line, Flavour(flavour), timezone, seed, after, until)
        for each in times:
            sys.stdout.write(f"{each.isoformat()}\n")
    except CronliftError as error:
        click.echo(f"cronlift: {error}", err=True)
        sys.exit(1)


def _of_line(
    file: Path, line: int, flavour: Flavour, timezone: str, seed: str, after: datetime, until: datetime
) -> Iterator[datetime]:
    zone = find_zone(timezone)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CronliftError(f"Cannot read {file}: {error.strerror}") from error
    found = read_schedule(Source(str(file), content), line, flavour, seed)
    if found.schedule.reboot:
        click.echo(f"{file}:{line}: @reboot starts with the machine, at no time of the clock", err=True)
    if found.note:
        click.echo(f"{file}:{line}: {found.note}", err=True)
    try:
        cron_zone = find_zone(found.cron_zone_name) if found.cron_zone_name else None
    except ScheduleError as error:
        raise CronliftError(f"{file}:{line}: CRON_TZ above it is wrong: {error}") from error
    for warning in found.schedule.warnings:
        click.echo(f"{file}:{line}: {warning}", err=True)
    return fire_times(found.schedule, zone, after, until, flavour, cron_zone)


def _of_dag(dag_id: str, folder: Path, after: datetime, until: datetime) -> Iterator[datetime]:
    from cronlift.airflow.dag_times import load_timetables, run_times

    loaded = load_timetables(folder)
    if dag_id not in loaded.timetables:
        faults = "".join(f"\n{path}: {text.strip()}" for path, text in sorted(loaded.import_errors.items()))
        known = ", ".join(sorted(loaded.timetables)) or "none"
        raise CronliftError(f"There is no DAG {dag_id!r} in {folder}. Its DAGs: {known}.{faults}")
    return (each.astimezone(UTC).replace(microsecond=0) for each in run_times(loaded.timetables[dag_id], after, until))
