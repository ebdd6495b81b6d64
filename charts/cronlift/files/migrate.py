"""Bring the database to the image's revision, and the teams' pools to the values'. Both do no harm twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

POOLS_FILE = Path("/tmp/pools.json")  # noqa: S108 - the pod's own memory


def commands(pools: str) -> list[list[str]]:
    """Return what to run, in order; pools are JSON as `airflow pools import` takes them, or empty."""
    found = [["airflow", "db", "migrate"]]
    return [*found, ["airflow", "pools", "import", str(POOLS_FILE)]] if pools else found


def main() -> int:
    """Run them; stop at the first that fails."""
    pools = os.environ.get("CRONLIFT_POOLS", "")
    if pools:
        POOLS_FILE.write_text(json.dumps(json.loads(pools)))
    for command in commands(pools):
        if code := subprocess.run(command, check=False).returncode:
            print(f"{' '.join(command)} ended with {code}; the lines above say why", file=sys.stderr)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
