"""A release of its own beside the platform's, from nothing: for what only a first install shows.

Its namespace and its team's enforce the Pod Security Standard "restricted"; all else is the platform's own values.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from ci import release
from ci.kubectl import DIRECT, get, kubectl
from ci.paths import KUBECONFIG, ROOT
from ci.process import run
from ci.tools import tool

NAME = NAMESPACE = "cronlift-fresh"
TEAM, TEAM_NAMESPACE = "fresh", "team-fresh"
FOLDER = ROOT / "dags" / TEAM
ENFORCE = "pod-security.kubernetes.io/enforce=restricted"
WAIT = {"helm": "--wait=watcher", "helm3": "--wait"}
"""What each helm calls: wait until every object is as it should be."""

DAG = '''\
"""Written by a live test, which removes it."""

from airflow.sdk import DAG

with DAG("fresh__nothing", schedule=None):
    pass
'''


@dataclass(frozen=True)
class Fresh:
    """The release.

    Attributes:
        program: `helm` or `helm3`, which installed it.
        seconds: From the call of helm until all was ready.
        values: What it was installed with.
    """

    program: str
    seconds: float
    values: dict[str, Any]

    def helm(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the helm that installed it; return how that ended."""
        command = _words(self.program, *words)
        environment = {**os.environ, **DIRECT}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900, env=environment)

    def change(self, verb: str, *words: str) -> None:
        """Run `helm upgrade` or `helm rollback` and wait until all is as it should be.

        Raises:
            AssertionError: It did not come to that; with helm's words.
        """
        done = self.helm(verb, NAME, *words, WAIT[self.program], "--timeout=10m")
        assert done.returncode == 0, done.stdout + done.stderr

    def uids(self) -> set[str]:
        """Return the pods of its Deployments that nobody is deleting."""
        return {
            pod["metadata"]["uid"]
            for pod in self.pods()
            if "pod-template-hash" in pod["metadata"]["labels"] and not pod["metadata"].get("deletionTimestamp")
        }

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods of its namespace."""
        return list(get("pods", f"--namespace={NAMESPACE}")["items"])


@contextmanager
def fresh_release(program: str = "helm") -> Iterator[Fresh]:
    """Install it for a block, and leave nothing behind.

    Args:
        program: `helm` or `helm3`.

    Raises:
        CommandError: helm's wait did not end well.
    """
    remove()
    FOLDER.mkdir()
    (FOLDER / "nothing.py").write_text(DAG)
    try:
        kubectl("create", "namespace", NAMESPACE)
        kubectl("label", "namespace", NAMESPACE, ENFORCE)
        given = values()
        yield Fresh(program, install(program, given), given)
    finally:
        remove()


def install(program: str, given: dict[str, Any]) -> float:
    """Install it and wait until all is ready; return the seconds that took.

    Raises:
        CommandError: helm's wait did not end well.
    """
    words = _words(
        program, "upgrade", "--install", NAME, str(ROOT / "charts/cronlift"), WAIT[program], "--timeout=10m",
        "--values=-",
    )  # fmt: skip
    started = time.monotonic()
    run(*words, env=DIRECT, stdin=yaml.safe_dump(given), timeout_seconds=660)
    return time.monotonic() - started


def values() -> dict[str, Any]:
    """Return the platform's own values with another team, and without its port of the node."""
    words = _words("helm", "get", "values", release.NAME, "--output=json", namespace=release.NAMESPACE)
    found: dict[str, Any] = json.loads(run(*words, env=DIRECT))
    found["teams"] = {TEAM: {"namespace": TEAM_NAMESPACE, "path": f"dags/{TEAM}", "owners": ["@platform"]}}
    url = "https://fresh.example.com/airflow"  # a path, as behind a shared host
    found["apiServer"] = {**found.get("apiServer", {}), "baseUrl": url, "service": {"type": "ClusterIP"}}
    # Kubernetes lets no claim change it later, and two of a part want it.
    volume = {**found.get("logs", {}).get("volume", {}), "accessMode": "ReadWriteMany"}
    found["logs"] = {**found.get("logs", {}), "volume": volume}
    return found


def remove() -> None:
    """Remove release, namespaces and folder; does nothing when there are none."""
    for path in (*FOLDER.glob("*.py"), *FOLDER.glob("__pycache__/*")):
        path.unlink()
    for folder in (FOLDER / "__pycache__", FOLDER):
        if folder.is_dir():
            folder.rmdir()
    if get("namespace", NAMESPACE):
        run(*_words("helm", "uninstall", NAME, "--ignore-not-found"), env=DIRECT, timeout_seconds=300)
    kubectl("delete", "namespace", NAMESPACE, TEAM_NAMESPACE, "--ignore-not-found", "--wait=true", timeout_seconds=180)


def _words(program: str, *words: str, namespace: str = NAMESPACE) -> list[str]:
    return [str(tool(program)), *words, f"--kubeconfig={KUBECONFIG}", f"--namespace={namespace}"]
