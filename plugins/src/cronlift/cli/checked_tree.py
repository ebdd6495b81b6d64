"""The repository as `cronlift check` reads it: its teams, its files, its job images, and what differs from a base."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from cronlift.airflow.facts_pool import Bundle, load_facts
from cronlift.checks.affected import Scope, affected
from cronlift.checks.model import Fault
from cronlift.checks.of_dags import CURES
from cronlift.checks.of_images import image_uses, lacking
from cronlift.cli.base_tree import changed_files, merge_base, write_tree
from cronlift.cli.environments import ENVIRONMENTS, Environment, read_environment
from cronlift.cli.repository import drift, find_root, load_teams
from cronlift.errors import AuthoringError, CronliftError, FaultError, TeamsFileError
from cronlift.facts.model import FileFacts
from cronlift.teams.model import FILE_NAME, TeamEntry
from cronlift.teams.read import SCHEMA_FILE, read_teams

_GUESSED_REGISTRY = "images.invalid/"
_PLACE = re.compile(r"^(?P<file>[^:]+)(?::(?P<line>\d+))?")
_LEFT_OUT = frozenset((".git", ".venv", ".cronlift", "__pycache__", "build", "node_modules"))


def find(root: Path | None, paths: Sequence[Path], team: str | None) -> "CheckedTree":
    """Find the repository that is checked.

    Args:
        root: As given; None to look from the paths, or the current folder, upwards.
        paths: What is to be checked.
        team: The name of the team, where the repository is its own.

    Raises:
        TeamsFileError: teams.yaml has faults.
        CronliftError: There is neither teams.yaml nor a team.
    """
    start = root or (paths[0] if paths else Path.cwd())
    found = find_root(start if start.is_dir() else start.parent)
    if team is not None:
        folder = (root or (paths[0] if paths and paths[0].is_dir() else Path.cwd())).resolve()
        return CheckedTree(folder, {team: TeamEntry(team, f"team-{team}", ".", ())}, has_teams_file=False)
    if found is None:
        raise CronliftError(
            f"There is no {FILE_NAME} in {start.resolve()} or above it. Go into the platform's repository, name it "
            "with --root, or name the team with --team in a repository of its own."
        )
    return CheckedTree(found, load_teams(found), has_teams_file=True)


@dataclass(frozen=True)
class Change:
    """What differs from a base.

    Attributes:
        commit: Where this branch left the base.
        files: The paths that differ, deleted ones too.
        before: The teams at the base; None where they cannot be read there.
        scope: What the change can affect.
    """

    commit: str
    files: list[str]
    before: dict[str, TeamEntry] | None
    scope: Scope


@dataclass(frozen=True)
class CheckedTree:
    """A repository.

    Attributes:
        root: Its root.
        teams: Its teams by name.
        has_teams_file: Whether they come from teams.yaml.
    """

    root: Path
    teams: dict[str, TeamEntry]
    has_teams_file: bool

    @cached_property
    def files(self) -> list[str]:
        """Every file, from the root: those that git knows or would take; without git, all."""
        return [name for name in self.listed if (self.root / name).is_file()]

    @cached_property
    def listed(self) -> list[str]:
        """The same with the symbolic links that lead to no file."""
        words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        try:
            done = subprocess.run(words, cwd=self.root, capture_output=True, check=True)
            names = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        except (OSError, subprocess.CalledProcessError):
            names = [
                (Path(folder) / name).relative_to(self.root).as_posix()
                for folder, below, found in os.walk(self.root)
                for name in _entered(Path(folder), below, found)
            ]
        return sorted(name for name in set(names) if name and _is_there(self.root / name))

    def listed_in(self, folder: str) -> list[str]:
        """Return those in a folder, told from the root; a dot is all of them."""
        prefix = "" if folder == "." else f"{PurePosixPath(folder)}/"
        return [name for name in self.listed if name.startswith(prefix)]

    def change(self, base: str) -> Change:
        """Tell what differs from a base, and what that can affect.

        Raises:
            CronliftError: The base is no commit.
        """
        commit = merge_base(self.root, base)
        with tempfile.TemporaryDirectory(prefix="cronlift-base-") as folder:
            write_tree(self.root, commit, [FILE_NAME, SCHEMA_FILE], Path(folder))
            before = _teams_at(Path(folder))
        files = changed_files(self.root, commit)
        return Change(commit, files, before, affected(files, before, self.teams))

    def bundles(self, scope: Scope, paths: Sequence[Path]) -> list[Bundle]:
        """Return the bundles to check: of the scope, and of teams that a path is in or above.

        Raises:
            CronliftError: A path is in no team's folder.
        """
        asked = [path.resolve() for path in paths]
        own = {name: self.root / team.path for name, team in self.teams.items() if team.repo is None}
        for path in asked:
            if not any(
                path.is_relative_to(each.resolve()) or each.resolve().is_relative_to(path) for each in own.values()
            ):
                raise CronliftError(f"{path} is in no team's folder. The folders: {', '.join(map(str, own.values()))}.")
        return [
            Bundle(name, folder.resolve(), self._settings(name))
            for name, folder in own.items()
            if folder.is_dir()
            and scope.holds(name)
            and (not asked or any(_meet(folder.resolve(), each) for each in asked))
        ]

    def is_whole(self, team: str, paths: Sequence[Path]) -> bool:
        """Tell whether all of a team's files are checked, and not only some."""
        folder = (self.root / self.teams[team].path).resolve()
        return not paths or any(folder.is_relative_to(path.resolve()) for path in paths)

    def files_of(self, teams: Sequence[str]) -> list[str]:
        """Return every file in the folders of some teams."""
        return [name for name in self.files if any(self.teams[team].holds(name) for team in teams)]

    def chosen(self, paths: Sequence[Path], change: Change | None) -> list[str]:
        """Return the files to look at, of any kind: all, those that differ, and of these the ones at some paths."""
        names = self.files if change is None else [name for name in change.files if (self.root / name).is_file()]
        asked = [path.resolve() for path in paths]
        return [name for name in names if not asked or any((self.root / name).is_relative_to(each) for each in asked)]

    def facts(
        self, bundles: Sequence[Bundle], paths: Sequence[Path], progress: Callable[[int, int], None] | None = None
    ) -> list[FileFacts]:
        """Parse the DAG files of some bundles, each twice.

        Raises:
            CronliftError: A process that parses them ended.
        """
        whole = any(not path.is_file() for path in paths) or not paths
        chosen = None if whole else [path for path in paths if path.suffix == ".py"] or None
        known = self._images or None
        return load_facts(self.root, bundles, images=known, files=chosen, progress=progress, twice=True)

    def own_faults(self) -> Iterator[Fault]:
        """Yield what of the repository does not agree with teams.yaml."""
        for each in drift(self.root, self.teams) if self.has_teams_file else ():
            check = "codeowners" if "CODEOWNERS" in each.where else "teams-file"
            yield as_fault(each, check)

    def ruff(self, bundles: Sequence[Bundle], paths: Sequence[Path]) -> list[Fault]:
        """Return what ruff's AIR rules say of the bundles' Python files.

        Raises:
            CronliftError: ruff is not there, or failed.
        """
        python = [path for path in paths if path.is_file() and path.suffix == ".py"]
        targets = python if paths and len(python) == len(paths) else [each.folder for each in bundles]
        return _ruff(self.root, targets) if targets else []

    def _settings(self, team: str) -> dict[str, Any]:
        """Return a team's entry of CRONLIFT_TEAMS, as the chart makes it; see its helper cronlift.policy.rules."""
        entry = self.teams[team]
        rules = {
            key: entry.settings[key] for key in ("podSecurity", "quota", "containerDefaults") if key in entry.settings
        }
        if images := entry.settings.get("images"):
            rules["images"] = [*images, *map(_without_version, self._images.values()), _GUESSED_REGISTRY]
        return {"namespace": entry.namespace, "rules": rules}

    @cached_property
    def _images(self) -> dict[str, str]:
        """Job images by name: those of any environment, and those that are built here; none where one is not read."""
        found: dict[str, str] = {
            path.parent.name: f"{_GUESSED_REGISTRY}{path.parent.name}:unknown"
            for path in sorted(self.root.glob("images/*/Dockerfile"))
        }
        environments, faults = self.environments
        return (
            {} if faults else found | {name: image for each in environments for name, image in each.job_images.items()}
        )

    @cached_property
    def environments(self) -> tuple[list[Environment], list[Fault]]:
        """The environments, and what is wrong with those that cannot be read."""
        found, faults = [], []
        for path in sorted((self.root / ENVIRONMENTS).glob("*.yaml")) if self.has_teams_file else ():
            try:
                found.append(read_environment(self.root, path))
            except AuthoringError as error:
                faults.append(as_fault(error, "environment"))
        return found, faults

    def lacking_images(self, files: Sequence[FileFacts]) -> list[str]:
        """Return the job images that DAGs use and an environment does not have, in words."""
        names = {file.path for file in files} | {
            name for file in files for dag in file.dags for task in dag.tasks for name in task.files
        }
        uses = [
            use
            for name in sorted(names)
            if (self.root / name).is_file()
            for use in image_uses(name, (self.root / name).read_text(encoding="utf-8", errors="replace"))
            if use.name in self._images
        ]
        return list(lacking(uses, {each.file: each.job_images for each in self.environments[0] if each.is_complete}))


