"""What one commit makes the DAG processor parse: a real one, with a database of its own, without the platform."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.bundle.conftest import Repository

LONG = bool(os.environ.get("LONG"))
TEAMS, DAGS = (50, 10) if LONG else (5, 4)
IDLE_SECONDS = 60 if LONG else 10
BOTH = {"with copies": True, "without copies": False} if LONG else {"with copies": True}
"""The second says what the copies are for; once in the long form is enough."""

READY_SECONDS = 400
SETTLE_SECONDS = 12
"""Refreshes come every 2 s; what has not been parsed after this is not going to be."""

DAG = """\
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG({dag_id!r}, schedule=None, tags={tags!r}):
    EmptyOperator(task_id="nothing")
"""


class Processor:
    """A DAG processor over a repository that is published as git-sync does it.

    Args:
        base: Folder for all of it.
        copies: GitSyncBundle, or else LocalDagBundle.
    """

    def __init__(self, base: Path, *, copies: bool) -> None:
        base.mkdir()
        self.repository = Repository(base)
        for team in range(TEAMS):
            for number in range(DAGS):
                self.write(team, number, "first")
        self.repository.write("README.md", "first\n")
        self.repository.publish()
        self.database = base / "airflow.db"
        self._environment = self._settings(base, copies)
        self._run("db", "migrate")
        self._log = (base / "log").open("wb")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "dag-processor"], env=self._environment, stdout=self._log,
            stderr=subprocess.STDOUT, cwd=base,
        )  # fmt: skip

    def write(self, team: int, number: int, tag: str) -> None:
        """Write a DAG of a team."""
        dag_id = f"team{team}__dag{number}"
        self.repository.write(f"dags/team{team}/dag{number}.py", DAG.format(dag_id=dag_id, tags=[tag]))

    def parsed(self) -> dict[str, str]:
        """Return when each DAG was parsed last."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30) as connection:
            return dict(connection.execute("SELECT dag_id, last_parsed_time FROM dag WHERE NOT is_stale"))

    def wait_parsed(self, is_true: Callable[[dict[str, str]], bool]) -> float:
        """Wait until something holds of the parses; return the seconds that took."""
        started = time.monotonic()
        while not is_true(self.parsed()):
            assert self.process.poll() is None, "the DAG processor ended"
            assert time.monotonic() - started < READY_SECONDS
            time.sleep(0.2)
        return time.monotonic() - started

    def settle(self) -> None:
        """Wait until nothing has been parsed for a while."""
        before: dict[str, str] = {}
        while (now := self.parsed()) != before:
            assert time.monotonic() - self.started < READY_SECONDS * 2
            before = now
            time.sleep(SETTLE_SECONDS)

    def reparsed_by(self, change: Callable[[], None]) -> int:
        """Publish a change, give it time, and return how many DAG files were parsed for it."""
        before = self.parsed()
        change()
        self.repository.publish()
        time.sleep(SETTLE_SECONDS)
        after = self.parsed()
        return len([dag for dag in before if after.get(dag) != before[dag]])

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process and of its children that have ended."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(60)
        self._log.close()

    def _settings(self, base: Path, copies: bool) -> dict[str, str]:
        bundles = []
        for team in range(TEAMS):
            path = f"dags/team{team}"
            kwargs = {"refresh_interval": 2, "path": path if copies else f"{self.repository.link}/{path}"}
            if copies:
                kwargs["link"] = str(self.repository.link)
            where = (
                "cronlift.airflow.bundle.GitSyncBundle"
                if copies
                else "airflow.dag_processing.bundles.local.LocalDagBundle"
            )
            bundles.append({"name": f"team{team}", "classpath": where, "kwargs": kwargs})
        # As the chart sets them.
        options = {
            "CORE__LOAD_EXAMPLES": "False", "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}",
            "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1", "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
            "DAG_PROCESSOR__PARSING_PROCESSES": "2", "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            "DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(base / "bundles"),
        }  # fmt: skip
        own = {f"AIRFLOW__{name}": value for name, value in options.items()}
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**environment, "AIRFLOW_HOME": str(base / "home"), **own}

    def _run(self, *words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "airflow", *words],
            env=self._environment,
            check=True,
            capture_output=True,
            timeout=300,
        )


@pytest.fixture(params=BOTH.values(), ids=BOTH.keys())
def processor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Processor]:
    started = Processor(tmp_path / "site", copies=request.param)
    started.copies = request.param
    yield started
    started.stop()


def test_a_commit_is_worth_as_many_parses_as_it_changes_files(processor: Processor, figures: dict[str, Any]) -> None:
    processor.wait_parsed(lambda parsed: len(parsed) == TEAMS * DAGS)
    first = time.monotonic() - processor.started
    processor.settle()  # what was parsed while the first copies were made is parsed once more
    before, started = processor.cpu_seconds(), time.monotonic()
    time.sleep(IDLE_SECONDS)
    idle = (processor.cpu_seconds() - before) * 60 / (time.monotonic() - started)
    readme = processor.reparsed_by(lambda: processor.repository.write("README.md", f"{time.time_ns()}\n"))
    one = processor.reparsed_by(lambda: processor.write(0, 0, "second"))
    figures[f"parses_of_{TEAMS * DAGS}_dags_{'with' if processor.copies else 'without'}_copies"] = {
        "first_parse_of_all_seconds": round(first, 1), "readme_commit_parses": readme, "one_changed_dag_parses": one,
        "idle_cpu_seconds_a_minute": round(idle, 2),
    }  # fmt: skip
    if processor.copies:
        assert (readme, one) == (0, 1)
    else:
        # How many it gets through in that time is the machine's matter; with the copies it is none.
        assert readme > 10, "if Airflow parses no more than that, the copies are not needed"
