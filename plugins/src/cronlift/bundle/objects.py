"""Read git's object store: a folder as it was at any time, by its tree hash. Loose objects and packs, no git program.

The Airflow image has no git, and git-sync keeps the whole history (depth 0): so a run that was pinned to a version
finds its code also in a pod that is younger than that version.
Source: https://git-scm.com/docs/gitformat-pack and https://git-scm.com/docs/gitrepository-layout.
"""

import mmap
import struct
import zlib
from bisect import bisect_left
from pathlib import Path

from cronlift.bundle.tree import FOLDER, LINK, MAX_FILE_BYTES, Entries, Entry, blob_hash, link_fault
from cronlift.errors import ContentRefusedError, SourceMissingError

_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_OFFSET_DELTA, _REFERENCE_DELTA = 6, 7
_GITLINK = "160000"
_DELTAS_DEEP = 4096
"""git's own limit is 4095 (pack.depth); a longer chain is a broken pack."""


class ObjectStore:
    """The objects of one repository.

    Args:
        folder: `.git/objects`.
        algorithm: "sha1" or "sha256".
    """

    def __init__(self, folder: Path, algorithm: str = "sha1") -> None:
        self._folder, self._algorithm = folder, algorithm
        self._width = 32 if algorithm == "sha256" else 20

    def read(self, sha: str) -> tuple[str, bytes]:
        """Return an object's kind and content.

        Raises:
            SourceMissingError: It is not here, or its file is broken.
        """
        try:
            loose = self._folder / sha[:2] / sha[2:]
            if loose.is_file():
                head, _, content = zlib.decompress(loose.read_bytes()).partition(b"\0")
                return head.split(b" ")[0].decode(), content
            for index in sorted((self._folder / "pack").glob("*.idx")):
                if (offset := self._find(index, bytes.fromhex(sha))) is not None:
                    return self._unpack(index.with_suffix(".pack"), offset)
        except (OSError, zlib.error, struct.error, ValueError, IndexError) as error:
            raise SourceMissingError(f"git object {sha} in {self._folder} cannot be read: {error}") from error
        raise SourceMissingError(f"git object {sha} is not in {self._folder}")

    def folder_hash(self, commit: str, path: str) -> str:
        """Return the tree hash of a folder in a commit.

        Raises:
            SourceMissingError: The commit or the folder is not here.
        """
        _, content = self.read(commit)
        sha = content.split(b"\n", 1)[0].removeprefix(b"tree ").decode()
        for part in () if path == "." else path.split("/"):
            rows = {name: (mode, each) for mode, name, each in self._rows(sha)}
            if rows.get(part, ("", ""))[0] != FOLDER:
                raise SourceMissingError(f"folder {path} is not in commit {commit}")
            sha = rows[part][1]
        return sha

    def entries(self, tree: str) -> Entries:
        """Return every file of a tree.

        Raises:
            SourceMissingError: It is not here.
            ContentRefusedError: It holds what `tree.scan` refuses.
        """
        found: Entries = {}
        self._collect(tree, "", found)
        faults = [
            fault
            for path, entry in found.items()
            if entry.mode == LINK and (fault := link_fault(path, self.read(entry.sha)[1].decode(errors="replace")))
        ]
        faults += [f"{path} is huge" for path, entry in found.items() if entry.size > MAX_FILE_BYTES]
        if faults:
            raise ContentRefusedError("; ".join(sorted(faults)))
        return found

    def paths(self, tree: str) -> set[str]:
        """Return the paths of every file of a tree; no file is read.

        Raises:
            SourceMissingError: The tree, or one below it, is not here.
        """
        found: set[str] = set()
        for mode, name, sha in self._rows(tree):
            if mode == FOLDER:
                found |= {f"{name}/{path}" for path in self.paths(sha)}
            elif mode != _GITLINK:
                found.add(name)
        return found

    def blob(self, entry: Entry) -> bytes:
        """Return a file's content, checked against its hash.

        Raises:
            SourceMissingError: It is not here, or not what its name says.
        """
        _, content = self.read(entry.sha)
        if blob_hash(content, self._algorithm) != entry.sha:
            raise SourceMissingError(f"git object {entry.sha} in {self._folder} is broken")
        return content

    def _collect(self, tree: str, prefix: str, found: Entries) -> None:
        for mode, name, sha in self._rows(tree):
            if mode == FOLDER:
                self._collect(sha, f"{prefix}{name}/", found)
            elif mode != _GITLINK:
                found[prefix + name] = Entry(mode, sha, len(self.read(sha)[1]))

    def _rows(self, tree: str) -> list[tuple[str, str, str]]:
        kind, content = self.read(tree)
        if kind != "tree":
            raise SourceMissingError(f"git object {tree} is a {kind}, not a tree")
        rows, at = [], 0
        while at < len(content):
            end = content.index(b"\0", at)
            mode, _, name = content[at:end].partition(b" ")
            at = end + 1 + self._width
            sha = content[end + 1 : at].hex()
            rows.append((mode.decode(), name.decode(errors="surrogateescape"), sha))
        return rows

    def _find(self, index: Path, sha: bytes) -> int | None:
        """Return an object's offset in the pack of this index (version 2); None when it is not in it."""
        with index.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[:8] != b"\xfftOc\0\0\0\x02":
                raise ValueError(f"{index.name} is not of version 2")
            count = struct.unpack_from(">I", content, 8 + 255 * 4)[0]
            low = struct.unpack_from(">I", content, 8 + (sha[0] - 1) * 4)[0] if sha[0] else 0
            high = struct.unpack_from(">I", content, 8 + sha[0] * 4)[0]
            names, width = 8 + 256 * 4, self._width

            def name(number: int) -> bytes:
                return content[names + number * width : names + (number + 1) * width]

            number = bisect_left(range(high), sha, lo=low, key=name)
            if number >= high or name(number) != sha:
                return None
            offsets = names + count * (width + 4)
            offset: int = struct.unpack_from(">I", content, offsets + number * 4)[0]
            if offset & 0x80000000:
                offset = struct.unpack_from(">Q", content, offsets + count * 4 + (offset & 0x7FFFFFFF) * 8)[0]
            return offset

    def _unpack(self, pack: Path, offset: int) -> tuple[str, bytes]:
        with pack.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            deltas: list[bytes] = []
            while len(deltas) < _DELTAS_DEEP:
                kind, at = _read_kind(content, offset)
                if kind == _OFFSET_DELTA:
                    back, at = _read_distance(content, at)
                    deltas.append(_inflate(content, at))
                    offset -= back
                elif kind == _REFERENCE_DELTA:
                    base = content[at : at + self._width]
                    deltas.append(_inflate(content, at + self._width))
                    name, body = self.read(base.hex())
                    return name, _apply(body, deltas)
                else:
                    return _KINDS[kind], _apply(_inflate(content, at), deltas)
        raise ValueError(f"{pack.name}: a chain of {len(deltas)} deltas")


