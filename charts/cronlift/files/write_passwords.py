"""Write the passwords file that Airflow's simple auth manager opens for writing.

The manager opens its file with `a+` and `r+` even when it changes nothing, so a Secret, which is
mounted read-only, cannot be that file. This copies the one password into a memory-backed folder.
Usage: write_passwords.py USER PASSWORD_FILE TARGET.
"""

import json
import sys
from pathlib import Path


def main() -> int:
    """Write `{user: password}` to the target, readable by this user only."""
    user, source, target = sys.argv[1:]
    password = Path(source).read_text().rstrip("\n")
    if not password:
        print(f"{source} is empty: set the key admin-password of the Secret", file=sys.stderr)
        return 1
    path = Path(target)
    path.touch(mode=0o600)
    path.write_text(json.dumps({user: password}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
