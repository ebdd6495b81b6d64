"""Jobs in the thousands by driving triggers and watch directly, without Airflow, on fake nodes."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ci import fake_nodes
from ci.fake_nodes import NAMESPACE, FakeNodes
from ci.kubectl import DIRECT, kubectl
from ci.paths import KUBECONFIG, LOGS, ROOT
from cronlift.airflow.settings import JOB_ACCOUNT
from cronlift.job.naming import LAUNCHER_ACCOUNT
from tests.live.undo import Undoing, kubectl_words
from tests.scale.progress import Movement, Say

TEAM = "scale"
LOG = LOGS / "scale.log"
GONE_SECONDS = 300
BYTECODE = "PYTHONDONTWRITEBYTECODE"


def manifest() -> dict[str, Any]:
    """Return a Job such as people write, on fake nodes."""
    container = {
        "name": "main",
        "image": "registry.example/jobs/legacy:1.4",
        "command": ["bash", "-c"],
        "args": ["/opt/jobs/run.sh {{ ti.task_id }}"],
        "env": [{"name": "REGION", "value": "eu"}, {"name": "RUN", "value": "{{ ti.run_id }}"}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {
            "template": {
                "spec": {
                    **fake_nodes.PLACEMENT,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 1000,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container],
                }
            }
        },
    }


class Triggers:
    """The program that drives the triggers.

    Args:
        process: It.
        say: Takes a word on what is going on.
    """

    def __init__(self, process: subprocess.Popen[str], say: Say) -> None:
        self._process, self._say = process, say

    def ask(self, **command: Any) -> dict[str, Any]:
        """Give a command and return its answer.

        Raises:
            AssertionError: The program ended, or nothing moves.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("The triggers' program has no pipes")
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        movement = Movement(f"The triggers' program, told to {command['do']}")
        for line in self._process.stdout:
            answer = dict(json.loads(line))
            if answer.pop("done", None):
                return answer
            state = ", ".join(f"{number} {word}" for word, number in answer.items() if word != "doing")
            self._say(state)
            movement.note(state)
        raise AssertionError(f"The triggers' program ended, code {self._process.wait()}; see {LOG}")


@contextmanager
def triggers(most: int, say: Say) -> Iterator[tuple[FakeNodes, Triggers]]:
    """Make nodes, namespace and rights, and start the program; remove everything afterwards.

    Args:
        most: How many Jobs will run at once.
        say: Takes a word on what is going on.
    """
    nodes_away = kubectl_words(
        "delete", "nodes", f"--selector={fake_nodes.LABEL}", "--ignore-not-found", "--wait=false"
    )
    with Undoing(kubectl_words("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"), nodes_away):
        _remove_namespace()
        with FakeNodes(most) as nodes:
            kubectl(
                "create", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": _rights()})
            )
            try:
                with _program() as process:
                    yield nodes, Triggers(process, say)
            finally:
                say("deleting the Jobs")
                _remove_namespace()


@contextmanager
def _program() -> Iterator[subprocess.Popen[str]]:
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, LOG.open("wb") as log:
        environment = {name: value for name, value in os.environ.items() if name != BYTECODE} | DIRECT
        environment |= {
            "AIRFLOW_HOME": home,
            "KUBECONFIG": str(KUBECONFIG),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
            "CRONLIFT_DEPLOYMENT": "cronlift/scale",
            "CRONLIFT_TEAMS": json.dumps({TEAM: {"namespace": NAMESPACE}}),
            "CRONLIFT_JOB_IMAGES": "{}",
            "SCALE_TEAM": TEAM,
            "SCALE_FILES": json.dumps({"job.yaml": yaml.safe_dump(manifest(), sort_keys=False)}),
        }
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.scale.many_triggers"],
            cwd=Path(home), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
        with process:
            try:
                yield process
            finally:
                if process.stdin:
                    process.stdin.close()
                process.kill()


def _rights() -> list[dict[str, Any]]:
    names = (LAUNCHER_ACCOUNT, JOB_ACCOUNT)
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}}
        for name in names
    ]
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": LAUNCHER_ACCOUNT, "namespace": NAMESPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": LAUNCHER_ACCOUNT, "namespace": NAMESPACE}],
    }
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, *accounts, binding]


def _remove_namespace() -> None:
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", timeout_seconds=GONE_SECONDS)
