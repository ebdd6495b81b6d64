"""Delete the preview that this program runs in, once its time has passed.

The time is in the namespace's annotation `cronlift.dev/expires`, in UTC as 2026-01-31T18:00:00Z; whoever may annotate
the namespace prolongs it. The account may get and delete this one namespace. Standard library only.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
LABEL, EXPIRES = "cronlift.dev/preview", "cronlift.dev/expires"


class NotAPreviewError(Exception):
    """The namespace does not say that it is a preview, or not until when; it stays."""


def expiry(namespace: dict[str, Any]) -> datetime:
    """Return until when a namespace lives.

    Raises:
        NotAPreviewError: It lacks the label or the annotation, or the time does not read.
    """
    metadata = namespace["metadata"]
    name = metadata["name"]
    if LABEL not in (metadata.get("labels") or {}):
        raise NotAPreviewError(f"Namespace {name} has no label {LABEL}: it is no preview, and stays")
    text = (metadata.get("annotations") or {}).get(EXPIRES, "")
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise NotAPreviewError(
            f"Namespace {name} stays: its annotation {EXPIRES} is {text!r}, not a time in UTC such as "
            f"2026-01-31T18:00:00Z. Cure: kubectl annotate --overwrite namespace {name} {EXPIRES}=2026-01-31T18:00:00Z"
        ) from None


def call(method: str, url: str) -> dict[str, Any]:
    """Send one request to the Kubernetes API with the Pod's own account."""
    with open(f"{ACCOUNT}/token") as file:
        bearer = file.read().strip()
    request = urllib.request.Request(url, method=method, headers={"Authorization": f"Bearer {bearer}"})  # noqa: S310
    context = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:  # noqa: S310 - always https
        return dict(json.load(answer))


def reap(url: str, now: datetime) -> str:
    """Delete the namespace at `url` when it has expired; return what was done, in words.

    Raises:
        NotAPreviewError: As `expiry`.
        OSError: The API refused or did not answer; the CronJob tries again.
    """
    namespace = call("GET", url)
    until = expiry(namespace)
    name = namespace["metadata"]["name"]
    if now < until:
        return f"Namespace {name} lives until {until:%Y-%m-%dT%H:%M:%SZ}"
    call("DELETE", url)
    return f"Namespace {name} has expired at {until:%Y-%m-%dT%H:%M:%SZ}: deleted"


def main() -> int:
    """Look at the namespace named by NAMESPACE."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    host = f"[{host}]" if ":" in host else host
    try:
        print(reap(f"https://{host}:{port}/api/v1/namespaces/{os.environ['NAMESPACE']}", datetime.now(UTC)))
    except (NotAPreviewError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
