"""The tree that git-sync publishes: a link whose target is named after the commit.

Source: https://github.com/kubernetes/git-sync (v4): `<root>/<link> -> .worktrees/<commit>`, moved by rename(2).
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cronlift.errors import SourceMissingError

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SHA256_LENGTH = 64


@dataclass(frozen=True)
class Source:
    """What the link showed at one moment; a later flip changes nothing of it.

    Args:
        worktree: The commit's checked-out tree, resolved.
        folder: The bundle's folder in it.
        commit: Its commit; empty when the target is not named after one.
    """

    worktree: Path
    folder: Path
    commit: str

    @property
    def algorithm(self) -> str:
        """The hash of the repository's objects."""
        return "sha256" if len(self.commit) == _SHA256_LENGTH else "sha1"


def find_source(link: Path, path: str) -> Source:
    """Follow git-sync's link once.

    Args:
        link: For example /git/current.
        path: The bundle's folder in the repository; "." for all of it.

    Raises:
        SourceMissingError: The link is missing or dangles, or the folder is not there.
    """
    try:
        worktree = link.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        shown = f"{link} -> {os.readlink(link)}" if link.is_symlink() else str(link)
        words = "leads nowhere" if link.is_symlink() else "is not there"
        raise SourceMissingError(
            f"{shown} {words}: git-sync has published nothing, or is about to clone again; its log says why"
        ) from error
    source = _source(worktree, path)
    if not source.folder.is_dir():
        raise SourceMissingError(f"folder {path} is not in commit {source.commit or worktree.name}")
    if worktree not in source.folder.resolve().parents and source.folder.resolve() != worktree:
        raise SourceMissingError(f"folder {path} is a symbolic link that leaves the repository")
    return source


def kept_sources(link: Path, path: str) -> Iterator[Source]:
    """Yield the older trees that git-sync still keeps, newest first."""
    try:
        folders = list((link.parent / ".worktrees").iterdir())
        folders.sort(key=lambda each: each.stat().st_mtime, reverse=True)
    except OSError:
        return
    for folder in folders:
        source = _source(folder, path)
        if source.folder.is_dir():
            yield source


def _source(worktree: Path, path: str) -> Source:
    commit = worktree.name if _COMMIT.fullmatch(worktree.name) else ""
    return Source(worktree, worktree if path == "." else worktree / path, commit)