def _read_kind(content: mmap.mmap, at: int) -> tuple[int, int]:
    first = content[at]
    while content[at] & 0x80:
        at += 1
    return first >> 4 & 7, at + 1


def _read_distance(content: mmap.mmap, at: int) -> tuple[int, int]:
    byte = content[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = content[at]
        value = (value + 1) << 7 | byte & 0x7F
    return value, at + 1


def _inflate(content: mmap.mmap, at: int) -> bytes:
    inflater = zlib.decompressobj()
    parts = []
    while not inflater.eof:
        chunk = content[at : at + 65536]
        if not chunk:
            raise ValueError("the pack ends in the middle of an object")
        parts.append(inflater.decompress(chunk))
        at += len(chunk)
    return b"".join(parts)


def _apply(base: bytes, deltas: list[bytes]) -> bytes:
    for delta in reversed(deltas):
        base = _apply_one(base, delta)
    return base


def _apply_one(base: bytes, delta: bytes) -> bytes:
    """Apply one delta: copies from the base, and bytes of its own."""
    at = 0
    for _ in range(2):  # the sizes of base and result
        while delta[at] & 0x80:
            at += 1
        at += 1
    parts = []
    while at < len(delta):
        order = delta[at]
        at += 1
        if not order & 0x80:
            parts.append(delta[at : at + order])
            at += order
            continue
        numbers = []
        for bits in (range(4), range(4, 7)):
            value = 0
            for place, bit in enumerate(bits):
                if order >> bit & 1:
                    value |= delta[at] << 8 * place
                    at += 1
            numbers.append(value)
        start, size = numbers[0], numbers[1] or 0x10000
        parts.append(base[start : start + size])
    return b"".join(parts)
