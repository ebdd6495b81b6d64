"""Delete log files that nobody has written to for DAYS, then empty folders of that age: clean_logs.py FOLDER DAYS.

A link is deleted as a file is, and never followed. What cannot be deleted is told, and stops nothing else.
"""

import contextlib
import errno
import os
import sys
import time
from dataclasses import dataclass, field

DAY_SECONDS = 24 * 3600
NOT_OURS = "lost+found"
"""The file system's own folder at the root of a volume, which only root may read."""


@dataclass
class Cleaned:
    """What was deleted, and why something was not."""

    files: int = 0
    folders: int = 0
    size_bytes: int = 0
    faults: list[str] = field(default_factory=list)


def clean(folder: str, before: float, cleaned: Cleaned) -> None:
    """Delete what is older than `before` (seconds since 1970) in a folder, the folder itself excepted."""
    try:
        with os.scandir(folder) as entries:
            inside = [entry for entry in entries if entry.name != NOT_OURS]
    except FileNotFoundError:  # somebody else was faster, here and below
        return
    except OSError as error:
        cleaned.faults.append(str(error))
        return
    for entry in inside:
        try:
            with contextlib.suppress(FileNotFoundError):
                _clean_entry(entry, before, cleaned)
        except OSError as error:
            cleaned.faults.append(str(error))


def _clean_entry(entry: os.DirEntry[str], before: float, cleaned: Cleaned) -> None:
    # Read before anything in it is deleted, which makes a folder young. One that was young without us stays, even when
    # empty: Airflow has just made it, and writes into it next.
    status = entry.stat(follow_symlinks=False)
    if entry.is_dir(follow_symlinks=False):
        clean(entry.path, before, cleaned)
        if status.st_mtime < before:
            _remove_empty(entry.path, cleaned)
    elif status.st_mtime < before:
        os.unlink(entry.path)
        cleaned.files += 1
        cleaned.size_bytes += status.st_size


def _remove_empty(folder: str, cleaned: Cleaned) -> None:
    try:
        os.rmdir(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    else:
        cleaned.folders += 1


def main() -> int:
    """Clean the folder and say what was deleted; 1 when something could not be."""
    folder, days = sys.argv[1], int(sys.argv[2])
    if days < 1:
        print(f"DAYS is {days}, which would delete every log: give 1 or more", file=sys.stderr)
        return 2
    cleaned = Cleaned()
    clean(folder, time.time() - days * DAY_SECONDS, cleaned)
    size = f"{cleaned.size_bytes / 2**20:.1f} MiB"
    print(f"Removed {cleaned.files} files ({size}) and {cleaned.folders} empty folders older than {days} days")
    for fault in cleaned.faults:
        print(f"Not removed: {fault}", file=sys.stderr)
    return int(bool(cleaned.faults))


if __name__ == "__main__":
    sys.exit(main())
