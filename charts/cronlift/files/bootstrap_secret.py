"""Fill the missing keys of the release's Secret, once, and never touch a key that is there.

The chart renders the Secret without data, so that two renders are identical and no upgrade
changes a key. This program runs in a Job whose account may only get and patch that one Secret.
Standard library only: it starts in a tenth of a second.
"""

import base64
import json
import os
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
PATIENCE_SECONDS = 300
RETRY_SECONDS = 1


def fernet_key() -> str:
    """Return 32 random bytes as Fernet wants them: url-safe base64, padded."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def token() -> str:
    """Return 43 characters that need no escaping in a URL, a shell or JSON."""
    return secrets.token_urlsafe(32)


def password() -> str:
    """Return 24 letters and digits: long enough to keep, short enough to type."""
    alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(alphabet) for _ in range(24))


KEYS: dict[str, Callable[[], str]] = {
    "fernet-key": fernet_key,
    "api-secret-key": token,
    "jwt-secret": token,
    "postgres-password": token,
    "admin-password": password,
    "filled": lambda: "yes",
}
"""The last is no key: pods that may not see any wait for it."""


class LostKeyError(Exception):
    """The fernet key is gone from a Secret that has had one; the text says what to do."""


def missing_values(data: dict[str, str]) -> dict[str, str]:
    """Return new base64 values for the keys that `data` lacks or has empty.

    Raises:
        LostKeyError: Only the fernet key would be new to a Secret that is in use: nothing could be read with it.
    """
    if not data.get("fernet-key") and any(data.get(key) for key in KEYS):
        raise LostKeyError(
            "has other keys but no fernet-key: it was removed, and a new one could not read what the database holds. "
            "Put the old one back from your copy (docs/backup.md)"
        )
    return {key: base64.b64encode(make().encode()).decode() for key, make in KEYS.items() if not data.get(key)}


def call(method: str, url: str, body: dict[str, object] | None = None) -> dict:
    """Send one request to the Kubernetes API with the Pod's own account."""
    with open(f"{ACCOUNT}/token") as file:
        bearer = file.read().strip()
    request = urllib.request.Request(  # noqa: S310 - always https, see main()
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {bearer}", "Content-Type": "application/merge-patch+json"},
    )
    context = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def fill(url: str) -> list[str]:
    """Add the missing keys in one patch; return their names.

    The patch carries the resourceVersion that was read, so that a concurrent writer makes it fail
    with 409 instead of replacing a key that has just been written.
    """
    secret = call("GET", url)
    added = missing_values(secret.get("data") or {})
    if added:
        version = secret["metadata"]["resourceVersion"]
        call("PATCH", url, {"metadata": {"resourceVersion": version}, "data": added})
    return sorted(added)


def main() -> int:
    """Fill the Secret named by NAMESPACE and SECRET_NAME, retrying while the API is not reachable."""
    namespace, name = os.environ["NAMESPACE"], os.environ["SECRET_NAME"]
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    host = f"[{host}]" if ":" in host else host
    url = f"https://{host}:{port}/api/v1/namespaces/{namespace}/secrets/{name}"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            added = fill(url)
        except LostKeyError as error:
            print(f"Secret {namespace}/{name} {error}", file=sys.stderr)
            return 1
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                print(f"Secret {namespace}/{name} was not filled in {PATIENCE_SECONDS} s: {error}", file=sys.stderr)
                return 1
            print(f"Secret {namespace}/{name}: {error}; trying again", file=sys.stderr)
            time.sleep(RETRY_SECONDS)
            continue
        print(f"Secret {namespace}/{name}: added {', '.join(added) if added else 'nothing, all keys are there'}")
        return 0


if __name__ == "__main__":
    sys.exit(main())
