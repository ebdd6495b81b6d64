"""The repository as an import finds it and leaves it: read what is there, write all or nothing."""

import difflib
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from cronlift.cli.crontab_files import Inputs
from cronlift.crontab.cutover import restore_lines
from cronlift.crontab.decisions import User
from cronlift.crontab.image import Image
from cronlift.crontab.places import host_path, place_of
from cronlift.crontab.text import printable
from cronlift.crontab.write import Fate, FileChange
from cronlift.errors import CrontabError, CrontabFileError

TEAMS_FILE = "teams.yaml"
LEGACY = "images/legacy"
_USERS = re.compile(r'^ARG USERS="([^"]*)"', re.MULTILINE)
_ADMITS_ROOT = ("baseline", "privileged")
_LONG_DIFF_LINES = 400
"""A new DAG file of a thousand jobs is not shown line by line."""


@dataclass(frozen=True)
class Team:
    """What the repository says of a team.

    Args:
        name: Its name.
        folder: Of its DAGs, relative to the root.
        namespace: Of its Jobs.
        allows_root: Whether its namespace admits root.
        image: What is known of the legacy image; None when its folder is not there.
        warnings: What to do so that the DAGs arrive.
    """

    name: str
    folder: str
    namespace: str
    allows_root: bool
    image: Image | None
    warnings: tuple[str, ...] = ()


def read_team(repo: Path, name: str) -> Team:
    """Read teams.yaml, and what the legacy image has.

    Raises:
        CrontabError: teams.yaml is malformed.
    """
    image = read_image(repo / LEGACY)
    file = repo / TEAMS_FILE
    if not file.is_file():
        return Team(name, f"dags/{name}", "", False, image)
    try:
        teams = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("teams") or {}
        entry: dict[str, Any] = teams.get(name) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
        raise CrontabError(
            f"the list of teams cannot be read ({error})", where=str(file), cure="Correct the file."
        ) from error
    warnings = () if name in teams else (f"Team {name} is not in {TEAMS_FILE}: add it, or nothing runs its DAGs.",)
    folder = str(entry.get("path") or f"dags/{name}").strip("/")
    if ".." in Path(folder).parts:
        raise CrontabError(f"the path of team {name} leaves the repository", where=str(file), cure="Correct it.")
    allows_root = entry.get("podSecurity") in _ADMITS_ROOT
    return Team(name, folder, str(entry.get("namespace") or ""), allows_root, image, warnings)


def with_shown_paths(inputs: Inputs) -> Inputs:
    """Return the sources under paths that may stand in a repository: of the host, relative, or the file's name alone.

    Where a file lay on the machine of whoever imports it is nobody's business, and changes from one to the next.
    """
    # A crontab whose lines were migrated is the one before: its DAGs are to stay.
    sources = tuple(
        replace(source, path=name, content=restore_lines(source.content).content)
        for source, name in zip(inputs.sources, _told_apart([each.path for each in inputs.sources]), strict=True)
    )
    return replace(inputs, sources=sources)


def _told_apart(paths: Sequence[str]) -> list[str]:
    """Return the paths as they are shown; of those that would be shown alike, as many folders as tell them apart."""
    shown = [_shown_path(printable(each)) for each in paths]
    counts = Counter(shown)
    names = []
    for path, name in zip(paths, shown, strict=True):
        if counts[name] > 1:
            others = [
                printable(each) for each, other in zip(paths, shown, strict=True) if other == name and each != path
            ]
            parts = Path(printable(path)).parts
            tails = ("/".join(parts[-count:]) for count in range(len(Path(name).parts) + 1, len(parts) + 1))
            name = next((tail for tail in tails if not any(f"/{each}".endswith(f"/{tail}") for each in others)), path)
        names.append(name)
    return names


def _shown_path(path: str) -> str:
    if place_of(path if path.startswith("/") else f"/{path}") is not None:
        return host_path(path)
    outside = path.startswith("/") or ".." in Path(path).parts
    return Path(path).name if outside else Path(path).as_posix()


