"""What the pods of a release run, with what the chart gives them, against a real PostgreSQL."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet

from ci.paths import ROOT
from tests.integration.own_postgres import NAME, Server, running

SCRIPTS = ROOT / "charts/cronlift/files"
KEY = Fernet.generate_key().decode()


class Pods:
    """Runs what the pods of a release run, with what the chart gives them."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server = server
        self.base = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__")},
            "AIRFLOW_HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": KEY,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": f"python {SCRIPTS / 'cronlift_database.py'}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "cronlift_database.SYNC_ARGUMENTS",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC": "cronlift_database.ASYNC_ARGUMENTS",
            "PYTHONPATH": str(SCRIPTS),
            "CRONLIFT_SECRET": "cronlift/cronlift-secrets",
            "CRONLIFT_POOLS": '{"billing": {"slots": 8, "description": "x", "include_deferred": true}}',
        }

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program; `more` are further variables, or parts of the database in capitals."""
        parts = {
            key: value for key, value in more.items() if key in ("PASSWORD", "TLS", "CA", "PGBOUNCER", "HOST", "PORT")
        }
        environment = {
            **self.base,
            **self.server.variables(**parts),
            **{k: v for k, v in more.items() if k not in parts},
        }
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=300)

    def orm(self, code: str) -> str:
        """Run Python inside Airflow with a session, which is committed; return what it printed last."""
        head = "from airflow import settings\nfrom datetime import UTC, datetime, timedelta\n"
        head += "now = datetime.now(UTC)\nwith settings.Session() as session:\n"
        lines = "".join(f"    {line}\n" for line in code.strip().splitlines())
        done = self.run("python", "-c", f"{head}{lines}    session.commit()\n")
        assert done.returncode == 0, done.stdout + done.stderr
        return (done.stdout.strip().splitlines() or [""])[-1]

    def script(self, name: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one of the chart's scripts."""
        return self.run("python", str(SCRIPTS / f"{name}.py"), *words, **more)


@contextmanager
def empty_database(name: str = NAME) -> Iterator[Pods]:
    """Run a server with an empty database of this name for a block."""
    # Not pytest's own folder: PostgreSQL's user must be able to enter it.
    with tempfile.TemporaryDirectory(prefix="cronlift-postgres-") as folder, running(Path(folder), name) as server:
        Path(folder).chmod(0o755)
        home = Path(folder, "home")
        home.mkdir()
        yield Pods(server, home)
