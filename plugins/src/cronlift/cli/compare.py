"""`cronlift compare`: whether Jobs end, last and print as their lines did on the old host.

Results go to stdout. Exit codes: 0 nothing differs, 1 something does, 2 wrong usage.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cronlift.cli.import_files import read_team
from cronlift.crontab.report import FILE_NAME as REPORT_JSON
from cronlift.crontab.report import read_report
from cronlift.crontab.runs import Run, compare_runs, read_runs
from cronlift.crontab.write import IMPORT_FOLDER
from cronlift.crontab.zones import find_zone
from cronlift.errors import CronliftError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("compare")
@click.option("--old", "old_files", type=_FILE, multiple=True, required=True, help="A log of the old host; repeatable.")
@click.option("--new", "new_files", type=_FILE, multiple=True, required=True, help="Logs of the Jobs; repeatable.")
@click.option("--team", required=True, help="Whose DAGs they are.")
@click.option("--repo", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", show_default=True,
              metavar="DIR", help="The repository's root.")  # fmt: skip
@click.option("--group", help="Only the lines of this group.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare_command(
    old_files: Sequence[Path], new_files: Sequence[Path], team: str, repo: Path, group: str | None, as_json: bool
) -> None:
    """Compare exit codes, times and output of the old runs with those of the Jobs.

    Old logs are those of the measuring shell (see docs/cutover.md) or cron's own, which tells only that a job ran. New
    logs hold cronrun's last lines or termination messages.

    Exit code: 0 nothing differs, 1 something does, 2 wrong usage.
    """
    try:
        path = repo / read_team(repo, team).folder / IMPORT_FOLDER / REPORT_JSON
        report = read_report(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError as error:
        raise click.UsageError(f"{error.filename} is not there. Import the crontabs of team {team} first.") from error
    except CronliftError as error:
        click.echo(f"cronlift: {error}", err=True)
        sys.exit(1)
    zone = find_zone(report["timezone"])
    lines = [line for line in report["lines"] if group in (None, line["group"])]

    def runs_in(files: Sequence[Path]) -> list[Run]:
        texts = (each.read_bytes().decode("utf-8", "replace") for each in files)
        return [run for text in texts for run in read_runs(text, lines, report["groups"], zone)]

    found = compare_runs(runs_in(old_files), runs_in(new_files))
    differing = [each for each in found if each.differences]
    if as_json:
        click.echo(json.dumps([each.to_json() for each in found], indent=2))
    else:
        for each in found:
            mark = click.style("✗", fg="red") if each.differences else click.style("✓", fg="green")
            click.echo(f"{mark} {each.id}: {each.old} old runs, {each.new} new. {' '.join(each.differences)}".rstrip())
    click.echo(f"{len(found) - len(differing)} of {len(found)} jobs are as they were", err=True)
    if not found:
        click.echo("cronlift: no run of an imported line is in these logs", err=True)
    sys.exit(1 if differing or not found else 0)
