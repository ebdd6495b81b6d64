"""How the chart's programs, and Airflow itself, reach the database.

Airflow takes a URL, but a Secret holds a user and a password with any characters: run as a program, this prints the
URL with both quoted (`[database] sql_alchemy_conn_cmd`). `SYNC_ARGUMENTS` and `ASYNC_ARGUMENTS` are what Airflow's two
drivers, psycopg2 and asyncpg, need beside it (`sql_alchemy_connect_args`, `sql_alchemy_connect_args_async`): TLS,
which each calls by another name, and what PgBouncer in transaction mode cannot do.
"""

import os
import re
import ssl
import sys
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

AIRFLOW_VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
PREFIX = "CRONLIFT_DATABASE_"


def url(environment: Mapping[str, str] = os.environ) -> str:
    """Return the connection as a URL that SQLAlchemy takes.

    Args:
        environment: Has either the URL itself, or user, password, host, port and name of the database.
    """
    if given := environment.get(AIRFLOW_VARIABLE):
        return given
    part = {name: environment[PREFIX + name.upper()] for name in ("user", "password", "host", "port", "name")}
    host = f"[{part['host']}]" if ":" in part["host"] else part["host"]
    login = f"{quote(part['user'], safe='')}:{quote(part['password'], safe='')}"
    return f"postgresql+psycopg2://{login}@{host}:{part['port']}/{quote(part['name'], safe='')}"


def sync_arguments(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the arguments of psycopg2 beside the URL; none when nothing asks for TLS."""
    mode, authority = environment.get(f"{PREFIX}TLS", ""), environment.get(f"{PREFIX}CA", "")
    found = {"sslmode": mode} if mode else {}
    return {**found, "sslrootcert": authority} if authority else found


def async_arguments(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the arguments of asyncpg beside the URL."""
    mode, authority = environment.get(f"{PREFIX}TLS", ""), environment.get(f"{PREFIX}CA", "")
    found: dict[str, Any] = {}
    if mode in ("prefer", "require"):
        found["ssl"] = mode
    elif mode:
        context = ssl.create_default_context(cafile=authority or None)
        context.check_hostname = mode == "verify-full"
        found["ssl"] = context
    if environment.get(f"{PREFIX}PGBOUNCER"):
        # A statement prepared on one server connection is unknown on the next one.
        found["statement_cache_size"] = 0
        found["prepared_statement_cache_size"] = 0
        found["prepared_statement_name_func"] = lambda: f"__asyncpg_{uuid.uuid4()}__"
    return found


def connect(timeout_seconds: int) -> "psycopg2.extensions.connection":  # noqa: F821 - imported where it is needed
    """Open a connection as Airflow would.

    Raises:
        psycopg2.OperationalError: The database does not answer or refuses.
    """
    import psycopg2

    plain = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", url())
    return psycopg2.connect(plain, connect_timeout=timeout_seconds, **sync_arguments())


def __getattr__(name: str) -> dict[str, Any]:
    """Make the two dictionaries when Airflow asks for them, not for the mere URL."""
    if name == "SYNC_ARGUMENTS":
        return sync_arguments()
    if name == "ASYNC_ARGUMENTS":
        return async_arguments()
    raise AttributeError(name)


if __name__ == "__main__":
    sys.stdout.write(url())
