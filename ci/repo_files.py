"""The files of the repo that git tracks or would track: what checks look at."""

import fnmatch
from collections.abc import Iterable
from pathlib import Path

from ci.process import run


def repo_files(root: Path) -> list[str]:
    """Return every file that exists and is not ignored by git, relative to the root, sorted."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=root).split("\0")
    return sorted({name for name in listed if name and (root / name).is_file()})


def matching(files: Iterable[str], *patterns: str) -> list[str]:
    """Return the files that match one of the shell patterns; `*` also crosses folders."""
    return [name for name in files if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def shell_scripts(root: Path, files: Iterable[str]) -> list[str]:
    """Return the files that a POSIX shell or Bash runs: by their ending, or by their first line."""
    found = []
    for name in files:
        if name.endswith((".sh", ".bash")):
            found.append(name)
        elif "." not in Path(name).name:
            with (root / name).open("rb") as file:
                first = file.readline(80).split()
            if first[:1] and first[0].startswith(b"#!") and first[-1].rpartition(b"/")[2] in (b"sh", b"bash", b"dash"):
                found.append(name)
    return found
