"""The release of `make up` as helm sees it: upgrade, roll back, test; and what its pods say when they do not start."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ci.kubectl import DIRECT, get, kubectl
from ci.paths import KUBECONFIG, ROOT
from ci.process import run
from ci.release import NAME, NAMESPACE
from ci.tools import tool
from tests.live.undo import Undoing, kubectl_words
from tests.live.waiting import wait_for

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
REPLACED_SECONDS = 600


def helm(*words: str, timeout_seconds: float = 900) -> str:
    """Run helm against this clone's cluster and return what it printed."""
    options = (f"--kubeconfig={KUBECONFIG}", f"--namespace={NAMESPACE}")
    return run(tool("helm"), *words, *options, env=DIRECT, timeout_seconds=timeout_seconds)


def try_helm(*words: str) -> subprocess.CompletedProcess[str]:
    """Run helm and return how it ended."""
    command = [str(tool("helm")), *words, f"--kubeconfig={KUBECONFIG}", f"--namespace={NAMESPACE}"]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=900, env={**os.environ, **DIRECT}
    )


def upgrade(*settings: str, more: Sequence[str] = ()) -> None:
    """Upgrade the release with the values that it has and these further ones, and wait until pods are replaced.

    Args:
        settings: Each `key=value`, as for --set; `key:=json`, as for --set-json.
        more: Further words for helm.
    """
    sets = [f"--set-json={s.replace(':=', '=', 1)}" if ":=" in s else f"--set={s}" for s in settings]
    chart = str(ROOT / "charts/cronlift")
    helm("upgrade", NAME, chart, "--reset-then-reuse-values", *sets, "--wait=watcher", "--timeout=10m", *more)


@contextmanager
def upgraded(*settings: str) -> Iterator[float]:
    """Upgrade for a block, and go back to the revision before; yields the seconds that the upgrade took."""
    with Undoing(rollback_words(revision())):
        started = time.monotonic()
        upgrade(*settings)
        yield time.monotonic() - started


def rollback_words(number: str) -> list[str | Path]:
    """Return the command that goes back to a revision, for `Undoing`."""
    direct = [f"{name}={value}" for name, value in DIRECT.items()]
    options = [f"--kubeconfig={KUBECONFIG}", f"--namespace={NAMESPACE}", "--wait=watcher", "--timeout=10m"]
    return ["env", *direct, tool("helm"), "rollback", NAME, number, *options]


def revision() -> str:
    """Return the number of the release's newest revision."""
    return str(json.loads(helm("history", NAME, "--output=json", "--max=1"))[-1]["revision"])


def pods(component: str) -> dict[str, dict[str, Any]]:
    """Return the pods of a component that nobody is deleting, by uid."""
    selector = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component={component}"
    found = (get("pods", f"--namespace={NAMESPACE}", f"--selector={selector}") or {"items": []})["items"]
    return {pod["metadata"]["uid"]: pod for pod in found if not pod["metadata"].get("deletionTimestamp")}


def all_uids() -> set[str]:
    """Return the uids of all pods of the four components."""
    return {uid for component in COMPONENTS for uid in pods(component)}


def last_words(component: str, container: str) -> str:
    """Return what an init container of a component's newest pod said when it last ended."""
    for pod in sorted(
        pods(component).values(), key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True
    ):
        for status in pod["status"].get("initContainerStatuses", []):
            ended = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated") or {}
            if status["name"] == container and ended.get("exitCode"):
                return str(ended.get("message", ""))
    return ""


def restart_until_it_says(component: str, container: str, words: str, timeout_seconds: float = 180) -> str:
    """Start a further pod of a component, wait until an init container ends with these words, and return all it said.

    The pod that runs stays: a rollout of one more keeps it until the new one is ready, which it never is.
    """
    kubectl("rollout", "restart", f"deployment/{NAME}-{component}", f"--namespace={NAMESPACE}")
    wait_for(lambda: words in last_words(component, container), f"{words!r} from {container}", timeout_seconds)
    return last_words(component, container)


def rolled_out(component: str) -> None:
    """Wait until a component runs its newest pods only."""
    deployment = f"deployment/{NAME}-{component}"
    kubectl("rollout", "status", deployment, f"--namespace={NAMESPACE}", f"--timeout={REPLACED_SECONDS}s",
            timeout_seconds=REPLACED_SECONDS + 30)  # fmt: skip


def sql(statement: str) -> str:
    """Run a statement in the bundled database and return its rows, unadorned."""
    return kubectl("exec", f"{NAME}-postgres-0", f"--namespace={NAMESPACE}", "--", "psql", "--username=airflow",
                   "--dbname=airflow", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
                   f"--command={statement}").strip()  # fmt: skip


def undo_sql(statement: str) -> list[Any]:
    """Return the same as a command for `Undoing`."""
    return kubectl_words("exec", f"{NAME}-postgres-0", f"--namespace={NAMESPACE}", "--", "psql", "--username=airflow",
                         "--dbname=airflow", f"--command={statement}")  # fmt: skip