def read_texts(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the texts of those files that are there; bytes that are no UTF-8 make a file an edited one.

    Raises:
        CrontabFileError: One cannot be read.
    """
    found = {}
    for path in paths:
        try:
            found[path] = path.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            cure = "Make it a readable file, or remove it."
            raise CrontabFileError(f"cannot be read: {error.strerror}", where=str(path), cure=cure) from error
    return found


def write_all(repo: Path, changes: Sequence[FileChange], always: Mapping[str, str]) -> None:
    """Write everything: first beside the repository's files, then each in its place.

    Args:
        repo: Its root.
        changes: Of generated files.
        always: Path -> text of what is written in any case, last, when all else is in place.

    Raises:
        CrontabFileError: Something cannot be written; then nothing was changed, unless the disk itself failed.
    """
    written = {
        each.target: each.text
        for each in changes
        if each.fate in (Fate.NEW, Fate.CHANGED, Fate.BESIDE, Fate.OVERWRITTEN)
    }
    removed = [each.path for each in changes if each.fate is Fate.REMOVED]
    try:
        staging = Path(tempfile.mkdtemp(prefix=".cronlift-import-", dir=repo))
    except OSError as error:
        raise _unwritable(error, repo) from error
    try:
        everything = {**written, **always}
        for number, text in enumerate(everything.values()):
            (staging / str(number)).write_bytes(text.encode())
        for path in everything:
            (repo / path).parent.mkdir(parents=True, exist_ok=True)
            if (repo / path).is_dir() or not os.access((repo / path).parent, os.W_OK):
                raise PermissionError(13, "Permission denied, or a folder of that name", str(repo / path))
        for number, path in enumerate(everything):
            os.replace(staging / str(number), repo / path)
        for path in removed:
            (repo / path).unlink(missing_ok=True)
        _remove_empty({(repo / path).parent for path in removed})
    except OSError as error:
        raise _unwritable(error, repo) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def diff_of(change: FileChange) -> str:
    """Return a change for people: a unified diff of what was there before, a line for what is new or goes."""
    if change.fate in (Fate.SAME, Fate.KEPT):
        return ""
    if change.fate is Fate.NEW:
        return f"+ {change.path}\n"
    if change.fate is Fate.REMOVED:
        return f"- {change.path}\n"
    if change.path.endswith(".html"):
        return f"~ {change.path}\n"
    before, after = (change.before or "").splitlines(keepends=True), change.text.splitlines(keepends=True)
    lines = list(difflib.unified_diff(before, after, f"a/{change.path}", f"b/{change.target}"))
    if len(lines) > _LONG_DIFF_LINES:
        return f"~ {change.path}: {len(lines)} lines of difference; see git diff\n"
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def read_image(folder: Path) -> Image | None:
    """Return what images/legacy says of the image: rootfs/, contents.txt and the Dockerfile; None without it."""
    if not folder.is_dir():
        return None
    rootfs, contents = folder / "rootfs", folder / "contents.txt"
    scripts = frozenset(f"/{each.relative_to(rootfs).as_posix()}" for each in rootfs.rglob("*"))
    listed = contents.read_text(encoding="utf-8").splitlines() if contents.is_file() else ()
    packaged = frozenset(each for each in listed if each.startswith("/"))
    return Image(scripts, packaged, _users_in_image(folder / "Dockerfile"))


def _users_in_image(dockerfile: Path) -> dict[str, User]:
    """Return the users that the legacy image is built with: `name:uid:gid:home`, separated by spaces."""
    if not dockerfile.is_file():
        return {}
    found = _USERS.search(dockerfile.read_text(encoding="utf-8", errors="replace"))
    entries = [entry.split(":") for entry in (found.group(1).split() if found else ())]
    return {
        name: User(int(uid), int(gid), home)
        for name, uid, gid, home in (each for each in entries if len(each) == 4)
        if uid.isdigit() and gid.isdigit()
    }


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _unwritable(error: OSError, repo: Path) -> CrontabFileError:
    return CrontabFileError(
        f"cannot be written: {error.strerror}",
        where=str(error.filename or repo),
        cure="Make room, or the folder writable, and import again.",
    )
