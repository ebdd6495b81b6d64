"""Bring the database to the image's revision, and the teams' pools to the values'. Both do no harm twice.

With CRONLIFT_DOWNGRADE_TO (`migrate.downgradeTo`) it goes the other way, to the revision of an older Airflow, once
scheduler, triggerer and dag-processor have stopped.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cronlift_database
import psycopg2

POOLS_FILE = Path("/tmp/pools.json")  # noqa: S108 - the pod's own memory
SILENT_SECONDS = 30
"""A component that runs beats at least every 5 s."""

STOP_SECONDS = 900
"""A scheduler lets its Python tasks finish: 600 s by default."""

RETRY_SECONDS = 1
RUNNING = """
SELECT DISTINCT job_type FROM job
WHERE state = 'running' AND latest_heartbeat > now() - make_interval(secs => %s)
"""


def commands(pools: str, downgrade_to: str = "") -> list[list[str]]:
    """Return what to run, in order.

    Args:
        pools: JSON as `airflow pools import` takes it, or empty.
        downgrade_to: Version of an older Airflow; empty to go up to this image's revision.
    """
    if downgrade_to:
        return [["airflow", "db", "downgrade", "--to-version", downgrade_to, "--yes"]]
    found = [["airflow", "db", "migrate"]]
    return [*found, ["airflow", "pools", "import", str(POOLS_FILE)]] if pools else found


def running() -> list[str]:
    """Return the kinds of components that are alive."""
    connection = cronlift_database.connect(timeout_seconds=5)
    try:
        with connection.cursor() as cursor:
            cursor.execute(RUNNING, (SILENT_SECONDS,))
            return sorted(row[0] for row in cursor.fetchall())
    finally:
        connection.close()


def wait_until_stopped(timeout_seconds: float) -> str | None:
    """Wait until no component is alive; return what still is when the time is over."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            alive = ", ".join(running())
        except psycopg2.Error as error:
            alive = str(error).strip()
        if not alive:
            return None
        if time.monotonic() > deadline:
            return alive
        time.sleep(RETRY_SECONDS)


def main() -> int:
    """Run them; stop at the first that fails."""
    pools, downgrade_to = os.environ.get("CRONLIFT_POOLS", ""), os.environ.get("CRONLIFT_DOWNGRADE_TO", "")
    if downgrade_to and (alive := wait_until_stopped(STOP_SECONDS)):
        print(f"Nothing was changed: still running after {STOP_SECONDS} s: {alive}", file=sys.stderr)
        return 1
    if pools:
        POOLS_FILE.write_text(json.dumps(json.loads(pools)))
    for command in commands(pools, downgrade_to):
        if code := subprocess.run(command, check=False).returncode:
            print(f"{' '.join(command)} ended with {code}; the lines above say why", file=sys.stderr)
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
