"""Crontabs out of a tarball, without unpacking it: members are read one by one, and each has a bound."""

import bz2
import gzip
import io
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

from cronlift.cli.found_file import FoundFile
from cronlift.crontab.places import is_fact, place_of
from cronlift.crontab.text import SIZE_LIMIT_BYTES
from cronlift.errors import CrontabError, CrontabFileError

TREE_FILE_LIMIT = 20_000
"""Files of cron's in one tree or tarball; a large server has some hundred."""
MEMBER_LIMIT = 500_000
UNPACKED_LIMIT_BYTES = 2 * 1024**3
"""What a tarball may hold in all: whole /etc and /var folders pass, a bomb does not."""
_READ_LIMIT_BYTES = 64 * 1024 * 1024
"""What is read at one go; tarfile reads a member's extended header whole."""

_COMPRESSIONS: dict[bytes, Callable[..., object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_OTHER_ARCHIVES = {b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf": "7z"}


def is_tarball(path: Path) -> bool:
    """Tell whether a file is a tarball, plain or compressed.

    Raises:
        CrontabFileError: It is an archive of another kind.
    """
    with path.open("rb") as opened:
        head = opened.read(512)
    for magic, name in _OTHER_ARCHIVES.items():
        if head.startswith(magic):
            raise CrontabFileError(
                f"This is a {name} archive",
                where=str(path),
                cure="Unpack it and hand over the folder, or use tar -czf.",
            )
    return head.startswith(tuple(_COMPRESSIONS)) or head[257:262] == b"ustar"


def read_tarball(path: Path) -> list[FoundFile]:
    """Read the files of cron's places out of a tarball, and those that say something about the host.

    Raises:
        CrontabFileError: It is damaged, or holds more than the bounds allow.
        CrontabError: Members have paths that lead out of it; all at once.
    """
    try:
        with _opener(path)(path, "rb") as plain, tarfile.open(fileobj=_Bounded(plain, str(path)), mode="r:") as archive:
            return _members(archive, path)
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise
        raise CrontabFileError(
            f"The tarball cannot be read: {error or type(error).__name__}",
            where=str(path),
            cure="Make it anew, for example: sudo tar -czf cron.tar.gz /etc/cron* /var/spool/cron",
        ) from error


def _opener(path: Path) -> Callable[[Path, str], IO[bytes]]:
    """Return what opens a file and takes the compression away."""
    with path.open("rb") as opened:
        head = opened.read(6)
    found = next((opener for magic, opener in _COMPRESSIONS.items() if head.startswith(magic)), None)
    return cast("Callable[[Path, str], IO[bytes]]", found or Path.open)


class _Bounded:
    """A file that refuses to be read in huge pieces, or far beyond what a tarball of crontabs has."""

    def __init__(self, inner: IO[bytes], where: str) -> None:
        self._inner, self._where = inner, where

    def read(self, size: int = -1, /) -> bytes:
        """Read, unless it is too much."""
        if size < 0 or size > _READ_LIMIT_BYTES or self._inner.tell() > UNPACKED_LIMIT_BYTES:
            raise _too_large(self._where)
        return self._inner.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._inner.tell()

    def write(self, data: bytes, /) -> int:
        """Refuse: a tarball is only read."""
        raise io.UnsupportedOperation("write")

    def close(self) -> None:
        """Leave the file open: who opened it closes it."""


def _too_large(where: str) -> CrontabFileError:
    return CrontabFileError(
        f"The tarball holds more than {UNPACKED_LIMIT_BYTES // 1024**3} GiB, or a member with a header of absurd size",
        where=where,
        cure="Pack only cron's files: sudo tar -czf cron.tar.gz /etc/cron* /var/spool/cron",
    )


def _members(archive: tarfile.TarFile, path: Path) -> list[FoundFile]:
    found: list[FoundFile] = []
    faults: list[CrontabError] = []
    unpacked = count = 0
    for member in archive:
        count, unpacked = count + 1, unpacked + max(member.size, 0)
        if unpacked > UNPACKED_LIMIT_BYTES or count > MEMBER_LIMIT:
            raise _too_large(str(path))
        name = posixpath.normpath(member.name.lstrip("/"))
        if name.startswith("../") or "/../" in f"/{member.name}/":
            faults.append(
                CrontabFileError(
                    f"The member {member.name!r} leads out of the tarball", where=str(path), cure="Do not trust it."
                )
            )
            continue
        if _is_wanted(name):
            found += _read_member(archive, member, name)
        if len(found) > TREE_FILE_LIMIT:
            raise _too_large(str(path))
    if faults:
        raise CrontabError.all_of(faults)
    return sorted(resolve_links(found), key=lambda each: each.path)


def _is_wanted(name: str) -> bool:
    return (
        place_of("/" + name) is not None
        or is_fact(name)
        or name.endswith("etc/localtime")
        or "/facts/" in f"/{name}"
        or name.rsplit("/", 1)[-1] in ("meta", "files.tsv", "unread.tsv")
    )


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> list[FoundFile]:
    if member.issym() or member.islnk():
        base = posixpath.dirname(name) if member.issym() and not member.linkname.startswith("/") else ""
        target = posixpath.normpath(posixpath.join(base, member.linkname.lstrip("/")))
        return [FoundFile(name, b"", link=member.linkname if name.endswith("etc/localtime") else target)]
    opened = archive.extractfile(member)
    if opened is None:
        return []
    limit = max(SIZE_LIMIT_BYTES + 1, _READ_LIMIT_BYTES if name.endswith("facts/history.log") else 0)
    owner = member.uname or str(member.uid)
    return [FoundFile(name, opened.read(limit), mode=member.mode & 0o7777, owner=owner)]


def resolve_links(found: Sequence[FoundFile]) -> list[FoundFile]:
    """Give links the content of the file that they point to, where it is among the others."""
    by_path = {each.path: each for each in found if not each.link}
    resolved = []
    for each in found:
        target = by_path.get(each.link) if each.link else None
        resolved.append(replace(target, path=each.path) if target is not None else each)
    return resolved
