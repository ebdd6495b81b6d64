"""The repository of the local platform in a test's hands: commits of its own, and what Airflow makes of them.

`make up` serves snapshots of the working tree from a bare repository. A test pushes to that one, past the working tree,
which stays as it is; at the end the last snapshot is the head again.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from ci.airflow_api import Airflow, ApiError
from ci.cluster import choose
from ci.errors import CiError
from ci.git_server import NAME as REPOSITORY
from ci.kubectl import kubectl
from ci.paths import KUBECONFIG, ROOT, STATE
from ci.release import NAME, NAMESPACE
from ci.up import GIT_SERVER, why_silent
from tests.live.undo import Undoing
from tests.live.waiting import wait_for

TEAM = "demo"
FOLDER = f"dags/{TEAM}"
PREFIX = "e2e_delivery_"
ARRIVES_SECONDS = 60
"""Far more than a push takes (see tests/bench/test_delivery.py): a limit for a machine that does other things too."""

DAG_SOURCE = '''\
"""Written by a live test of the delivery."""

from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("demo__{stem}", schedule=None, catchup=False, tags={tags!r}):
    EmptyOperator(task_id="nothing")
'''


METRICS = """
import sys
sys.path.insert(0, "/opt/cronlift")
import metrics
print(metrics.render(metrics.Database().samples(), "here"))
"""


class Delivery:
    """A checkout to commit in, its way to Airflow, and what is seen at the far end.

    Args:
        airflow: The far end.
        folder: Where the checkout is made.
    """

    def __init__(self, airflow: Airflow, folder: Path) -> None:
        self.airflow, self.folder = airflow, folder / "checkout"
        self.bare = STATE / "git" / REPOSITORY
        self.head = self.bare_git("rev-parse", "refs/heads/main")
        subprocess.run(["git", "clone", "--quiet", self.bare, self.folder], check=True)
        for key, value in {"user.name": "Test", "user.email": "test@example.invalid"}.items():
            self.git("config", key, value)

    def git(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """Run git in the checkout."""
        return _run("git", "-C", str(self.folder), *words, env=env)

    def bare_git(self, *words: str) -> str:
        """Run git in the repository that is served."""
        return _run("git", f"--git-dir={self.bare}", *words)

    def undoing(self) -> Undoing:
        """Bring the last snapshot back at the end of a block, however it ends."""
        return Undoing(["git", f"--git-dir={self.bare}", "update-ref", "refs/heads/main", self.head])

    def write(self, path: str, text: str) -> None:
        """Write a file of the checkout."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def write_dag(self, stem: str, *tags: str) -> str:
        """Write a DAG with these tags; return its id."""
        self.write(f"{FOLDER}/{PREFIX}{stem}.py", DAG_SOURCE.format(stem=PREFIX + stem, tags=list(tags)))
        return f"demo__{PREFIX}{stem}"

    def commit(self, **env: str) -> str:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "Change", env=env)
        return self.git("rev-parse", "HEAD")

    def push(self, **env: str) -> str:
        """Commit everything and push it, whatever the remote has."""
        commit = self.commit(**env)
        self.git("push", "--quiet", "--force", "origin", "HEAD:main")
        return commit

    def tags(self, dag_id: str) -> set[str]:
        """Return the tags that Airflow knows of a DAG; empty when it does not know it."""
        try:
            return {tag["name"] for tag in self.airflow.get(f"/dags/{dag_id}")["tags"]}
        except ApiError:
            return set()

    def wait_tag(self, dag_id: str, tag: str, timeout_seconds: float = ARRIVES_SECONDS) -> float:
        """Wait until a DAG has a tag; return the seconds that took."""
        return wait_for(lambda: tag in self.tags(dag_id), f"tag {tag} of {dag_id}", timeout_seconds)

    def wait_arrival(self, timeout_seconds: float = ARRIVES_SECONDS) -> float:
        """Push a change of the witness DAG and wait until Airflow has it: delivery works."""
        tag = f"t{time.time_ns()}"
        dag_id = self.write_dag("witness", tag)
        self.push()
        return self.wait_tag(dag_id, tag, timeout_seconds)

    def where(self, *words: str) -> dict[str, Any]:
        """Return what `cronlift where --json` says; `exit_code` with it."""
        command = [sys.executable, "-c", "from cronlift.cli.main import main; main()", "where", "--json", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, cwd=self.folder,
            env={**os.environ, "KUBECONFIG": str(KUBECONFIG), "NO_PROXY": "*"},
        )  # fmt: skip
        if not done.stdout:
            raise AssertionError(f"cronlift where said nothing but: {done.stderr}")
        return {**json.loads(done.stdout), "exit_code": done.returncode}

    def bad_facts(self) -> list[str]:
        """Return what `cronlift where` says is in the way."""
        return [fact["what"] for fact in self.where()["facts"] if fact["mark"] == "bad"]

    def wait_words(self, words: str, timeout_seconds: float = 90, *, or_words: str | None = None) -> str:
        """Wait until the UI's banner says something, or else another thing; return the sentence."""
        wanted = [words, *([or_words] if or_words else [])]
        found: list[str] = []

        def is_said() -> bool:
            found[:] = [text for text in self.airflow.alerts() if any(each in text for each in wanted)]
            return bool(found)

        wait_for(is_said, f"{words!r} on the UI's home page", timeout_seconds)
        return found[0]

    def wait_no_words(self, timeout_seconds: float = 90) -> None:
        """Wait until the banner is empty again."""
        wait_for(lambda: not self.airflow.alerts(), "end of the banner", timeout_seconds)

    def metrics(self) -> dict[str, float]:
        """Return what the chart's exporter says of the team's delivery; its program is there though not deployed."""
        text = execute("scheduler", "scheduler", "python", "-c", METRICS)
        found: dict[str, float] = {}
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if line.startswith("cronlift_") and f'team="{TEAM}"' in line:
                found[name.partition("{")[0]] = float(value)
        return found

    def parsed_at(self) -> dict[str, datetime]:
        """Return when each DAG was parsed last."""
        dags = self.airflow.get("/dags", limit=1000)["dags"]
        return {dag["dag_id"]: datetime.fromisoformat(dag["last_parsed_time"]) for dag in dags}


