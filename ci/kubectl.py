"""kubectl against this clone's cluster, never against another context."""

import json
from typing import Any

from ci.paths import KUBECONFIG, STATE
from ci.process import run
from ci.tools import tool

DIRECT = {"NO_PROXY": "*", "no_proxy": "*"}
"""The cluster is on this machine: a proxy that the user has for the outside world must not see these calls."""


def kubectl(*words: str, stdin: str | None = None, timeout_seconds: float = 60) -> str:
    """Run kubectl with this clone's kubeconfig and return what it printed."""
    options = (f"--kubeconfig={KUBECONFIG}", f"--cache-dir={STATE / 'kube-cache'}")
    return run(tool("kubectl"), *options, *words, stdin=stdin, env=DIRECT, timeout_seconds=timeout_seconds)


def get(kind: str, *words: str) -> Any:
    """Return `kubectl get KIND ... -o json` as an object; a missing single object is None."""
    output = kubectl("get", kind, *words, "--output=json", "--ignore-not-found")
    return json.loads(output) if output.strip() else None
