"""CODEOWNERS from teams.yaml: who must approve a change of a team's folder.

The file has two parts. What stands above the mark belongs to people, above all the platform's owners of the rest;
what stands below it is generated, and comes last, because the last line that matches decides. Source:
https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
"""

from collections.abc import Mapping

from cronlift.teams.model import TeamEntry

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, in this order; GitLab knows the root, docs/ and .gitlab/."""

MARK = "# Below: written by `cronlift teams` from teams.yaml; change that file, not these lines."
_HEAD = """\
# Who reviews what. The last line that matches a file decides.
# Above the mark: yours. The platform's owners review whatever belongs to no team, this file and teams.yaml too.
* {platform}

"""


def codeowners(teams: Mapping[str, TeamEntry], before: str | None, platform: str = "@platform") -> str:
    """Return what CODEOWNERS should be.

    Args:
        teams: By name; a team with a repository of its own has its reviewers there.
        before: What the file is now, whose first part is kept; None when there is none.
        platform: Reviewers of the rest, in a new file.
    """
    head = _HEAD.format(platform=platform) if before is None else _people_part(before)
    lines = [f"{pattern} {' '.join(team.owners)}" for team in _own(teams) for pattern in _patterns(team.path)]
    return "\n".join([head + MARK, *lines]) + "\n"


def _people_part(text: str) -> str:
    head, mark, _ = text.partition(MARK)
    if mark:
        return head
    return f"{text.rstrip()}\n\n" if text.strip() else ""


def _own(teams: Mapping[str, TeamEntry]) -> list[TeamEntry]:
    """Return the teams of this repository, outer folders before inner ones."""
    return sorted((team for team in teams.values() if team.repo is None), key=lambda team: team.path.split("/"))


def _patterns(path: str) -> list[str]:
    """Return a folder and, for one below `dags/`, that of the tests of its DAGs."""
    if path == ".":
        return ["*"]
    return [f"/{path}/", *([f"/tests/{path}/"] if path.startswith("dags/") else [])]
