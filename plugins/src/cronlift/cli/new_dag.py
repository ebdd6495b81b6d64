"""`cronlift new dag`: a DAG, its Job and its test."""

import re
from pathlib import Path

import click
import yaml

from cronlift.authoring.names import dag_name_faults, unknown_team_faults, zone_faults
from cronlift.authoring.new_dag import NewDag
from cronlift.cli.new import existing_faults, refuse, refusing, report, write_files
from cronlift.cli.repository import load_teams, need_root
from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.model import Flavour
from cronlift.errors import AuthoringError, ScheduleError
from cronlift.teams.model import TeamEntry


@click.command("dag")
@click.argument("team")
@click.argument("name")
@click.option("--schedule", "cron", default="0 6 * * *", show_default=True, help="When it runs: five cron fields.")
@click.option("--timezone", "zone", default="UTC", show_default=True, help="Whose clock the schedule means.")
@click.option("--image", default="legacy", show_default=True, help="Job image, one of the environments' jobImages.")
@click.option("--root", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The repository.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, written, changed, next.")
def new_dag_command(team: str, name: str, cron: str, zone: str, image: str, root: Path | None, as_json: bool) -> None:
    """Write the DAG NAME of TEAM: dags/TEAM/NAME.py, its Job in jobs/NAME.yaml, and a test of both.

    Exit code: 0 well, 1 refused with every fault and nothing written, 2 wrong usage.
    """
    with refusing(as_json=as_json):
        folder = need_root(root or Path.cwd())
        teams = load_teams(folder)
        faults = dag_name_faults(name) + unknown_team_faults(team, teams) + _schedule_faults(cron) + zone_faults(zone)
        faults += _image_faults(folder, image) + _repository_faults(teams.get(team))
        path = teams[team].path if team in teams else f"dags/{team}"
        dag = NewDag(team, path, name, " ".join(cron.split()), zone, image)
        refuse(faults or existing_faults(folder, dag.files()))
        write_files(folder, dag.files())
    report(list(dag.files()), [], f"edit {path}/jobs/{name}.yaml, then cronlift check {path}", as_json=as_json)


def _schedule_faults(cron: str) -> list[AuthoringError]:
    try:
        parse_schedule(" ".join(cron.split()), Flavour.DEBIAN)
    except ScheduleError as error:
        return [AuthoringError(error.what, cure=error.cure)]
    return []


def _repository_faults(team: TeamEntry | None) -> list[AuthoringError]:
    if team is None or team.repo is None:
        return []
    cure = f"Write the DAG there, in {team.path}; `cronlift check --help` says how it is checked."
    return [AuthoringError(f"team {team.name!r} has a repository of its own, {team.repo!r}", cure=cure)]


def _image_faults(root: Path, image: str) -> list[AuthoringError]:
    known = known_images(root)
    if image in known:
        return []
    cure = f"Known: {', '.join(sorted(known)) or 'none'}. Add it there first, as `{image}: repository:tag`."
    return [AuthoringError(f"no environment has a job image {image!r}", where="charts/environments", cure=cure)]


def known_images(root: Path) -> set[str]:
    """Return the names of job images: those of the environments, and folders of images/, which a laptop builds."""
    names = {file.parent.name for file in (root / "images").glob("*/Dockerfile")} - {"airflow"}
    for file in (root / "charts/environments").glob("*.yaml"):
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        names |= set(values.get("jobImages") or {}) if isinstance(values, dict) else set()
    return {name for name in names if re.fullmatch("[a-z][a-z0-9_-]*", str(name))}
