"""Wait until the database answers and, with `--migrated`, until it has this image's revision.

Runs as an init container of every Airflow pod. It does not import Airflow (8 s of CPU, in four pods at
once): the revisions are read from the migration files' own `revision`/`down_revision` lines.
"""

import argparse
import importlib.util
import os
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psycopg2

RETRY_SECONDS = 0.5
REPORT_SECONDS = 15
REVISION = re.compile(r"""^(revision|down_revision)\s*(?::[^=]*)?=\s*(?:["'](\w+)["']|None)""", re.MULTILINE)


def revisions(texts: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return all revisions and the heads: those that no other one names as its down_revision.

    Args:
        texts: Contents of the migration files; files without a revision are passed over.
    """
    known: set[str] = set()
    parents: set[str] = set()
    for text in texts:
        found = {name: value for name, value in REVISION.findall(text)}
        if found.get("revision"):
            known.add(found["revision"])
            parents.add(found.get("down_revision", ""))
    return known, known - parents


def image_revisions() -> tuple[set[str], set[str]]:
    """Return the revisions of the Airflow in this image, without importing it."""
    spec = importlib.util.find_spec("airflow")
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = [file for folder in folders for file in Path(folder, "migrations/versions").glob("*.py")]
    known, heads = revisions(file.read_text() for file in files)
    if not heads:
        raise SystemExit(f"No Airflow migrations under {folders}: is images.airflow the image of this repo?")
    return known, heads


def fault(connection: "psycopg2.extensions.connection", known: set[str], heads: set[str]) -> str | None:
    """Return what is still missing, None when Airflow may start.

    Raises:
        SystemExit: The database has a revision that this image does not know: it was migrated by a newer one.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('alembic_version'), to_regclass('log_template')")
        if None in cursor.fetchone():
            return "the database has no Airflow tables yet"
        cursor.execute("SELECT version_num FROM alembic_version")
        found = {row[0] for row in cursor.fetchall()}
        if found - known:
            raise SystemExit(
                f"The database has revision {', '.join(sorted(found - known))}, which this image does not know: "
                "a newer Airflow migrated it. Deploy that image again, or run `airflow db downgrade` with it first."
            )
        if found != heads:
            return f"the database is at {sorted(found)}, this image needs {sorted(heads)}"
        # `airflow db migrate` writes this row last.
        cursor.execute("SELECT count(*) FROM log_template")
        return None if cursor.fetchone()[0] else "the migration is writing its last rows"


def look(dsn: str, wanted: tuple[set[str], set[str]] | None) -> str | None:
    """Connect once and return what is still missing in words, None when nothing is."""
    try:
        connection = psycopg2.connect(dsn, connect_timeout=5)
    except psycopg2.OperationalError as error:
        return str(error).strip()
    try:
        return fault(connection, *wanted) if wanted else None
    except psycopg2.Error as error:
        return str(error).strip()
    finally:
        connection.close()


def main() -> int:
    """Wait, saying every 15 s what for; 1 when the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--migrated", action="store_true", help="also wait for this image's database revision")
    parser.add_argument("--timeout", type=float, default=900, help="seconds (900)")
    arguments = parser.parse_args()
    dsn = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    wanted = image_revisions() if arguments.migrated else None
    start = last_report = time.monotonic()
    while missing := look(dsn, wanted):
        now = time.monotonic()
        if now - start > arguments.timeout:
            print(f"Waited {arguments.timeout:.0f} s for the database: {missing}", file=sys.stderr)
            return 1
        if now - last_report > REPORT_SECONDS:
            print(f"Waiting for the database: {missing}", flush=True)
            last_report = now
        time.sleep(RETRY_SECONDS)
    print(f"Database is ready after {time.monotonic() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
