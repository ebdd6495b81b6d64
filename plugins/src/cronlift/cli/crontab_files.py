"""Reading what is handed over to `cronlift import`: files, folders, whole trees, tarballs, inventories, stdin.

Nothing is ever unpacked to disk, no link is followed out of what was handed over, and everything has a bound.
"""

import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from cronlift.cli.crontab_tarball import TREE_FILE_LIMIT, is_tarball, read_tarball, resolve_links
from cronlift.cli.found_file import FoundFile
from cronlift.crontab.host_facts import HostFacts, read_facts
from cronlift.crontab.model import Source
from cronlift.crontab.places import host_path, is_fact, place_of
from cronlift.crontab.text import SIZE_LIMIT_BYTES, check_text
from cronlift.errors import CrontabError, CrontabFileError

STDIN = "-"
_READ_LIMIT_BYTES = SIZE_LIMIT_BYTES + 1
"""One byte more than a crontab may have, so that a file that is too large is known for one without reading it all."""
_WAYS = frozenset(
    {
        "etc", "var", "spool", "cron", "crontabs", "tabs", "default", "sysconfig", "root", "rootfs", "inventory",
        "facts", "usr", "lib", "cron.d", "cron.hourly", "cron.daily", "cron.weekly", "cron.monthly", "cron.yearly",
    }
)  # fmt: skip
"""Folders on the way to cron's files: a tree is not searched elsewhere, so that `/` may be handed over."""


@dataclass(frozen=True)
class Inputs:
    """What was handed over.

    Args:
        sources: The crontabs, anacrontabs and run-parts scripts, in the order of the command line, then by path.
        facts: What is known of the host.
        warnings: What could not be had, a sentence each.
    """

    sources: tuple[Source, ...]
    facts: HostFacts
    warnings: tuple[str, ...] = ()


def read_inputs(paths: Sequence[str], stdin: BinaryIO | None = None) -> Inputs:
    """Read everything that is handed over.

    Args:
        paths: Files, folders, tarballs; `-` is a crontab on stdin.
        stdin: What `-` reads; None for the process's own.

    Raises:
        CrontabError: Something cannot be read, or holds nothing of cron's; all faults at once.
    """
    found: list[FoundFile] = []
    faults: list[CrontabError] = []
    for path in dict.fromkeys(paths):
        try:
            found += _read_stdin(stdin) if path == STDIN else _read_path(Path(path))
        except CrontabError as error:
            faults += error.faults
        except OSError as error:
            faults.append(_unreadable(path, error))
    if faults:
        raise CrontabError.all_of([*faults, *_text_faults(found)])
    inputs = _sort_out(found)
    if not inputs.sources:
        raise CrontabFileError(
            "Nothing of cron's is in it",
            where=", ".join(paths),
            cure="Hand over `crontab -l` output, /etc/crontab, /etc/cron.d, the inventory's tarball, or a tree or a "
            "tarball with etc/ and var/spool/cron/.",
        )
    return inputs


def _text_faults(found: Iterable[FoundFile]) -> Iterator[CrontabError]:
    """Yield what is wrong with the files that could be read, so that all faults are told at once."""
    for each in found:
        if each.kind in ("user", "system", "cron.d"):
            try:
                check_text(Source(each.path, each.content))
            except CrontabError as error:
                yield error


def _read_stdin(stdin: BinaryIO | None) -> list[FoundFile]:
    content = (stdin or sys.stdin.buffer).read(_READ_LIMIT_BYTES)
    return [FoundFile("stdin", content, kind="user")]


def _read_path(path: Path) -> list[FoundFile]:
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise CrontabFileError("There is no such file", where=str(path), cure="Check the path.")
    if not path.is_file():
        raise CrontabFileError("This is no regular file", where=str(path), cure="Hand over a file or a folder.")
    if is_tarball(path):
        return read_tarball(path)
    with path.open("rb") as opened:
        content = opened.read(_READ_LIMIT_BYTES)
    place = place_of(path.absolute().as_posix())
    return [FoundFile(path.as_posix(), content, kind=place.kind if place else "user")]