def execute(component: str, container: str, *words: str) -> str:
    """Run a program in a container of a component's pod."""
    return kubectl("exec", f"deployment/{NAME}-{component}", f"--namespace={NAMESPACE}", f"--container={container}",
                   "--", *words)  # fmt: skip


def git_address() -> str:
    """Return the address on which the working tree is served."""
    return choose().host_address()


@contextmanager
def no_git_server() -> Iterator[None]:
    """Stop the git server for a block."""
    command = [sys.executable, "-m", "ci.git_server", "--listen", git_address(), "--as-it-is"]
    GIT_SERVER.stop()
    try:
        yield
    finally:
        GIT_SERVER.start(command)
        wait_for(lambda: why_silent(git_address()) is None, "git server", 30)


@contextmanager
def defect(name: str, *components: str) -> Iterator[None]:
    """Have the git-sync stand-in show a defect for a block."""
    file = f"/tmp/defect-{name}"
    for component in components:
        execute(component, "git-sync", "touch", file)
    try:
        yield
    finally:
        for component in components:
            execute(component, "git-sync", "rm", "-f", file)


@contextmanager
def delivered(airflow: Airflow, folder: Path) -> Iterator[Delivery]:
    """Lend the repository to a test, with a witness DAG that is live; all is as before at the end."""
    delivery = Delivery(airflow, folder)
    with delivery.undoing():
        delivery.wait_arrival()
        yield delivery
    shutil.rmtree(delivery.folder, ignore_errors=True)
    with suppress(CiError, AssertionError):
        wait_for(lambda: not _known(airflow), "end of the tests' DAGs", ARRIVES_SECONDS)
    for dag_id in _known(airflow, stale=True):
        with suppress(ApiError):
            airflow.delete(f"/dags/{dag_id}")


def _known(airflow: Airflow, *, stale: bool = False) -> list[str]:
    found = airflow.get("/dags", limit=1000, dag_id_pattern=f"demo__{PREFIX}%", exclude_stale=not stale)["dags"]
    return [dag["dag_id"] for dag in found if dag["dag_id"].startswith(f"demo__{PREFIX}")]


def _run(*words: str, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}, cwd=ROOT
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(words)}: {done.stderr}")
    return done.stdout.strip()
