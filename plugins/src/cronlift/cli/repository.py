"""The platform's repository as the commands find it: its root, its teams.yaml, its CODEOWNERS."""

import json
from pathlib import Path
from typing import Any

from cronlift.errors import FaultError, TeamsFileError
from cronlift.teams import codeowners
from cronlift.teams.model import FILE_NAME, TeamEntry
from cronlift.teams.read import SCHEMA_FILE, read_teams


def find_root(start: Path) -> Path | None:
    """Return the nearest folder, from one upwards, that holds teams.yaml; None when there is none."""
    folder = start.resolve()
    return next((each for each in (folder, *folder.parents) if (each / FILE_NAME).is_file()), None)


def need_root(start: Path) -> Path:
    """Return the nearest folder, from one upwards, that holds teams.yaml.

    Raises:
        TeamsFileError: There is none.
    """
    if (root := find_root(start)) is not None:
        return root
    raise TeamsFileError(
        f"there is no {FILE_NAME} in this folder or above it",
        where=str(start.resolve()),
        cure="Go into the platform's repository, or name it with --root.",
    )


def load_teams(root: Path) -> dict[str, TeamEntry]:
    """Return the teams of a repository.

    Raises:
        TeamsFileError: teams.yaml or the chart's schema cannot be read, or it has faults: all of them.
    """
    return read_teams(_text(root / FILE_NAME), load_schema(root))


def load_schema(root: Path) -> dict[str, Any]:
    """Return the chart's schema of a repository.

    Raises:
        TeamsFileError: It cannot be read, or is no JSON.
    """
    try:
        schema: dict[str, Any] = json.loads(_text(root / SCHEMA_FILE))
    except ValueError as error:
        where = str(root / SCHEMA_FILE)
        raise TeamsFileError(f"is no JSON: {error}", where=where, cure="Take it from git.") from error
    return schema


def codeowners_file(root: Path) -> Path:
    """Return where CODEOWNERS is, or is to be."""
    there = (root / place for place in codeowners.PLACES if (root / place).is_file())
    return next(there, root / codeowners.PLACES[0])


def wanted_codeowners(root: Path, teams: dict[str, TeamEntry]) -> tuple[str | None, str]:
    """Return what CODEOWNERS is, None when there is none, and what it should be."""
    file = codeowners_file(root)
    before = file.read_text(encoding="utf-8") if file.is_file() else None
    return before, codeowners.codeowners(teams, before)


def write_codeowners(root: Path, teams: dict[str, TeamEntry]) -> Path | None:
    """Bring CODEOWNERS to what teams.yaml says; return the file when it changed."""
    before, wanted = wanted_codeowners(root, teams)
    if before == wanted:
        return None
    file = codeowners_file(root)
    file.parent.mkdir(exist_ok=True)
    file.write_text(wanted, encoding="utf-8")
    return file


def drift(root: Path, teams: dict[str, TeamEntry]) -> list[TeamsFileError]:
    """Find what of the repository does not agree with its teams.yaml."""
    faults = [
        TeamsFileError(
            f"the folder {team.path!r} of team {name!r} is not there",
            where=f"{FILE_NAME}:{team.line}: teams.{name}.path",
            cure="Make it with a first file, or take the team away: DAGs of a missing folder cannot be delivered.",
        )
        for name, team in teams.items()
        if team.repo is None and not (root / team.path).is_dir()
    ]
    before, wanted = wanted_codeowners(root, teams)
    if before != wanted:
        file = codeowners_file(root).relative_to(root).as_posix()
        line = _first_difference(before or "", wanted)
        faults.append(
            TeamsFileError(f"differs from {FILE_NAME}", where=f"{file}:{line}", cure="Run `cronlift teams`; commit.")
        )
    return faults


def said(error: FaultError) -> list[dict[str, str]]:
    """Return what `--json` prints of faults."""
    return [{"where": each.where, "what": each.what, "cure": each.cure} for each in error.faults]


def _first_difference(before: str, wanted: str) -> int:
    have, want = before.splitlines(), wanted.splitlines()
    same = [first == second for first, second in zip(have, want, strict=False)]
    return same.index(False) + 1 if False in same else len(same) + 1


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        cure = "Take it from git: the teams are checked by the chart's schema."
        raise TeamsFileError(f"cannot be read: {words}", where=str(file), cure=cure) from error
