"""`cronlift new team`: its entry in teams.yaml, its folder, its reviewers."""

from pathlib import Path

import click

from cronlift.authoring.names import owner_faults, team_name_faults
from cronlift.authoring.new_team import README, add_team
from cronlift.cli.new import existing_faults, refuse, refusing, report, write_files
from cronlift.cli.repository import codeowners_file, load_schema, load_teams, need_root, write_codeowners
from cronlift.errors import AuthoringError
from cronlift.teams.model import FILE_NAME
from cronlift.teams.read import read_teams


@click.command("team")
@click.argument("name")
@click.option("--owner", "owners", multiple=True, help="A reviewer; repeatable. [default: @NAME]")
@click.option("--namespace", help="Where its Jobs run. [default: team-NAME]")
@click.option("--root", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The repository.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, written, changed, next.")
def new_team_command(
    name: str, owners: tuple[str, ...], namespace: str | None, root: Path | None, as_json: bool
) -> None:
    """Add the team NAME: to teams.yaml, as the folder dags/NAME, and to CODEOWNERS.

    Exit code: 0 well, 1 refused with every fault and nothing written, 2 wrong usage.
    """
    with refusing(as_json=as_json):
        folder = need_root(root or Path.cwd())
        written, changed = _add(folder, name, owners or (f"@{name}",), namespace or f"team-{name}")
    report(written, changed, f"make new-dag TEAM={name} NAME=send_invoices", as_json=as_json)


def _add(root: Path, name: str, owners: tuple[str, ...], namespace: str) -> tuple[list[str], list[str]]:
    """Do it; return the files that are new, and those that were changed."""
    path = f"dags/{name}"
    files = {f"{path}/README.md": README.format(team=name, path=path, namespace=namespace)}
    known = load_teams(root)
    faults = team_name_faults(name) + owner_faults(owners)
    if name in known:
        where = f"{FILE_NAME}:{known[name].line}"
        faults.append(AuthoringError(f"the team {name!r} is there already", where=where, cure="Choose another name."))
    refuse(faults + existing_faults(root, files))
    text = (root / FILE_NAME).read_text(encoding="utf-8")
    after = add_team(text, name, namespace, path, owners)
    teams = read_teams(after, load_schema(root))  # the new entry must fit the schema and the other teams, too
    write_files(root, files)
    (root / FILE_NAME).write_text(after, encoding="utf-8")
    was_there = codeowners_file(root).is_file()
    owners_file = write_codeowners(root, teams)
    names = [owners_file.relative_to(root).as_posix()] if owners_file else []
    return [*files, *([] if was_there else names)], [FILE_NAME, *(names if was_there else [])]
