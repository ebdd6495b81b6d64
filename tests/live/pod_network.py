"""Cut a pod's network by rules in its own network namespace, which vanish with it."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ci.cluster import choose
from ci.cluster.embedded.packages import search_path
from tests.live.killing import on_node, pids_of
from tests.live.undo import Undoing

KUBERNETES_API_PORTS = (443, 6443, 16443)
"""Of its Service, of kind's API server, and of the embedded one's."""

TO_KUBERNETES = tuple(
    rule
    for port in KUBERNETES_API_PORTS
    for rule in (f"OUTPUT -p tcp --dport {port} -j DROP", f"INPUT -p tcp --sport {port} -j DROP")
)
EVERYTHING = ("OUTPUT ! -o lo -j DROP", "INPUT ! -i lo -j DROP")


@contextmanager
def cut_network(pod: dict[str, Any], rules: Sequence[str], seconds: float) -> Iterator[None]:
    """Drop packets of a pod for some seconds, without a word to either side.

    Args:
        pod: Of the release.
        rules: `TO_KUBERNETES` or `EVERYTHING`.
        seconds: For how long; the block runs meanwhile.
    """
    pid = pids_of(pod)[0]
    os.environ["PATH"] = search_path()  # iptables lies in /usr/sbin
    node = ["docker", "exec", str(pod["spec"]["nodeName"])] if choose().name == "kind" else []
    enter = f"nsenter --net=/proc/{pid}/ns/net"
    undo = [
        # A rule that is gone, or a process that is gone with its namespace, needs nothing.
        f"! test -e /proc/{pid}/ns/net || ! {enter} iptables --check {rule} 2>/dev/null || {enter} iptables -D {rule}"
        for rule in rules
    ]
    with Undoing(*([*node, "sh", "-c", command] for command in undo)):
        for rule in rules:
            on_node(pod, *enter.split(), "iptables", "-I", *rule.split())
        ends = time.monotonic() + seconds
        yield
        time.sleep(max(0.0, ends - time.monotonic()))
