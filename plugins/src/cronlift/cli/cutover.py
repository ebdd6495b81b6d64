"""`cronlift cutover`: move a group of lines from the old crontab to Airflow, and back.

The new crontab's difference goes to stdout. Exit codes: 0 well, 1 something does not fit, 2 wrong usage.
"""

import difflib
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from cronlift.cli.fires import moment
from cronlift.cli.import_files import read_team, read_texts
from cronlift.crontab.cutover import migrate_lines, restore_lines
from cronlift.crontab.decisions import FILE_NAME, STATES, read_decisions
from cronlift.crontab.decisions_edit import set_group
from cronlift.crontab.plan import utc_midnight_after
from cronlift.crontab.report import FILE_NAME as REPORT_JSON
from cronlift.crontab.report import read_report
from cronlift.crontab.secrets import mask
from cronlift.crontab.write import IMPORT_FOLDER
from cronlift.errors import CronliftError, CrontabError


@click.command("cutover")
@click.argument("state", type=click.Choice(list(STATES)))
@click.argument("group")
@click.option("--team", required=True, help="Whose DAGs they are.")
@click.option("--repo", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", show_default=True,
              metavar="DIR", help="The repository's root.")  # fmt: skip
@click.option("--at", "start", type=moment, metavar="ISO", help="When; the next midnight, UTC, by default.")
@click.option("--crontab", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="The old crontab, as it is now.")  # fmt: skip
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Where the changed crontab goes; FILE.new by default.")  # fmt: skip
def cutover_command(
    state: str, group: str, team: str, repo: Path, start: datetime | None, crontab: Path | None, output: Path | None
) -> None:
    """Set a GROUP's STATE in decisions.yaml, and write the crontab that goes with it.

    live: its Jobs run from --at on, and its lines in the crontab become #MIGRATED lines. rolled-back: the lines are as
    they were, byte by byte, and its Jobs run nothing. shadow: as after the import. The next `cronlift import` applies
    the state to the DAGs.

    Exit code: 0 well, 1 the crontab is not the one that was imported, 2 wrong usage.
    """
    if output is not None and crontab is None:
        raise click.UsageError("--output goes with --crontab FILE.")
    begin = start or utc_midnight_after(datetime.now(UTC))
    try:
        folder = repo / read_team(repo, team).folder / IMPORT_FOLDER
        decisions, report = folder / FILE_NAME, folder / REPORT_JSON
        texts = read_texts([decisions, report])
        if len(texts) < 2:
            raise CrontabError(f"nothing of team {team} was imported", where=str(folder), cure="Import it first.")
        found = read_report(texts[report], str(report))
        before = read_decisions(texts[decisions], str(decisions))
        if group not in found["groups"] or group not in before.groups:
            known = ", ".join(sorted(set(found["groups"]) & set(before.groups))) or "none"
            raise CrontabError(f"there is no group {group!r}", where=str(decisions), cure=f"Groups: {known}.")
        # A rollback leaves the start alone, so that its runs stay those of the same DAG.
        when = begin if state == "live" else before.groups[group].start
        text = set_group(texts[decisions], group, state, when)
        written = _crontab(crontab, output, state, group, found, when)
        decisions.write_text(text, encoding="utf-8")
    except OSError as error:
        click.echo(f"cronlift: {error.filename} cannot be read or written: {error.strerror}", err=True)
        sys.exit(1)
    except CronliftError as error:
        click.echo(f"cronlift: {error}", err=True)
        sys.exit(1)
    click.echo(f"Group {group} is {state}" + (f" from {when.isoformat()}" if state == "live" else ""), err=True)
    for line in written:
        click.echo(line, err=True)
    click.echo("Next: the same `cronlift import` as before, which applies it to the DAGs; then commit", err=True)


def _crontab(
    crontab: Path | None, output: Path | None, state: str, group: str, report: dict[str, object], when: datetime
) -> list[str]:
    """Write the changed crontab and show its difference; return what to say."""
    if crontab is None:
        return []
    content = crontab.read_bytes()
    lines = [line for line in report["lines"] if line["group"] == group and line["dag_id"]]  # type: ignore[attr-defined]
    if state == "live":
        wanted = {int(line["line"]): (str(line["dag_id"]), str(line["raw"])) for line in lines}
        changed = migrate_lines(content, wanted, f"{when:%Y-%m-%d}", str(crontab))
    else:
        changed = restore_lines(content, {str(line["dag_id"]) for line in lines})
    target = output or crontab.with_name(f"{crontab.name}.new")
    target.write_bytes(changed.content)
    before, after = (each.decode("utf-8", "backslashreplace").splitlines() for each in (content, changed.content))
    for line in difflib.unified_diff(before, after, str(crontab), str(target), lineterm="", n=1):
        click.echo(mask(line))
    return [f"{len(changed.lines)} lines of {crontab} are changed in {target}: install it on the old host at that time"]