def _read_folder(folder: Path) -> list[FoundFile]:
    """Read a tree, or a folder of cron's, or a folder of scripts or crontabs."""
    tree = _walk(folder)
    if tree:
        return tree
    files = sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    if files and all(each.stat().st_mode & 0o111 for each in files):
        return [_read_file(each, each.as_posix(), kind="run-parts") for each in files]
    tabs = [each for each in files if each.suffix in (".crontab", ".cron", ".tab") or "crontab" in each.stem.lower()]
    if not tabs:
        raise CrontabFileError(
            "Nothing of cron's is in this folder",
            where=str(folder),
            cure="It needs etc/ or var/spool/cron/ below it, executable scripts, or files that end in .crontab.",
        )
    return [_read_file(each, each.as_posix(), kind="user") for each in tabs]


def _walk(folder: Path) -> list[FoundFile]:
    """Read the files of cron's places below a folder, and those that say something about the host."""
    found: list[FoundFile] = []
    faults: list[CrontabError] = []
    top = folder.resolve()
    waiting, seen = [top], {top}
    while waiting:
        current = waiting.pop()
        try:
            for child in sorted(current.iterdir()):
                if _is_way(child, current == top) and child.resolve() not in seen:
                    seen.add(child.resolve())
                    waiting += [child] if child.resolve().is_relative_to(top) else []
                    found += [] if child.resolve().is_relative_to(top) else [_link(child)]
                elif _is_wanted(child):
                    found += _read_wanted(child, top)
        except OSError as error:
            faults.append(_unreadable(error.filename or str(current), error))
        if len(found) > TREE_FILE_LIMIT:
            raise CrontabFileError(
                f"There are more than {TREE_FILE_LIMIT:,} files",
                where=str(folder),
                cure="Hand over a part of the tree.",
            )
    if faults:
        raise CrontabError.all_of(faults)
    return sorted(resolve_links(found), key=lambda each: each.path) if any(_is_cron(each) for each in found) else []


def _is_way(path: Path, at_top: bool) -> bool:
    """Tell whether a folder can lead to cron's files; the top's own folders can be copies of a whole host."""
    if not path.is_dir():
        return False
    return path.name in _WAYS or (
        at_top and not path.is_symlink() and os.access(path, os.R_OK) and (path / "etc").is_dir()
    )


def _link(path: Path) -> FoundFile:
    return FoundFile(path.as_posix(), b"", link=path.readlink().as_posix() if path.is_symlink() else "", kind="link")


def _is_wanted(path: Path) -> bool:
    name = path.as_posix()
    return bool(place_of(name)) or is_fact(name) or name.endswith("/etc/localtime") or _inventory_part(name) is not None


def _is_cron(found: FoundFile) -> bool:
    return place_of("/" + found.path) is not None


def _inventory_part(path: str) -> str | None:
    """Return a path below an inventory's folder: "meta", "files.tsv", "facts/…"; None for other files."""
    _, sign, below = f"/{path}".rpartition("/inventory/")
    return below if sign and (below in ("meta", "files.tsv", "unread.tsv") or below.startswith("facts/")) else None


def _read_wanted(path: Path, top: Path) -> list[FoundFile]:
    if path.is_symlink():
        inside = path.resolve().is_relative_to(top) and path.is_file()
        if not inside or path.name == "localtime":
            return [_link(path)]
    if not path.is_file():
        return []
    return [_read_file(path, path.as_posix(), kind="")]


