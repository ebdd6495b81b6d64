"""What the bundle would refuse after the merge, told before it: by the bundle's own rules, in its words."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from cronlift.bundle.judgement import collapse, marker_of
from cronlift.bundle.manifest import dag_files
from cronlift.bundle.tree import content_fault
from cronlift.checks.model import Fault
from cronlift.checks.of_dags import CURES
from cronlift.cli.base_tree import files_at
from cronlift.cli.checked_tree import Change, CheckedTree
from cronlift.teams.model import TeamEntry

_CHECK = "deliverable"


def deliverable(tree: CheckedTree, teams: Sequence[str], change: Change | None) -> Iterator[Fault]:
    """Yield what of some teams' folders no bundle takes over.

    Args:
        tree: The repository.
        teams: Names of teams whose whole folders are checked.
        change: What is checked; None for the repository as it is, and then nobody knows what was deleted.

    Raises:
        AuthoringError: git cannot tell what the base had.
    """
    for name in teams:
        team, paths = tree.teams[name], tree.listed_in(tree.teams[name].path)
        yield from _unfit(tree.root, team, paths)
        if change is not None:
            yield from _vanished(tree.root, team, paths, change)


def leads_astray(tree: CheckedTree, team: str) -> bool:
    """Tell whether a link that is refused leads to a folder: Airflow would walk on there, and maybe without end."""
    entry = tree.teams[team]
    links = [path for path in tree.listed_in(entry.path) if (tree.root / path).is_symlink()]
    return any((tree.root / each.file).is_dir() for each in _unfit(tree.root, entry, links))


def _unfit(root: Path, team: TeamEntry, paths: Sequence[str]) -> Iterator[Fault]:
    for path in paths:
        below = PurePosixPath(path).relative_to(team.path).as_posix()
        if what := content_fault(root / team.path, below):
            yield Fault(path, 0, _CHECK, what, CURES[_CHECK])


def _vanished(root: Path, team: TeamEntry, paths: Sequence[str], change: Change) -> Iterator[Fault]:
    """Compare with the team's folder at the base, which may have been another one: the bundle keeps its name."""
    old = team if change.before is None else change.before.get(team.name)
    if old is None or old.repo is not None:
        return
    had, left = dag_files(files_at(root, change.commit, old.path)), dag_files(paths)
    gone = collapse(len(had), len(left), team.path, is_gits=True)
    marker = marker_of(team.path)
    if gone and not (marker in change.files and marker in paths):
        what, cure = gone
        yield Fault(team.path, 0, _CHECK, what, f"{cure}.")
