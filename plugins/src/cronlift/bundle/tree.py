"""The git tree hash of a folder, computed in pure Python: the same value as `git rev-parse COMMIT:FOLDER`.

Two pods that check out the same content agree on it, whatever their commits, inodes and modification times.
Source: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects and git's `base_name_compare` for the order.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cronlift.errors import ContentRefusedError, SourceMissingError

FILE, EXECUTABLE, LINK, FOLDER = "100644", "100755", "120000", "40000"
MEBIBYTE = 1024 * 1024
MAX_FILE_BYTES = 50 * MEBIBYTE
"""A DAG folder holds code. What is larger came in by mistake, and would be copied again at every change of it."""

_CHUNK_BYTES = MEBIBYTE
# Git never has a folder of this name in a tree; at the top of a worktree it is git's own file.
_GIT = ".git"


@dataclass(frozen=True)
class Entry:
    """A file or symbolic link of a tree.

    Args:
        mode: Git's: "100644", "100755" or "120000".
        sha: Hash of its blob, hexadecimal.
        size: In bytes.
    """

    mode: str
    sha: str
    size: int


Entries = dict[str, Entry]
"""Path below the folder, with slashes -> entry."""


def scan(folder: Path, algorithm: str = "sha1", max_file_bytes: int = MAX_FILE_BYTES) -> Entries:
    """Read a folder as git would store it.

    Args:
        folder: The folder itself; nothing above it is read.
        algorithm: "sha1" or "sha256", as the repository's.
        max_file_bytes: Refuse larger files.

    Raises:
        ContentRefusedError: It holds links that leave it, huge files, or what git does not know; all are named.
        SourceMissingError: It is not there, or changed while it was read.
    """
    entries: Entries = {}
    faults: list[str] = []
    try:
        _scan(folder, "", algorithm, max_file_bytes, entries, faults)
    except OSError as error:
        raise SourceMissingError(f"{folder} cannot be read: {error.strerror}: {error.filename}") from error
    if faults:
        raise ContentRefusedError("; ".join(sorted(faults)))
    return entries


def tree_hash(entries: Mapping[str, Entry], algorithm: str = "sha1") -> str:
    """Return the hash that git gives the tree with these files."""
    root: dict[str, Any] = {}
    for path, entry in entries.items():
        *folders, name = path.split("/")
        at = root
        for part in folders:
            at = at.setdefault(part, {})
        at[name] = entry
    return _hash_folder(root, algorithm).hex()


def blob_hash(content: bytes, algorithm: str = "sha1") -> str:
    """Return the hash that git gives a file of this content."""
    return hashlib.new(algorithm, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def link_fault(path: str, target: str) -> str | None:
    """Say why a symbolic link may not be copied; None when it stays below the folder.

    `..` is taken at the beginning only: after a name that is itself a link it would lead elsewhere than it reads.

    Args:
        path: The link's path below the folder; its folders are real ones.
        target: What it points to.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    depth = path.count("/")
    if target.startswith("/") or ups > depth or ".." in parts[ups:]:
        return f"{path} is a symbolic link to {target}, which leaves the folder"
    reached = [*path.split("/")[: depth - ups], *parts[ups:]]
    if PurePosixPath(path).is_relative_to("/".join(reached)):
        return f"{path} is a symbolic link to {target}, a folder around itself"
    return None


def content_fault(folder: Path, path: str, max_file_bytes: int = MAX_FILE_BYTES) -> str | None:
    """Say why one file of a folder cannot be taken over; None when it can, or is a folder.

    Args:
        folder: The bundle's folder.
        path: The file's, below it.
        max_file_bytes: What is larger is refused.

    Raises:
        OSError: It cannot be read.
    """
    return _fault(path, folder / path, (folder / path).lstat(), max_file_bytes)


def _fault(path: str, file: Path, info: os.stat_result, max_file_bytes: int) -> str | None:
    if stat.S_ISLNK(info.st_mode):
        return link_fault(path, os.readlink(file))
    if stat.S_ISREG(info.st_mode) and info.st_size > max_file_bytes:
        mebibytes = info.st_size / MEBIBYTE
        return f"{path} has {mebibytes:.0f} MiB, more than {max_file_bytes // MEBIBYTE} MiB"
    if not stat.S_ISREG(info.st_mode) and not stat.S_ISDIR(info.st_mode):
        return f"{path} is neither a file, a folder nor a symbolic link"
    return None


def _scan(folder: Path, prefix: str, algorithm: str, max_file_bytes: int, entries: Entries, faults: list[str]) -> None:
    with os.scandir(folder) as found:
        for each in found:
            if each.name == _GIT:
                continue
            path = prefix + each.name
            info = each.stat(follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                _scan(Path(each.path), f"{path}/", algorithm, max_file_bytes, entries, faults)
            elif fault := _fault(path, Path(each.path), info, max_file_bytes):
                faults.append(fault)
            elif stat.S_ISLNK(info.st_mode):
                content = os.fsencode(os.readlink(each.path))
                entries[path] = Entry(LINK, blob_hash(content, algorithm), len(content))
            else:
                mode = EXECUTABLE if info.st_mode & stat.S_IXUSR else FILE
                entries[path] = Entry(mode, _hash_file(each.path, info.st_size, algorithm), info.st_size)


def _hash_file(path: str, size: int, algorithm: str) -> str:
    digest = hashlib.new(algorithm, b"blob %d\0" % size, usedforsecurity=False)
    read = 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            read += len(chunk)
    if read != size:
        raise OSError(0, "it changed while it was read", path)
    return digest.hexdigest()


def _hash_folder(content: Mapping[str, Any], algorithm: str) -> bytes:
    rows = []
    for name, what in content.items():
        raw = os.fsencode(name)
        if isinstance(what, Entry):
            rows.append((raw, what.mode, bytes.fromhex(what.sha)))
        else:
            rows.append((raw + b"/", FOLDER, _hash_folder(what, algorithm)))
    body = b"".join(
        b"%s %s\0%s" % (mode.encode(), raw.removesuffix(b"/"), digest) for raw, mode, digest in sorted(rows)
    )
    return hashlib.new(algorithm, b"tree %d\0" % len(body) + body, usedforsecurity=False).digest()
