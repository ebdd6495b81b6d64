"""Reach a Service of the cluster from this machine by `kubectl port-forward`, on a free port, for a block."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from ci.errors import CiError
from ci.kubectl import DIRECT
from ci.paths import KUBECONFIG
from ci.tools import tool

ANSWER = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


@contextmanager
def forwarded(namespace: str, service: str, port: int) -> Iterator[str]:
    """Yield the URL under which the Service answers.

    Raises:
        CiError: kubectl ended without forwarding anything.
    """
    words = [str(tool("kubectl")), f"--kubeconfig={KUBECONFIG}", f"--namespace={namespace}", "port-forward"]
    process = subprocess.Popen(
        [*words, "--address=127.0.0.1", f"service/{service}", f":{port}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **DIRECT},
    )  # fmt: skip
    try:
        first = process.stdout.readline() if process.stdout else ""
        if (found := ANSWER.match(first)) is None:
            raise CiError(f"port-forward to {namespace}/{service}: {first}")
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        process.terminate()
        process.communicate()
