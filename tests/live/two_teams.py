"""What a release with two teams consists of but for its pods: accounts, roles and policies, to attack them.

It costs seconds instead of a second Airflow, and the rights and ways are the chart's own.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from ci.kubectl import get, kubectl
from ci.paths import KUBECONFIG, ROOT
from ci.process import run
from ci.release import NAMESPACE as PLATFORM
from ci.tools import tool
from tests.live.undo import Undoing, kubectl_words
from tests.live.waiting import wait_for

NAME = NAMESPACE = "cronlift-rights"
OPEN, NARROW = "rights-open", "rights-narrow"
"""Namespaces of the teams: one whose Jobs may reach everything, one that names what its Jobs may reach."""

VALUES: dict[str, Any] = {
    "images": {"airflow": {"repository": "localhost/none", "tag": "1"}},
    "git": {"url": "git://localhost/none"},
    "teams": {
        "open": {"namespace": OPEN, "path": "dags/open", "owners": ["@open"], "manifestObjects": True},
        "narrow": {
            "namespace": NARROW,
            "path": "dags/narrow",
            "owners": ["@narrow"],
            "egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
        },
    },
}
KINDS = {"Namespace", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy"}


@contextmanager
def two_teams() -> Iterator[list[dict[str, Any]]]:
    """Make them for a block; yields the objects as the chart renders them."""
    words = ("template", NAME, str(ROOT / "charts/cronlift"), f"--namespace={NAMESPACE}", "--values=-")
    text = run(tool("helm"), *words, stdin=yaml.safe_dump(VALUES))
    things = [thing for thing in yaml.safe_load_all(text) if thing and thing["kind"] in KINDS]
    namespaces = (NAMESPACE, OPEN, NARROW)
    gone = kubectl_words("delete", "namespace", *namespaces, "--ignore-not-found", "--wait=false")
    with Undoing(gone):
        # A session that died may have left them, on their way out.
        wait_for(lambda: not get("namespace", NAMESPACE) or is_active(NAMESPACE), f"end of old {NAMESPACE}", 60)
        own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        first = [own, *(thing for thing in things if thing["kind"] == "Namespace")]
        rest = [thing for thing in things if thing["kind"] != "Namespace"]
        kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all([*first, *rest]))
        yield things


def is_active(namespace: str) -> bool:
    """Tell whether a namespace is there to stay."""
    found = get("namespace", namespace)
    return bool(found) and found["status"]["phase"] == "Active"


class Attacker:
    """A pod that runs as the Jobs of a team do, with the token that they do not get.

    Args:
        namespace: Of the team.
        script: Python; what it prints as JSON is the answer.
        name: Of the pod.
    """

    def __init__(self, namespace: str, script: str, name: str = "attacker") -> None:
        self._name = name
        self._where = f"--namespace={namespace}"
        deployment = get("deployment", "cronlift-scheduler", f"--namespace={PLATFORM}")
        container = {
            "name": "attacker",
            "image": deployment["spec"]["template"]["spec"]["containers"][0]["image"],
            "command": ["python3", "-c", script],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        }
        context = {"runAsNonRoot": True, "runAsUser": 50000, "seccompProfile": {"type": "RuntimeDefault"}}
        spec = {
            "serviceAccountName": "cronlift-job",
            "automountServiceAccountToken": True,
            "restartPolicy": "Never",
            "securityContext": context,
            "containers": [container],
        }
        self._pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}

    def __enter__(self) -> "Attacker":
        kubectl("apply", self._where, "--filename=-", stdin=yaml.safe_dump(self._pod))
        return self

    def __exit__(self, *_: object) -> None:
        kubectl("delete", "pod", self._name, self._where, "--wait=false", "--ignore-not-found")

    def address(self, timeout_seconds: float = 60) -> str:
        """Wait until it runs and return its address."""
        deadline = time.monotonic() + timeout_seconds
        while (status := get("pod", self._name, self._where)["status"]).get("phase") != "Running":
            assert time.monotonic() < deadline, f"{self._name} is {status.get('phase')}; {KUBECONFIG}"
            time.sleep(0.3)
        return str(status["podIP"])

    def answer(self, timeout_seconds: float = 120) -> Any:
        """Wait for its end and return what it printed."""
        deadline = time.monotonic() + timeout_seconds
        while (phase := get("pod", self._name, self._where)["status"].get("phase")) not in ("Succeeded", "Failed"):
            assert time.monotonic() < deadline, f"{self._name} is {phase}; {KUBECONFIG}"
            time.sleep(0.3)
        words = kubectl("logs", self._name, self._where)
        assert phase == "Succeeded", words
        return json.loads(words.strip().splitlines()[-1])
