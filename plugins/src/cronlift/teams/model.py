"""What teams.yaml says of a team."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

FILE_NAME = "teams.yaml"


@dataclass(frozen=True)
class TeamEntry:
    """One entry of teams.yaml.

    Args:
        name: Of the team, of its bundle, and the prefix of its DAG ids.
        namespace: Where its Jobs run.
        path: Its folder in its repository; a dot for all of it.
        owners: Reviewers of the folder.
        repo: Its repository, one of the chart's `repositories`; None for this one.
        line: Line of its name in teams.yaml.
        settings: Every key as written, these too.
    """

    name: str
    namespace: str
    path: str
    owners: tuple[str, ...]
    repo: str | None = None
    line: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def holds(self, file: str) -> bool:
        """Tell whether a file of this repository, relative to its root, lies in the team's folder."""
        return self.repo is None and PurePosixPath(file).is_relative_to(self.path)


def team_of(file: str, teams: Mapping[str, TeamEntry]) -> TeamEntry | None:
    """Return the team whose folder a file lies in, the innermost one where folders are nested.

    Args:
        file: Relative to the repository's root, with slashes.
        teams: By name.

    Returns:
        None when the file is no team's, or its team's folder is in another repository.
    """
    found = [team for team in teams.values() if team.holds(file)]
    return max(found, key=lambda team: len(PurePosixPath(team.path).parts), default=None)
