"""What is wrong with the files beside the DAGs, told from lists of paths."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from cronlift.checks.catalogue import CHECKS
from cronlift.checks.model import Fault
from cronlift.facts.model import FileFacts
from cronlift.job.sources import FILE_SUFFIXES
from cronlift.teams.model import TeamEntry, team_of

_CURES = {check.id: check.cure for check in CHECKS}
_DAGS = "dags"
_DAG_SUFFIXES = (".py", ".yaml")
"""DAG files and their manifests; a README or .airflowignore may lie anywhere."""


def orphans(paths: Iterable[str], files: Collection[FileFacts]) -> Iterator[Fault]:
    """Yield the manifests that no task uses.

    Args:
        paths: Every file of the folders that were parsed, from the root.
        files: Facts of all their DAG files; where a file of a team does not import, nothing is said of that team.
    """
    used = {name for file in files for dag in file.dags for task in dag.tasks for name in task.files}
    unsure = {_folder(file.path) for file in files if any(each.kind != "advice" for each in file.findings)}
    for path in sorted(set(paths) - used):
        parts = PurePosixPath(path).parts
        if "jobs" not in parts[:-1] or not path.endswith(FILE_SUFFIXES):
            continue
        base = "/".join(parts[: parts.index("jobs")])
        if base not in unsure:
            yield Fault(path, 0, "orphan-manifest", "no task uses this manifest", _CURES["orphan-manifest"])


def without_team(paths: Iterable[str], teams: Mapping[str, TeamEntry]) -> Iterator[Fault]:
    """Yield the folders below `dags/` that hold Python files and are no team's, and such files in `dags/` itself.

    Args:
        paths: Every file of the repository, from the root.
        teams: By name.
    """
    told = set()
    for path in sorted(paths):
        parts = PurePosixPath(path).parts
        if parts[0] != _DAGS or not path.endswith(_DAG_SUFFIXES) or team_of(path, teams) is not None:
            continue
        if len(parts) == 2:
            yield Fault(path, 0, "no-team", f"{path} is in no team's folder", "Move it into a team's folder.")
            continue
        folder = "/".join(parts[:2])
        if path.endswith(".py") and folder not in told:
            told.add(folder)
            yield Fault(path, 0, "no-team", f"the folder {folder} is no team's", _CURES["no-team"])


def _folder(path: str) -> str:
    return str(PurePosixPath(path).parent)
