"""SIGKILL a container of the release from outside, as the kernel's out-of-memory killer would."""

import os
import subprocess
import time
from typing import Any

from ci.cluster import choose
from ci.kubectl import get, kubectl
from ci.release import NAMESPACE

KILLS_ANNOTATION = "cronlift.dev/killed-by-a-test"
"""How often a test killed a pod's container: the platform's test forgives exactly so many restarts."""

KILL_SCRIPT = """
for file in /proc/[0-9]*/cgroup; do
  pid=${file#/proc/}; pid=${pid%/cgroup}
  if grep -q "$1" "$file" 2>/dev/null; then kill -9 "$pid" && echo "$pid"; fi
done
true
"""
"""Kills every process whose cgroup carries the container's id: the same on a bare node and inside kind's."""


def pod_of(component: str) -> dict[str, Any]:
    """Return the one pod of a component of the release."""
    pods = get("pods", f"--namespace={NAMESPACE}", f"--selector=app.kubernetes.io/component={component}")["items"]
    pods = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    if len(pods) != 1:
        raise AssertionError(f"{component} has {len(pods)} pods, not one")
    return dict(pods[0])


def container_status(pod: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the status of a pod's container."""
    return next(dict(status) for status in pod["status"]["containerStatuses"] if status["name"] == name)


def main_container(pod: dict[str, Any]) -> str:
    """Return the name of the pod's first container, the component itself."""
    return str(pod["spec"]["containers"][0]["name"])


def kill_component(component: str) -> tuple[str, list[int]]:
    """Send SIGKILL to every process of a component's container.

    Args:
        component: `scheduler`, `triggerer` or `api-server`.

    Returns:
        The container's id before the kill, and the pids, as the node counts them.
    """
    pod = pod_of(component)
    name = pod["metadata"]["name"]
    identity = container_status(pod, main_container(pod))["containerID"].rpartition("/")[2]
    kills = int(pod["metadata"].get("annotations", {}).get(KILLS_ANNOTATION, 0)) + 1
    kubectl("annotate", "pod", name, f"--namespace={NAMESPACE}", f"{KILLS_ANNOTATION}={kills}", "--overwrite")
    cluster = choose()
    # A kind node is a container of Docker; the embedded node is this machine.
    node = ["docker", "exec", f"{pod['spec']['nodeName']}"] if cluster.name == "kind" else []
    done = subprocess.run(
        [*node, "sh", "-c", KILL_SCRIPT, "sh", identity], capture_output=True, text=True, check=True,
        env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    pids = [int(word) for word in done.stdout.split()]
    if not pids:
        raise AssertionError(f"No process of container {identity} of {name} was found to kill: {done.stderr}")
    return identity, pids


def wait_back(component: str, killed: str, timeout_seconds: float) -> float:
    """Wait until a killed container is replaced and ready; return the seconds that took.

    Args:
        component: The component.
        killed: The id of the container that was killed.
        timeout_seconds: When to give up.

    Raises:
        AssertionError: Not back in time, or the last container did not die of SIGKILL.
    """
    started = time.monotonic()
    while time.monotonic() - started < timeout_seconds:
        pod = pod_of(component)
        status = container_status(pod, main_container(pod))
        if status["ready"] and status.get("containerID", "").rpartition("/")[2] != killed:
            code = status["lastState"]["terminated"]["exitCode"]
            if code != 137:
                raise AssertionError(f"{component} ended with exit code {code}, not by SIGKILL (137)")
            return time.monotonic() - started
        time.sleep(0.5)
    raise AssertionError(f"{component} is not back {timeout_seconds:.0f} s after its container was killed")
