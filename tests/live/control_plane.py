"""Kill or freeze a part of Kubernetes itself, and bring it back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci.cluster import choose
from ci.cluster.embedded.owner import PIDS
from ci.daemons import Daemon
from ci.errors import CiError
from ci.kubectl import get, kubectl
from ci.paths import ROOT
from tests.live.undo import Undoing
from tests.live.waiting import wait_for

BACK_SECONDS = 120


@contextmanager
def killed_part(part: str, down_seconds: float) -> Iterator[None]:
    """Kill a part with SIGKILL, keep it away for some seconds, start it again, and wait until the cluster is ready.

    On kind the kubelet and systemd start it again by themselves at once.

    Args:
        part: `etcd`, `kube-apiserver`, `kubelet`...
        down_seconds: How long it stays away; the block runs meanwhile.
    """
    with _started_again():
        _signal(part, signal.SIGKILL)
        ends = time.monotonic() + down_seconds
        yield
        time.sleep(max(0.0, ends - time.monotonic()))
    wait_for(is_ready, f"ready cluster after the kill of {part}", BACK_SECONDS)


@contextmanager
def frozen_part(part: str, seconds: float) -> Iterator[None]:
    """Stop a part (SIGSTOP) for some seconds: its connections stay open and silent, as behind a cut network.

    Args:
        part: `kubelet`, `kube-apiserver`...
        seconds: For how long; the block runs meanwhile.
    """
    pid = _pid(part)
    inside = _node_command()
    with Undoing([*inside, "kill", "-CONT", str(pid)]):
        subprocess.run([*inside, "kill", "-STOP", str(pid)], check=True)
        ends = time.monotonic() + seconds
        yield
        time.sleep(max(0.0, ends - time.monotonic()))
    wait_for(is_ready, f"ready cluster after {part} was frozen", BACK_SECONDS)


def is_ready() -> bool:
    """Tell whether the API server answers and calls its node ready."""
    try:
        kubectl("get", "--raw", "/readyz", timeout_seconds=10)
        nodes = get("nodes")["items"]
    except CiError:
        return False
    conditions = [each for node in nodes for each in node["status"]["conditions"] if each["type"] == "Ready"]
    return bool(conditions) and all(each["status"] == "True" for each in conditions)


def _started_again() -> Undoing:
    if choose().name == "kind":
        return Undoing()
    up = ["env", "CLUSTER=embedded", "sh", "-c", f'cd "{ROOT}" && exec "$0" -m ci.cluster up', sys.executable]
    return Undoing(up)


def _signal(part: str, number: signal.Signals) -> None:
    subprocess.run([*_node_command(), "kill", f"-{number.value}", str(_pid(part))], check=True)


def _pid(part: str) -> int:
    if choose().name == "kind":
        done = subprocess.run([*_node_command(), "pidof", part], check=True, capture_output=True, text=True)
        return int(done.stdout.split()[0])
    pid = Daemon(part, PIDS, Path(os.devnull)).pid()
    if pid is None:
        raise AssertionError(f"{part} does not run")
    return pid


def _node_command() -> list[str]:
    """Return what runs a command where the parts run: on this machine, or in kind's node."""
    if choose().name != "kind":
        return []
    node = json.loads(kubectl("get", "nodes", "--output=json"))["items"][0]["metadata"]["name"]
    return [shutil.which("docker") or "docker", "exec", str(node)]
