"""Wait until the database answers and, with `--migrated`, until it has this image's revision.

Runs as an init container of every Airflow pod and of the migration. It ends with words that say the cure where waiting
does not help: a database that a newer Airflow has migrated, a fernet key that is not the one of its secrets, a
password that it refuses, a URL that one of the two drivers does not understand. It does not import Airflow (8 s of
CPU, in four pods at once): the revisions are read from the migration files' own `revision`/`down_revision` lines.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import cronlift_database
import psycopg2

RETRY_SECONDS = 0.5
REPORT_SECONDS = 15
REFUSED_SECONDS = 60
"""How long a refused password is tried again: a Secret and a database that are changed together need a moment."""

REVISION = re.compile(r"""^(revision|down_revision)\s*(?::[^=]*)?=\s*(?:["'](\w+)["']|None)""", re.MULTILINE)
ENCRYPTED = """
SELECT 'connection ' || conn_id, password FROM connection WHERE is_encrypted AND password <> ''
UNION ALL SELECT 'connection ' || conn_id, extra FROM connection WHERE is_extra_encrypted AND extra <> ''
UNION ALL SELECT 'variable ' || key, val FROM variable WHERE is_encrypted AND val <> ''
"""


class HopelessError(Exception):
    """Waiting does not heal this; the text says what does."""


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
    """Return the revisions of the Airflow in this image, without importing it.

    Raises:
        HopelessError: There is no Airflow.
    """
    spec = importlib.util.find_spec("airflow")
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = [file for folder in folders for file in Path(folder, "migrations/versions").glob("*.py")]
    known, heads = revisions(file.read_text() for file in files)
    if not heads:
        raise HopelessError(f"No Airflow migrations under {folders}: is images.airflow the image of this repo?")
    return known, heads


def newer_fault(found: set[str], known: set[str], version: str) -> str | None:
    """Return the cure for a database with a revision that this image does not know, None when it knows all.

    Args:
        found: Revisions of the database.
        known: Those of this image.
        version: Of this image's Airflow.
    """
    if not found - known:
        return None
    return (
        f"The database has revision {', '.join(sorted(found - known))}, which this image (Airflow {version}) does not "
        "know: a newer Airflow migrated it. Nothing was changed. Deploy that image again; or deploy it with "
        f"migrate.downgradeTo={version}, which runs `airflow db downgrade`, and then roll back. docs/rollback.md has "
        "the steps."
    )


def key_fault(rows: Iterable[tuple[str, str]], keys: str, secret: str) -> str | None:
    """Return the cure when no encrypted value can be read with these keys, None when some or all can.

    One that can be read says that the key is right: the others are older than it, and no reason to stop.

    Args:
        rows: What it is called, and its encrypted text.
        keys: The fernet keys, comma-separated, as Airflow takes them.
        secret: `namespace/name` of the Secret that they come from, for the cure.
    """
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

    try:
        fernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",")])
    except ValueError as error:
        return f"The fernet-key of Secret {secret} is none ({error}): 32 bytes in url-safe base64."
    unreadable = []
    for name, text in rows:
        try:
            fernet.decrypt(text.encode())
        except InvalidToken:
            unreadable.append(name)
            continue
        return None
    if not unreadable:
        return None
    namespace, _, name = secret.partition("/")
    return (
        f"The fernet-key of Secret {secret} is not the one with which this database was encrypted: none of "
        f"{len(unreadable)} values can be read ({', '.join(unreadable[:5])}). Nothing was changed. Put the old key "
        f"back from your copy: kubectl -n {namespace} patch secret {name} --type=merge "
        """-p '{"stringData": {"fernet-key": "<the old key>"}}'. If it is lost for good, delete these connections """
        "and variables from the database and enter them anew: docs/backup.md has the steps."
    )


def url_fault(environment: Mapping[str, str]) -> str | None:
    """Return the cure for a connection that Airflow cannot use although it may look well, None for a good one.

    Args:
        environment: Has the URL, from a Secret with a whole one or made of the bundled database's password.
    """
    given, secret = environment.get(cronlift_database.AIRFLOW_VARIABLE, ""), environment.get("CRONLIFT_SECRET", "")
    password = environment.get(f"{cronlift_database.PREFIX}PASSWORD", "")
    if given and quote(password, safe="") != password:
        return (
            f"The postgres-password of Secret {secret} has characters that a URL cannot hold: use letters, digits and "
            "- . _ ~ alone. A database that was made with it needs the new one too: docs/secrets.md has the command."
        )
    if options := sorted(name for name, _ in parse_qsl(urlsplit(given).query) if name.startswith("ssl")):
        return (
            f"The URL of the database has {', '.join(options)}, which one of Airflow's two drivers does not know: "
            "leave it out of the URL and set database.tls.mode (and .caSecret) in the values."
        )
    return None


