"""What a change can affect, told from the paths that it touches: nobody waits for the DAGs of others."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

from cronlift.teams.model import FILE_NAME, TeamEntry, team_of

SHARED = (
    *("plugins/src/*", "plugins/pyproject.toml", "uv.lock", "versions.env"),  # what DAG files import, and the checks
    "images/airflow/*",  # the packages and settings that they are imported with
    "pyproject.toml",  # ruff's settings
    *("charts/cronlift/values.schema.json", "charts/environments/*"),  # what a team may say, and the job images
)
"""Paths whose change can affect the DAGs of every team. An image's own folder is not among them: its name is."""


@dataclass(frozen=True)
class Scope:
    """What to check.

    Attributes:
        teams: Names of the teams whose folders to check; None for all.
        reasons: Team, or "" for all -> the first path that it is for.
    """

    teams: frozenset[str] | None
    reasons: Mapping[str, str]

    def holds(self, team: str) -> bool:
        """Tell whether a team's folder is to be checked."""
        return self.teams is None or team in self.teams


def affected(changed: Collection[str], before: Mapping[str, TeamEntry] | None, after: Mapping[str, TeamEntry]) -> Scope:
    """Tell what a change can affect.

    Args:
        changed: The paths that it touches, from the root: added, changed, deleted, both names of a renamed file.
        before: The teams at the base; None where they cannot be read there.
        after: The teams now.

    Returns:
        A team's folder is affected by any file in it, since modules import each other and DAGs render manifests; and
        by its own entry in teams.yaml. Something that all share affects all.
    """
    reasons: dict[str, str] = {}
    for path in sorted(changed):
        if any(fnmatch(path, pattern) for pattern in SHARED):
            return Scope(None, {"": path})
        if path == FILE_NAME:
            if before is None:
                return Scope(None, {"": path})
            reasons |= {name: path for name in after if _said(before, name) != _said(after, name)}
        elif (team := team_of(path, after)) is not None:
            reasons.setdefault(team.name, path)
    return Scope(frozenset(reasons), reasons)


def _said(teams: Mapping[str, TeamEntry], name: str) -> object:
    return teams[name].settings if name in teams else None
