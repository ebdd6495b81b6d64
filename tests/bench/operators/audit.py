"""Count requests to the Kubernetes API by the API server's own audit log."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ci.cluster import choose
from ci.cluster.embedded.layout import AUDIT_LOG

LOG_STREAM = "get pods/log"


def audit_log() -> Path | None:
    """Return the local cluster's audit log; None where it has none (kind)."""
    return AUDIT_LOG if choose().name == "embedded" and AUDIT_LOG.is_file() else None


def requests_between(log: Path, namespace: str, start: float, end: float) -> Counter[str]:
    """Count the requests of a release's accounts in a span of time, those in others' names included.

    Args:
        log: The audit log; its older file is read too.
        namespace: The release's.
        start: Seconds since the epoch.
        end: The same; a request counts when it arrived before.

    Returns:
        "create jobs" -> number, "get pods/log" -> number, and so on.
    """
    return count(_events(log), f"system:serviceaccount:{namespace}:", start, end)


def count(events: Iterable[dict[str, Any]], user_prefix: str, start: float, end: float) -> Counter[str]:
    """Count each request once, whatever number of stages was written of it."""
    seen: dict[str, str] = {}
    for event in events:
        arrived = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
        if start <= arrived < end and event["user"].get("username", "").startswith(user_prefix):
            target = event.get("objectRef", {})
            resource = "/".join(word for word in (target.get("resource"), target.get("subresource")) if word)
            seen[event["auditID"]] = f"{event['verb']} {resource or event.get('requestURI', '?')}"
    return Counter(seen.values())


def _events(log: Path) -> Iterator[dict[str, Any]]:
    older = sorted(log.parent.glob(f"{log.stem}-*{log.suffix}"))
    for path in [*older, log]:
        with path.open() as lines:
            for line in lines:
                # The last line may be half written.
                if line.endswith("\n"):
                    yield json.loads(line)
