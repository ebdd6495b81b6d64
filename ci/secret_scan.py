"""Fail when a password, a token or a private key is written down in a file of this folder: git keeps it for ever.

What `cronlift check` says of the files of a change, said of all. What is told by its place alone, such as
`password="..."`, counts everywhere but in tests/.
"""

import sys
from pathlib import Path

from ci.repo_files import repo_files
from cronlift.cli.secret_files import written_secrets


def main() -> None:
    """Print every such line and exit 1 when there is one."""
    root = Path.cwd()
    faults = list(written_secrets(root, repo_files(root)))
    for fault in faults:
        print(fault)
    if faults:
        sys.exit(1)


if __name__ == "__main__":
    main()
