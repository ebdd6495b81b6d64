"""Fail when a file names a folder of the machine that it was written on: it would not work anywhere else."""

import re
import sys
from pathlib import Path

from ci import paths
from ci.repo_files import repo_files

HARMLESS = {"/", "/root", "/home/runner", "/opt/airflow"}
"""Homes that containers and scripts name for good reasons."""


def main() -> None:
    """Print every such line and exit 1 when there is one."""
    found = foreign_paths(paths.ROOT, [str(paths.ROOT), str(Path.home())])
    for line in found:
        print(line)
    if found:
        print("Write a path relative to the repo, or one that the program looks up.")
        sys.exit(1)


def foreign_paths(root: Path, folders: list[str]) -> list[str]:
    """Return `file:line: text` for each line that names one of the folders or something in it."""
    wanted = [re.escape(folder) for folder in folders if folder not in HARMLESS]
    if not wanted:
        return []
    pattern = re.compile(rf"(?<![\w.:/-])(?:{'|'.join(wanted)})(?![\w.-])".encode())
    faults = []
    for name in repo_files(root):
        content = (root / name).read_bytes()
        if b"\0" in content[:4096] or not pattern.search(content):
            continue
        for number, line in enumerate(content.splitlines(), start=1):
            if pattern.search(line):
                faults.append(f"{name}:{number}: {line.decode(errors='replace').strip()[:160]}")
    return faults


if __name__ == "__main__":
    main()