def _read_file(path: Path, shown: str, *, kind: str) -> FoundFile:
    with path.open("rb") as opened:
        content = opened.read(_READ_LIMIT_BYTES)
    # A copied tree rarely has the host's modes; only whether a script is executable matters to run-parts.
    place = place_of(shown)
    is_script = kind == "run-parts" or (place is not None and place.kind == "run-parts")
    return FoundFile(shown, content, mode=stat.S_IMODE(path.stat().st_mode) if is_script else None, kind=kind)


def _sort_out(found: Sequence[FoundFile]) -> Inputs:
    """Tell crontabs from facts, and give every file the mode and owner that an inventory wrote down."""
    texts: dict[str, str] = {}
    warnings: list[str] = []
    listed: dict[str, tuple[int, str]] = {}
    paths: set[str] = set()
    for each in found:
        part = _inventory_part(each.path)
        text = each.content.decode("utf-8", "replace")
        if part == "files.tsv":
            listed |= _listed(text)
        elif part == "unread.tsv":
            warnings += [f"The inventory could not read {line.replace(chr(9), ': ', 1)}." for line in text.splitlines()]
        elif part is not None:
            texts[part] = text
        elif each.path.endswith("etc/localtime"):
            texts["etc/localtime"] = each.link
        elif is_fact(each.path):
            texts[host_path(each.path)] = text
            paths.add(host_path(each.path))
    sources: list[tuple[Source, bool]] = []
    for each in found:
        if each.link and (each.kind == "link" or place_of("/" + each.path)) and not each.path.endswith("etc/localtime"):
            warnings.append(f"{each.path} is a link to {each.link}, which was not handed over: nothing of it is read.")
        elif (source := _source(each, listed)) is not None:
            sources.append((source, not each.kind))
    return Inputs(_once(_named(sources)), read_facts(texts, frozenset(paths)), tuple(warnings))


def _listed(text: str) -> dict[str, tuple[int, str]]:
    """Read an inventory's list of modes and owners."""
    found = {}
    for line in text.splitlines():
        row = line.split("\t")
        if len(row) >= 7 and row[0].isdigit():
            found[row[6].lstrip("/")] = (int(row[0], 8), row[1])
    return found


def _source(found: FoundFile, listed: dict[str, tuple[int, str]]) -> Source | None:
    if _inventory_part(found.path) is not None or found.path.endswith("etc/localtime"):
        return None
    place = place_of("/" + found.path)
    kind = found.kind or (place.kind if place else "")
    if not kind or is_fact(found.path):
        return None
    mode, owner = listed.get(host_path(found.path), (found.mode, found.owner))
    return Source(found.path, found.content, mode, owner, kind)


def _named(sources: Sequence[tuple[Source, bool]]) -> tuple[Source, ...]:
    """Name files of trees by their path on the host; what was named one by one, and twins, keep their paths."""
    names = [host_path(source.path) if of_tree else source.path for source, of_tree in sources]
    counts = Counter(names)
    return tuple(
        replace(source, path=name if counts[name] == 1 else source.path)
        for (source, _), name in zip(sources, names, strict=True)
    )


def _once(sources: Sequence[Source]) -> tuple[Source, ...]:
    """Leave out what was handed over twice.

    Raises:
        CrontabError: Two files of one path differ: they come from two hosts.
    """
    found: dict[str, Source] = {}
    faults: list[CrontabError] = []
    for each in sources:
        if found.setdefault(each.path, each).content != each.content:
            what = "Two files of this path were handed over, and differ"
            cure = "Import what comes from each host by itself, with --host NAME."
            faults.append(CrontabFileError(what, where=each.path, cure=cure))
    if faults:
        raise CrontabError.all_of(faults)
    return tuple(found.values())


def _unreadable(path: str, error: OSError) -> CrontabFileError:
    reason = error.strerror or str(error)
    cure = "Check the path."
    if isinstance(error, PermissionError):
        cure = "Read it as root, for example: sudo tar -czf cron.tar.gz /etc/cron* /var/spool/cron"
    return CrontabFileError(f"The file cannot be read: {reason}", where=path, cure=cure)
