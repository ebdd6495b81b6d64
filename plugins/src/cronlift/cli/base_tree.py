"""The tree of a commit, as far as it is needed, in a folder of its own; and what differs from it."""

import io
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from cronlift.errors import AuthoringError


def merge_base(root: Path, ref: str) -> str:
    """Return the commit where this branch left REF.

    Raises:
        AuthoringError: There is no such commit, or it has nothing in common with this branch.
    """
    if ref.startswith("-"):
        raise AuthoringError(f"{ref!r} is no commit", cure="Name a branch, a tag or a commit, such as origin/main.")
    try:
        return _git(root, "merge-base", ref, "HEAD").decode().strip()
    except AuthoringError as error:
        raise AuthoringError(
            f"nothing can be compared with {ref!r}: {error.what}",
            where=str(root),
            cure="Name a commit that is here, with --base. In a shallow clone: git fetch --unshallow.",
        ) from error


def changed_files(root: Path, commit: str) -> list[str]:
    """Return the files that differ from a commit, deleted, uncommitted and new ones too, from the root, sorted."""
    names = _git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", commit).split(b"\0")
    names += _git(root, "ls-files", "--others", "--exclude-standard", "-z").split(b"\0")
    return sorted({name.decode("utf-8", "surrogateescape") for name in names if name})


def files_at(root: Path, commit: str, path: str) -> list[str]:
    """Return the files that a commit has at a path, from the root; none where it has no such path.

    Raises:
        AuthoringError: git failed.
    """
    names = _git(root, "ls-tree", "-r", "--name-only", "-z", commit, "--", path).split(b"\0")
    return [name.decode("utf-8", "surrogateescape") for name in names if name]


def write_tree(root: Path, commit: str, paths: Sequence[str], target: Path) -> None:
    """Write what a commit has at some paths into a folder; what it does not have is left out.

    Args:
        root: The repository, or the folder in it that paths are told from.
        commit: Its id.
        paths: Files and folders, from the root.
        target: An empty folder.

    Raises:
        AuthoringError: git failed.
    """
    there = [path for path in paths if _git(root, "ls-tree", "--name-only", "-z", commit, "--", path.rstrip("/"))]
    if not there:
        return
    packed = _git(root, "archive", "--format=tar", commit, "--", *there)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(target, filter="data")


def _git(root: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    except OSError as error:
        raise AuthoringError("git cannot be run", where=str(root), cure="Install git.") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise AuthoringError(
            said[-1] if said else "git failed", where=str(root), cure=f"Run git {' '.join(words[:2])}."
        )
    return done.stdout
