"""`cronlift teams`: read teams.yaml strictly, and write what is generated from it."""

import json
import sys
from pathlib import Path

import click

from cronlift.cli.repository import drift, load_teams, need_root, said, write_codeowners
from cronlift.errors import TeamsFileError


@click.command("teams")
@click.option("--root", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The repository.")
@click.option("--check", is_flag=True, help="Change nothing; say what does not agree with teams.yaml, and exit 1.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, teams, faults, written.")
def teams_command(root: Path | None, check: bool, as_json: bool) -> None:
    """Check teams.yaml by the chart's schema and generate CODEOWNERS from it.

    Exit code: 0 well, 1 a fault was found, 2 wrong usage.
    """
    written: list[str] = []
    names: list[str] = []
    try:
        folder = need_root(root or Path.cwd())
        teams = load_teams(folder)
        names = list(teams)
        if not check and (file := write_codeowners(folder, teams)):
            written = [file.relative_to(folder).as_posix()]
        if faults := drift(folder, teams):
            raise TeamsFileError.all_of(faults)
    except TeamsFileError as error:
        if as_json:
            click.echo(json.dumps({"ok": False, "teams": names, "faults": said(error), "written": written}, indent=2))
        else:
            click.echo(f"cronlift: {error}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps({"ok": True, "teams": names, "faults": [], "written": written}, indent=2))
        return
    mark = click.style("✓", fg="green")
    for each in written:
        click.echo(f"{mark} Wrote {each}")
    click.echo(f"{mark} teams.yaml: {len(names)} team{'s' if len(names) != 1 else ''}, nothing differs from it")
