"""`cronlift diff`: what a change does to DAGs, before it is merged."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import click

from cronlift.cli.base_tree import changed_files, merge_base, write_tree
from cronlift.cli.environments import ENVIRONMENTS, read_environment
from cronlift.cli.new import refusing
from cronlift.cli.repository import load_teams, need_root
from cronlift.diff.compare import compare
from cronlift.diff.job_images import with_images
from cronlift.diff.markdown import as_markdown
from cronlift.diff.model import Diff, Side
from cronlift.diff.text import as_text
from cronlift.errors import AuthoringError
from cronlift.facts.model import FileFacts
from cronlift.teams.model import FILE_NAME, TeamEntry
from cronlift.teams.read import SCHEMA_FILE, read_teams

_HOURS = 24.0


@click.command("diff")
@click.option("--base", default="origin/main", show_default=True, help="What to compare with: a branch, tag or commit.")
@click.option("--env", "environment", default="production", show_default=True, help="Whose jobImages count.")
@click.option("--at", help="The moment from which next runs are told, ISO 8601. [default: now]")
@click.option("--root", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The repository.")
@click.option("--team", help="The team, in a repository of its own without teams.yaml.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for the summary of a CI job or a comment.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def diff_command(
    base: str,
    environment: str,
    at: str | None,
    root: Path | None,
    team: str | None,
    markdown: bool,
    as_json: bool,
) -> None:
    """Tell what this branch, uncommitted edits too, changes for DAGs, tasks, schedules, images, resources and owners.

    Only the folders of teams that the change can affect are read. Nothing is changed, and no cluster is asked.

    Exit code: 0 well, 1 the teams or the environment cannot be read, 2 wrong usage, such as a base that is no commit.
    """
    if markdown and as_json:
        raise click.UsageError("--markdown and --json exclude each other.")
    moment = _moment(at)
    with refusing(as_json=as_json):
        start = root or Path.cwd()
        folder = start.resolve() if team else need_root(start)
        _need_base(folder, base)
        found = diff_trees(folder, base, environment, moment, team)
    if as_json:
        click.echo(json.dumps({"ok": True, **found.to_json()}, indent=2, ensure_ascii=False))
    else:
        click.echo(as_markdown(found) if markdown else as_text(found), nl=False)


def diff_trees(root: Path, base: str, environment: str, at: datetime, team: str | None = None) -> Diff:
    """Compare a working tree with where its branch left a commit.

    Args:
        root: The platform's repository, or a team's.
        base: The commit, in git's words.
        environment: Whose job images count.
        at: The moment from which next runs are told, aware.
        team: Whose repository it is, all of it DAGs; None for the platform's, whose teams.yaml tells.

    Raises:
        AuthoringError: The base cannot be read.
        TeamsFileError: teams.yaml cannot be read, here or there.
    """
    commit = merge_base(root, base)
    changed = changed_files(root, commit)
    own = {team: TeamEntry(team, f"team-{team}", ".", ())} if team else None
    teams = own or load_teams(root)
    with tempfile.TemporaryDirectory(prefix="cronlift-base-") as folder:
        before = Path(folder).resolve()
        write_tree(root, commit, [FILE_NAME, SCHEMA_FILE, ENVIRONMENTS], before)
        old_teams = own or _old_teams(before, root)
        old_images, new_images = _images(before, environment), _images(root, environment)
        differing = affected(changed, old_teams, teams)
        # Job images are put in afterwards, so the same files need to be parsed for one side only.
        chosen = affected(changed, old_teams, teams, all_of_them=True) if old_images != new_images else differing
        write_tree(root, commit, [old_teams[name].path for name in differing if name in old_teams], before)
        with ThreadPoolExecutor(2) as pool:  # each waits for processes of its own
            workers = 1 if differing else 2
            old = pool.submit(_facts, before, old_teams, differing, at, workers)
            new = pool.submit(_facts, root, teams, chosen, at, workers)
            found = new.result()
            same = [file for file in found if file.team not in differing]
            before_side = Side(with_images([*old.result(), *same], old_images), old_teams)
            after_side = Side(with_images(found, new_images), teams)
    return compare(base, before_side, after_side, chosen, at)


def affected(
    changed: Sequence[str],
    before: Mapping[str, TeamEntry],
    after: Mapping[str, TeamEntry],
    *,
    all_of_them: bool = False,
) -> list[str]:
    """Return the teams of this repository whose DAGs a change may make others.

    Args:
        changed: Files that differ, from the root.
        before: The base's teams.
        after: The working tree's.
        all_of_them: Whether something changed that all share, the job images.
    """
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        own = [team for team in (old, new) if team is not None and team.repo is None]
        differs = (old.settings if old else None) != (new.settings if new else None)
        if own and (all_of_them or differs or any(team.holds(file) for team in own for file in changed)):
            found.append(name)
    return found


def _old_teams(before: Path, root: Path) -> dict[str, TeamEntry]:
    """Return the base's teams; none where it had no teams.yaml yet. The schema is today's where the base has none."""
    if not (before / FILE_NAME).is_file():
        return {}
    schema = before / SCHEMA_FILE if (before / SCHEMA_FILE).is_file() else root / SCHEMA_FILE
    return read_teams(
        (before / FILE_NAME).read_text(encoding="utf-8"), json.loads(schema.read_text()), "base: teams.yaml"
    )


def _facts(
    root: Path, teams: Mapping[str, TeamEntry], chosen: Sequence[str], at: datetime, workers: int
) -> list[FileFacts]:
    from cronlift.airflow.facts_pool import Bundle, load_facts

    bundles = [
        Bundle(name, root / teams[name].path, teams[name].settings)
        for name in chosen
        if name in teams and (root / teams[name].path).is_dir()
    ]
    return load_facts(root, bundles, at=at, hours=_HOURS, workers=workers) if bundles else []


def _images(root: Path, environment: str) -> dict[str, str]:
    """Return an environment's job images; none where there is no such environment."""
    file = root / ENVIRONMENTS / f"{environment}.yaml"
    return read_environment(root, file).job_images if file.is_file() else {}


def _need_base(root: Path, base: str) -> None:
    """Refuse a base that is no commit as wrong usage, as `cronlift check` does."""
    try:
        merge_base(root, base)
    except AuthoringError as error:
        raise click.UsageError(str(error)) from error


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC).replace(second=0, microsecond=0)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"--at {text!r} is no time such as 2026-11-28T12:00:00+00:00.") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