def fault(connection: "psycopg2.extensions.connection", known: set[str], heads: set[str]) -> str | None:
    """Return what is still missing, None when Airflow may start.

    Raises:
        HopelessError: A newer Airflow migrated the database, or another fernet key encrypted it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('alembic_version'), to_regclass('log_template')")
        if None in cursor.fetchone():
            return "the database has no Airflow tables yet"
        cursor.execute("SELECT version_num FROM alembic_version")
        found = {row[0] for row in cursor.fetchall()}
        if hopeless := newer_fault(found, known, importlib.metadata.version("apache-airflow-core")):
            raise HopelessError(hopeless)
        if keys := os.environ.get("AIRFLOW__CORE__FERNET_KEY"):
            cursor.execute(ENCRYPTED)
            if hopeless := key_fault(cursor, keys, os.environ.get("CRONLIFT_SECRET", "")):
                raise HopelessError(hopeless)
        if found != heads:
            return f"the database is at {sorted(found)}, this image needs {sorted(heads)}"
        # `airflow db migrate` writes this row last.
        cursor.execute("SELECT count(*) FROM log_template")
        return None if cursor.fetchone()[0] else "the migration is writing its last rows"


def look(wanted: tuple[set[str], set[str]], *, migrated: bool) -> str | None:
    """Connect once and return what is still missing in words, None when nothing is."""
    try:
        connection = cronlift_database.connect(timeout_seconds=5)
    except psycopg2.OperationalError as error:
        return str(error).strip()
    try:
        missing = fault(connection, *wanted)
    except psycopg2.Error as error:
        missing = str(error).strip()
    finally:
        connection.close()
    return missing if migrated else None


def refused(missing: str) -> bool:
    """Tell whether the database answers, and does not let us in."""
    return "password authentication failed" in missing or ("role " in missing and "does not exist" in missing)


def migrate_cure(migrated: bool) -> str:
    """Return what to do about a migration that does not come, nothing for the migration itself."""
    if not migrated:
        return ""
    kubectl = f"kubectl -n {os.environ.get('CRONLIFT_SECRET', '').partition('/')[0]}"
    selector = "-l app.kubernetes.io/component=migrate"
    return (
        f". The migrate Job brings a database that answers to this image; what it says: {kubectl} logs {selector} "
        f"--all-containers --ignore-errors. It tries again by itself; at once: {kubectl} delete job {selector}, then "
        "deploy again."
    )


def wait(*, migrated: bool, timeout_seconds: float) -> None:
    """Wait, saying every 15 s what for.

    Raises:
        HopelessError: Waiting does not help, or the time is over.
    """
    if hopeless := url_fault(os.environ):
        raise HopelessError(hopeless)
    wanted = image_revisions()
    start = last_report = time.monotonic()
    while missing := look(wanted, migrated=migrated):
        now = time.monotonic()
        if refused(missing) and now - start > REFUSED_SECONDS:
            raise HopelessError(
                f"The database refuses the login: {missing} Put the password that it knows into the Secret, or give "
                "the user the one of the Secret; docs/secrets.md has both commands."
            )
        if now - start > timeout_seconds:
            raise HopelessError(f"Waited {timeout_seconds:.0f} s for the database: {missing}{migrate_cure(migrated)}")
        if now - last_report > REPORT_SECONDS:
            print(f"Waiting for the database: {missing}", flush=True)
            last_report = now
        time.sleep(RETRY_SECONDS)
    print(f"Database is ready after {time.monotonic() - start:.1f} s")


def main() -> int:
    """Wait; 1 with the cure when that is in vain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--migrated", action="store_true", help="also wait for this image's database revision")
    parser.add_argument("--timeout", type=float, default=900, help="seconds (900)")
    arguments = parser.parse_args()
    try:
        wait(migrated=arguments.migrated, timeout_seconds=arguments.timeout)
    except HopelessError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
