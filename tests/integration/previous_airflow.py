"""The Airflow of the minor before ours: what an upgrade really comes from."""

from pathlib import Path

from ci.pins import pins
from tests.integration.airflow_environments import installed


def version() -> str:
    """Return its version."""
    return pins()["PREVIOUS_AIRFLOW_VERSION"]


def environment() -> Path:
    """Return the folder of its programs."""
    packages = (f"apache-airflow-core=={version()}", "apache-airflow-providers-standard", "psycopg2-binary", "asyncpg")
    # As of its own days: later releases of what it needs were made for later Airflows.
    options = ("--exclude-newer", pins()["PREVIOUS_AIRFLOW_DATE"])
    return installed(f"airflow-{version()}", *packages, options=options)
