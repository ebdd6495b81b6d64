"""Nodes that kwok plays: their Pods start and end on the real API server, without a container.

So thousands of Jobs run at once on a machine of two cores. Real Pods never land there, because of a taint; kwok leaves
the real nodes alone, because they lack its annotation. kwok ends with whoever started it, also when that is killed.
"""

import json
import os
import signal
import subprocess
from types import TracebackType
from typing import Any

from ci.errors import CiError
from ci.kubectl import DIRECT, get, kubectl
from ci.paths import KUBECONFIG, LOGS, STATE
from ci.stages import Stage, wait_until
from ci.tools import tool

LABEL = "cronlift.dev/fake-node"
"""Label of the nodes and key of their taint."""

ANNOTATION = "kwok.x-k8s.io/node"
NAMES = "cronlift-fake-{number}"
"""Behind the real node in every sorted list."""

NAMESPACE = "cronlift-scale"
"""For Jobs that need no Airflow."""

PODS_EACH = 2500
FOLDER = STATE / "kwok"
LOG = LOGS / "kwok.log"
PARALLEL_CHANGES = 16
HEARTBEAT_SECONDS = 15
"""The cluster gives a node up after 40 s. Not by leases: a kwok that starts again would wait for its own old ones."""

READY_SECONDS = 60.0

PLACEMENT = {
    "nodeSelector": {LABEL: "true"},
    "tolerations": [{"key": LABEL, "operator": "Exists", "effect": "NoSchedule"}],
}
"""What a Pod's spec must say to land on them."""

_IS_ALIVE = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}
_STARTED = """\
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
conditions:
{{ range $type := list "Initialized" "Ready" "ContainersReady" }}
- {type: {{ $type }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ $now | Quote }}}}
{{ end }}
"""
# No address: kube-router would write firewall rules for each.
_ENDED = """\
{{ $now := Now }}
{{ $started := .status.startTime }}
phase: Succeeded
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: false
  started: false
  restartCount: 0
  state:
    terminated: {exitCode: 0, reason: Completed, startedAt: {{ $started | Quote }}, finishedAt: {{ $now | Quote }}}
{{ end }}
"""
_NODE_READY = """\
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
phase: Running
"""


class FakeNodes:
    """Fake nodes, there while the context lasts.

    Their Pods start at once and run until `end_pods` is called.

    Args:
        pods: How many Pods they must have room for.
    """

    def __init__(self, pods: int) -> None:
        self._count = -(-pods // PODS_EACH)
        self._kwok: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "FakeNodes":
        remove()
        program = tool("kwok")
        try:
            with Stage(f"Start {self._count} fake nodes") as stage:
                self._play(program, stages())
                documents = {"apiVersion": "v1", "kind": "List", "items": [node(each) for each in range(self._count)]}
                kubectl("create", "--filename=-", stdin=json.dumps(documents))
                wait_until(stage, self._why_not_ready, timeout_seconds=READY_SECONDS)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def end_pods(self, over_seconds: float) -> None:
        """Let every running Pod, and every later one, succeed within so many seconds, spread evenly."""
        self._stop()
        self._play(tool("kwok"), [*stages(), ending(over_seconds)])

    def _play(self, program: Any, wanted: list[dict[str, Any]]) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        LOG.parent.mkdir(parents=True, exist_ok=True)
        config = FOLDER / "kwok.json"
        config.write_text("\n---\n".join(json.dumps(each) for each in [_options(), *wanted]))
        words = [
            "setpriv", "--pdeathsig", "KILL", str(program), f"--kubeconfig={KUBECONFIG}", f"--config={config}",
            "--manage-all-nodes=false", f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
            "--node-lease-duration-seconds=0", "--v=WARN",
        ]  # fmt: skip
        environment = {**os.environ, **DIRECT, "KWOK_WORKDIR": str(FOLDER)}
        with LOG.open("ab") as log:
            self._kwok = subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _end(self) -> None:
        try:
            remove()
        finally:
            self._stop()

    def _stop(self) -> None:
        if self._kwok is not None:
            self._kwok.send_signal(signal.SIGKILL)
            self._kwok.wait()
            self._kwok = None

    def _why_not_ready(self) -> str | None:
        if self._kwok is None or self._kwok.poll() is not None:
            raise CiError(f"kwok ended: {LOG.read_text(errors='replace').strip().splitlines()[-1:]} (see {LOG})")
        found = get("nodes", f"--selector={LABEL}") or {"items": []}
        ready = [each for each in found["items"] if _is_ready(each)]
        return None if len(ready) == self._count else f"{self._count - len(ready)} fake nodes to be ready"


def remove() -> None:
    """Remove fake nodes and their namespace, those of a killed session too.

    The cluster collects Pods of nodes that are gone.
    """
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")
    kubectl("delete", "nodes", f"--selector={LABEL}", "--ignore-not-found", "--wait=false")


def node(number: int) -> dict[str, Any]:
    """Return the node of a number."""
    room = {"cpu": "10k", "memory": "100Ti", "pods": str(PODS_EACH), "ephemeral-storage": "100Ti"}
    name = NAMES.format(number=number)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {ANNOTATION: "fake"},
            "labels": {LABEL: "true", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "spec": {"taints": [{"key": LABEL, "value": "true", "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room},
    }


def stages() -> list[dict[str, Any]]:
    """Return what kwok does by itself: nodes become ready, Pods start, deleted Pods go."""
    is_new = {"key": ".status.phase", "operator": "In", "values": ["Pending"]}
    is_deleted = {"key": ".metadata.deletionTimestamp", "operator": "Exists"}
    is_not_ready = {
        "key": '.status.conditions.[] | select( .type == "Ready" ) | .status', "operator": "NotIn", "values": ["True"],
    }  # fmt: skip
    heartbeat = _stage("node-heartbeat", "Node", [is_not_ready | {"operator": "In"}], {"statusTemplate": _NODE_READY})
    heartbeat["spec"]["delay"] = {"durationMilliseconds": HEARTBEAT_SECONDS * 1000}
    return [
        _stage("node-ready", "Node", [is_not_ready], {"statusTemplate": _NODE_READY}),
        heartbeat,
        _stage("pod-start", "Pod", [_IS_ALIVE, is_new], {"statusTemplate": _STARTED}),
        _stage("pod-delete", "Pod", [is_deleted], {"delete": True}),
    ]


def ending(over_seconds: float) -> dict[str, Any]:
    """Return the stage that lets running Pods succeed, each after a random part of so many seconds."""
    is_running = {"key": ".status.phase", "operator": "In", "values": ["Running"]}
    stage = _stage("pod-end", "Pod", [_IS_ALIVE, is_running], {"statusTemplate": _ENDED})
    stage["spec"]["delay"] = {"durationMilliseconds": 0, "jitterDurationMilliseconds": round(over_seconds * 1000)}
    return stage


def _stage(name: str, kind: str, expressions: list[dict[str, Any]], following: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": expressions},
            "next": following,
        },
    }


def _options() -> dict[str, Any]:
    # All of them: kwok 0.8.0 takes what such a document leaves out as zero.
    parallel = ("podPlayStage", "nodePlayStage", "nodeLease", "podsOnNodeSync")
    return {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": {
            **{f"{kind}Parallelism": PARALLEL_CHANGES for kind in parallel},
            "enablePodsOnNodeSyncListPager": True,
            "enablePodsOnNodeSyncStreamWatch": False,
        },
    }


def _is_ready(found: dict[str, Any]) -> bool:
    return any(part["type"] == "Ready" and part["status"] == "True" for part in found["status"].get("conditions", []))