def as_fault(error: FaultError, check: str) -> Fault:
    """Return an error with a place as a fault."""
    place = _PLACE.match(error.where)
    file, line = (place["file"], int(place["line"] or 0)) if place else (FILE_NAME, 0)
    _, _, path = error.where.partition(": ")
    return Fault(file, line, check, f"{path}: {error.what}" if path else error.what, error.cure)


def _entered(folder: Path, below: list[str], found: list[str]) -> list[str]:
    """Return the files and links of a folder, and leave in `below` the folders that are walked next."""
    below[:] = [name for name in below if name not in _LEFT_OUT]
    return [*found, *(name for name in below if (folder / name).is_symlink())]


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _meet(folder: Path, path: Path) -> bool:
    return path.is_relative_to(folder) or folder.is_relative_to(path)


def _teams_at(folder: Path) -> dict[str, TeamEntry] | None:
    """Return the teams of a tree; None where they cannot be read, and then nothing is known of what changed."""
    try:
        schema = json.loads((folder / SCHEMA_FILE).read_text(encoding="utf-8"))
        return read_teams((folder / FILE_NAME).read_text(encoding="utf-8"), schema)
    except (OSError, ValueError, TeamsFileError):
        return None


def _without_version(image: str) -> str:
    from cronlift.policy.team import without_version

    return without_version(image)


def _ruff(root: Path, targets: Sequence[Path]) -> list[Fault]:
    beside = Path(sys.executable).parent / "ruff"
    program = str(beside) if beside.is_file() else shutil.which("ruff")
    if program is None:
        raise CronliftError("ruff is not there, which knows what Airflow 3 has removed. Install it: pip install ruff.")
    words = [program, "check", "--select=AIR", "--output-format=json", "--no-cache", "--exit-zero", *map(str, targets)]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CronliftError(f"ruff failed: {done.stderr.strip()}. Run: {' '.join(words)}")
    return [
        Fault(
            Path(each["filename"]).relative_to(root).as_posix(),
            each["location"]["row"],
            "ruff",
            f"{each['code']}: {each['message']}",
            f"See {each['url']}." if each.get("url") else CURES["ruff"],
        )
        for each in json.loads(done.stdout or "[]")
        if each["code"] and each["code"].startswith("AIR")
    ]
