"""SIGKILL a container of the release from outside, as the kernel's out-of-memory killer would."""

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci.cluster import choose
from ci.errors import CiError
from ci.kubectl import get, kubectl
from ci.release import NAMESPACE

KILLS_ANNOTATION = "cronlift.dev/killed-by-a-test"
"""How often a test killed a pod's container: the platform's test forgives exactly so many restarts."""

PIDS_SCRIPT = """
for file in /proc/[0-9]*/cgroup; do
  pid=${file#/proc/}; pid=${pid%/cgroup}
  if grep -q "$1" "$file" 2>/dev/null; then echo "$pid"; fi
done
true
"""
"""Prints every process whose cgroup carries the container's id: the same on a bare node and inside kind's."""

KILL_SCRIPT = PIDS_SCRIPT.replace('echo "$pid"', 'kill -9 "$pid" && echo "$pid"')
SIGKILLED = 137


@dataclass(frozen=True)
class Killed:
    """A container that a test killed.

    Attributes:
        component: Of the release.
        pod: The pod's name.
        container: The container's id before the kill.
        pids: Its processes, as the node counts them.
    """

    component: str
    pod: str
    container: str
    pids: list[int]


def pods_of(component: str) -> list[dict[str, Any]]:
    """Return the pods of a component of the release that nobody is deleting, by name."""
    pods = get("pods", f"--namespace={NAMESPACE}", f"--selector=app.kubernetes.io/component={component}")["items"]
    living = [dict(pod) for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return sorted(living, key=lambda pod: str(pod["metadata"]["name"]))


def pod_of(component: str) -> dict[str, Any]:
    """Return the one pod of a component of the release."""
    pods = pods_of(component)
    if len(pods) != 1:
        raise AssertionError(f"{component} has {len(pods)} pods, not one")
    return pods[0]


def container_status(pod: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the status of a pod's container."""
    return next(dict(status) for status in pod["status"]["containerStatuses"] if status["name"] == name)


def main_container(pod: dict[str, Any]) -> str:
    """Return the name of the pod's first container, the component itself."""
    return str(pod["spec"]["containers"][0]["name"])


def container_id(pod: dict[str, Any]) -> str:
    """Return the id of a pod's main container, without the runtime's name; empty while it has none."""
    return str(container_status(pod, main_container(pod)).get("containerID", "")).rpartition("/")[2]


def on_node(pod: dict[str, Any], *command: str) -> str:
    """Run a command on the node of a pod as root and return what it printed."""
    # A kind node is a container of Docker; the embedded node is this machine.
    node = ["docker", "exec", f"{pod['spec']['nodeName']}"] if choose().name == "kind" else []
    done = subprocess.run(
        [*node, *command], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}
    )
    return done.stdout


def pids_of(pod: dict[str, Any]) -> list[int]:
    """Return the processes of a pod's main container, as the node counts them."""
    return [int(word) for word in on_node(pod, "sh", "-c", PIDS_SCRIPT, "sh", container_id(pod)).split()]


def kill_component(component: str) -> Killed:
    """Send SIGKILL to every process of the container of a component that has one pod."""
    return kill_pod(pod_of(component))


def kill_pod(pod: dict[str, Any]) -> Killed:
    """Send SIGKILL to every process of the main container of a pod of the release."""
    name, container = pod["metadata"]["name"], container_id(pod)
    kills = int(pod["metadata"].get("annotations", {}).get(KILLS_ANNOTATION, 0)) + 1
    kubectl("annotate", "pod", name, f"--namespace={NAMESPACE}", f"{KILLS_ANNOTATION}={kills}", "--overwrite")
    pids = [int(word) for word in on_node(pod, "sh", "-c", KILL_SCRIPT, "sh", container).split()]
    if not pids:
        raise AssertionError(f"No process of container {container} of {name} was found to kill")
    component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
    return Killed(component, name, container, pids)


def wait_back(killed: Killed, timeout_seconds: float) -> float:
    """Wait until a killed container is replaced and ready; return the seconds that took.

    Args:
        killed: What `kill_pod` returned.
        timeout_seconds: When to give up.

    Raises:
        AssertionError: Not back in time, or the last container did not die of SIGKILL.
    """
    started = time.monotonic()
    while time.monotonic() - started < timeout_seconds:
        pod = next((pod for pod in pods_of(killed.component) if pod["metadata"]["name"] == killed.pod), None)
        if pod is None:
            raise AssertionError(f"Pod {killed.pod} went away after its container was killed")
        status = container_status(pod, main_container(pod))
        if status["ready"] and container_id(pod) not in ("", killed.container):
            code = status["lastState"]["terminated"]["exitCode"]
            if code != SIGKILLED:
                raise AssertionError(f"{killed.pod} ended with exit code {code}, not by SIGKILL ({SIGKILLED})")
            return time.monotonic() - started
        time.sleep(0.5)
    raise AssertionError(f"{killed.pod} is not back {timeout_seconds:.0f} s after its container was killed")


def count_restarts() -> dict[str, int]:
    """Return how often containers of each pod of the release restarted; empty while the API server is away."""
    try:
        pods = get("pods", f"--namespace={NAMESPACE}")["items"]
    except CiError:
        return {}
    return {pod["metadata"]["name"]: sum(_restart_counts(pod)) for pod in pods}


def forgive_restarts(before: Mapping[str, int]) -> dict[str, int]:
    """Write down, for the platform's test, the restarts that a fault caused beside the kills themselves.

    Args:
        before: What `count_restarts` said before the fault.

    Returns:
        Component -> containers that restarted since, the killed ones too.
    """
    since: dict[str, int] = {}
    for pod in get("pods", f"--namespace={NAMESPACE}")["items"]:
        name, restarts = pod["metadata"]["name"], sum(_restart_counts(pod))
        if more := restarts - before.get(name, 0):
            component = pod["metadata"]["labels"].get("app.kubernetes.io/component", name)
            since[component] = since.get(component, 0) + more
            words = (f"--namespace={NAMESPACE}", f"{KILLS_ANNOTATION}={restarts}", "--overwrite")
            kubectl("annotate", "pod", name, *words)
    return since


def _restart_counts(pod: dict[str, Any]) -> list[int]:
    kinds = ("containerStatuses", "initContainerStatuses")
    return [int(status["restartCount"]) for kind in kinds for status in pod["status"].get(kind, [])]
