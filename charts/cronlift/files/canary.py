"""`helm test`: run a Job to success in each team's namespace, with the triggerer's own account and rights.

Usage: canary.py IMAGE TEAM=NAMESPACE... All teams at once, told in the order given. A Job that does not succeed is told
with its pods' words and the namespace's warnings. Standard library only.
"""

import http.client
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
PATIENCE_SECONDS = 160
"""For all teams together: `helm test` gives up after 300 s, and takes what we would have said with it."""
CALL_SECONDS = 10
"""For one answer of the API server; four calls may come after the deadline."""
POLL_SECONDS = 1

Call = Callable[..., dict[str, Any]]


def job(name: str, image: str) -> dict[str, Any]:
    """Return the Job: restricted, small, gone five minutes after its end whatever becomes of us."""
    container = {
        "name": "canary",
        "image": image,
        "command": ["python3", "-c", "print('The canary sings')"],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    pod = {
        "serviceAccountName": "cronlift-job",
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 50000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    if os.environ.get("OPENSHIFT") == "true":
        del pod["securityContext"]["runAsUser"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/component": "canary"}},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": PATIENCE_SECONDS,
            "ttlSecondsAfterFinished": 300,
            "template": {"metadata": {"labels": {"app.kubernetes.io/component": "canary"}}, "spec": pod},
        },
    }


def verdict(found: dict[str, Any]) -> str | None:
    """Return `succeeded`, the reason of a failed Job, or None while it runs: only its conditions decide."""
    for condition in found.get("status", {}).get("conditions", []):
        if condition["status"] == "True" and condition["type"] == "Complete":
            return "succeeded"
        if condition["status"] == "True" and condition["type"] == "Failed":
            return f"{condition.get('reason', 'Failed')}: {condition.get('message', '')}"
    return None


def pod_words(pods: list[dict[str, Any]]) -> list[str]:
    """Return why these pods do not run, or how their containers ended."""
    words = []
    for pod in pods:
        status = pod.get("status", {})
        words += [
            f"pod {pod['metadata']['name']}: {part['reason']}: {part.get('message', '')}"
            for part in status.get("conditions", [])
            if part["status"] == "False" and part.get("reason") in ("Unschedulable", "SchedulingGated")
        ]
        for container in status.get("containerStatuses", []):
            for state, details in container.get("state", {}).items():
                reason = f"{details.get('reason', '')} {details.get('message', '')}".strip()
                code = f" exit code {details['exitCode']}" if "exitCode" in details else ""
                words.append(f"pod {pod['metadata']['name']}: {state}{code}: {reason}")
    return words


def event_words(events: list[dict[str, Any]], name: str) -> list[str]:
    """Return the warnings about a Job and its pods, each once."""
    found = [
        f"{event['involvedObject']['kind'].lower()} {event['involvedObject']['name']}: "
        f"{event.get('reason')}: {event.get('message')}"
        for event in events
        if event.get("type") == "Warning" and event["involvedObject"].get("name", "").startswith(name)
    ]
    return list(dict.fromkeys(found))


def client(namespace: str) -> Call:
    """Return a function that calls the API server as the team's launcher, as the triggerer does."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    base = f"https://{f'[{host}]' if ':' in host else host}:{port}"
    context = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")

    def call(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        with open(f"{ACCOUNT}/token") as file:
            bearer = file.read().strip()
        request = urllib.request.Request(  # noqa: S310 - always https
            f"{base}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {bearer}",
                "Content-Type": "application/json",
                "Impersonate-User": f"system:serviceaccount:{namespace}:cronlift-launcher",
            },
        )
        with urllib.request.urlopen(request, context=context, timeout=CALL_SECONDS) as answer:  # noqa: S310
            return json.load(answer)

    return call


def run(call: Call, namespace: str, image: str, deadline: float) -> list[str]:
    """Run one Job to its end or the deadline, and return what went wrong; nothing when it succeeded."""
    name = f"cronlift-canary-{int(time.time())}"
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    call("POST", jobs, job(name, image))
    try:
        while (end := verdict(call("GET", f"{jobs}/{name}"))) is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if end == "succeeded":
            return []
        core = f"/api/v1/namespaces/{namespace}"
        pods = call("GET", f"{core}/pods?labelSelector=job-name%3D{name}")["items"]
        events = call("GET", f"{core}/events")["items"]
        return [end or f"not ended after {PATIENCE_SECONDS} s", *pod_words(pods), *event_words(events, name)]
    finally:
        call("DELETE", f"{jobs}/{name}", {"propagationPolicy": "Background"})


def outcome(namespace: str, image: str, deadline: float) -> tuple[float, list[str]]:
    """Run one Job and return the seconds it took, and what went wrong."""
    started = time.monotonic()
    try:
        words = run(client(namespace), namespace, image, deadline)
    except urllib.error.HTTPError as error:
        words = [f"{error.code}: {json.load(error).get('message', error.reason)}"]
    except (OSError, http.client.HTTPException) as error:
        words = [f"the API server does not answer: {error}"]
    return time.monotonic() - started, words


def main() -> int:
    """Try all teams at once, say how each fared, 1 when one failed."""
    image, pairs = sys.argv[1], dict(word.split("=", 1) for word in sys.argv[2:])
    deadline = time.monotonic() + PATIENCE_SECONDS
    failed = False
    with ThreadPoolExecutor(max_workers=len(pairs)) as threads:
        outcomes = threads.map(lambda namespace: outcome(namespace, image, deadline), pairs.values())
        for (team, namespace), (seconds, words) in zip(pairs.items(), outcomes, strict=True):
            if not words:
                print(f"ok team {team}: a Job in {namespace} succeeded in {seconds:.1f} s", flush=True)
                continue
            failed = True
            print(f"x team {team}: the Job in {namespace} did not succeed", file=sys.stderr)
            for line in words:
                print(f"    {line}", file=sys.stderr, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
