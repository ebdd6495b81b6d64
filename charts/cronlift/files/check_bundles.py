"""`helm test`: every team's bundle has been read, and every DAG file of it imports. Usage: check_bundles.py TEAM..."""

import sys
import time

import cronlift_database
import psycopg2

PATIENCE_SECONDS = 120
RETRY_SECONDS = 2


def faults(teams: list[str], bundles: dict[str, int], errors: list[tuple[str, str, str]]) -> list[str]:
    """Return what is wrong, a line each.

    Args:
        teams: Every team of the release.
        bundles: Number of DAGs of each bundle that has been read.
        errors: Bundle, file and stack trace of each file that does not import.
    """
    missing = [f"team {team}: its bundle has not been read yet" for team in teams if team not in bundles]
    broken = [f"team {team}: {name}: {trace.strip().splitlines()[-1]}" for team, name, trace in errors if team in teams]
    return missing + broken


def ask() -> tuple[dict[str, int], list[tuple[str, str, str]]]:
    """Return bundles and import errors from the database."""
    connection = cronlift_database.connect(timeout_seconds=5)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT b.name, count(d.dag_id) FROM dag_bundle b "
                "LEFT JOIN dag d ON d.bundle_name = b.name AND NOT d.is_stale "
                "WHERE b.active AND b.last_refreshed IS NOT NULL GROUP BY b.name"
            )
            bundles = dict(cursor.fetchall())
            cursor.execute("SELECT bundle_name, filename, coalesce(stacktrace, '?') FROM import_error")
            return bundles, cursor.fetchall()
    finally:
        connection.close()


def main() -> int:
    """Ask until all is well or two minutes are over, then say what is not."""
    teams = sys.argv[1:]
    deadline = time.monotonic() + PATIENCE_SECONDS
    found, bundles = ["nothing was asked yet"], {}
    while found and time.monotonic() < deadline:
        try:
            bundles, errors = ask()
            found = faults(teams, bundles, errors)
        except psycopg2.Error as error:
            found = [f"database: {str(error).strip()}"]
        if found:
            time.sleep(RETRY_SECONDS)
    for line in found:
        print(f"x {line}", file=sys.stderr)
    for team in teams if not found else ():
        print(f"ok team {team}: {bundles[team]} DAGs, no import errors")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
