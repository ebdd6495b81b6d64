"""Show the DAGs of a branch in an Airflow of its own, for a while: `python -m ci.preview up|down|list`.

A small release in a namespace of its own, with a database and keys of its own, that can run nothing and reaches git
alone; docs/preview.md says what it is for. REF, TTL, ENV and CONTEXT come from the environment, never from a shell's
words: a branch's name is somebody else's text.
"""

import argparse
import base64
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import yaml

from ci import environment, preview_plan, release
from ci.errors import UserError
from ci.paths import ROOT
from ci.preview_source import VALUES, find_branch, git_cidrs, git_url
from ci.preview_target import Target, find_target
from ci.stages import Stage, exit_with_words

RESTRICTED = "restricted"
READY_SECONDS = 600
DEFAULT_LIFETIME = "24h"


def up(ref: str, lifetime: str, target: Target) -> None:
    """Install the preview of a branch, or bring it to what is asked for now.

    Args:
        ref: The branch.
        lifetime: How long it lives from now on: "24h".
        target: Beside which release.

    Raises:
        UserError: The branch is none, does not exist, or has no teams; the time does not read.
        CommandError: The cluster refused, or the release did not get ready; it stays, to be looked at.
    """
    until = datetime.now(UTC) + preview_plan.lifetime(lifetime)
    url = git_url(target)
    commit, teams = find_branch(preview_plan.check_branch(ref), url)
    given = preview_plan.values(target.values, teams, ref, url, git_cidrs(url))
    namespace = preview_plan.namespace_of(ref)
    with Stage(f"Make namespace {namespace}"):
        target.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(_namespace(ref, commit, until)))
        copy_secrets(target, given, namespace)
    with Stage(f"Install the preview of {ref}", expected_seconds=90):
        # The environment's own part comes first, so that preview.yaml has the last word.
        target.helm(
            "upgrade", "--install", namespace, ROOT / "charts/cronlift", f"--namespace={namespace}", "--values=-",
            f"--values={VALUES}", f"--set-json=networkPolicy.gitCidrs={json.dumps(given['networkPolicy']['gitCidrs'])}",
            "--wait=watcher", f"--timeout={READY_SECONDS}s",
            stdin=yaml.safe_dump(given), timeout_seconds=READY_SECONDS + 60,
        )  # fmt: skip
    print(_next_words(target, namespace, ref, commit, preview_plan.stamp(until)))


def down(ref: str, target: Target) -> None:
    """Remove a preview with all that it has; does nothing when there is none.

    Raises:
        UserError: The namespace of that name is no preview.
    """
    namespace = preview_plan.namespace_of(preview_plan.check_branch(ref))
    text = target.kubectl("get", "namespace", namespace, "--output=json", "--ignore-not-found")
    if not text.strip():
        print(f"There is no preview of {ref}.")
        return
    if preview_plan.LABEL not in json.loads(text)["metadata"].get("labels", {}):
        raise UserError(f"Namespace {namespace} is no preview", cure="Nothing was removed; look at who made it.")
    with Stage(f"Remove namespace {namespace}", expected_seconds=30):
        target.kubectl("delete", "namespace", namespace, "--ignore-not-found", timeout_seconds=300)


def show(target: Target) -> str:
    """Return a line for each preview."""
    found = target.kubectl("get", "namespaces", f"--selector={preview_plan.LABEL}", "--output=json")
    return preview_plan.table(json.loads(found)["items"], datetime.now(UTC))


def copy_secrets(target: Target, given: Mapping[str, Any], namespace: str) -> None:
    """Copy what the release needs to read git and to pull images; with the rights of whoever calls this.

    Raises:
        UserError: One of them is not there.
    """
    names = [entry["name"] for entry in given.get("imagePullSecrets") or []]
    auth = given["git"].get("auth") or {}
    names += [auth["existingSecret"]] if auth.get("existingSecret") else []
    for name in names:
        text = target.kubectl("get", "secret", name, f"--namespace={release.NAMESPACE}", "--output=json",
                              "--ignore-not-found")  # fmt: skip
        if not text.strip():
            raise UserError(
                f"The preview needs Secret {release.NAMESPACE}/{name}, which is not there",
                cure="Install the environment first, or correct the name in its values file.",
            )
        secret = json.loads(text)
        copy = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
                "type": secret["type"], "data": secret.get("data", {})}  # fmt: skip
        target.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(copy))


def password(target: Target, namespace: str) -> str:
    """Return the generated password of a preview's administrator."""
    words = ("get", "secret", f"{namespace}-cronlift-secrets", f"--namespace={namespace}", "--output=json")
    return base64.b64decode(json.loads(target.kubectl(*words))["data"]["admin-password"]).decode()


def _namespace(ref: str, commit: str, until: datetime) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": preview_plan.namespace_of(ref),
            "labels": {
                preview_plan.LABEL: preview_plan.name_of(ref),
                "pod-security.kubernetes.io/enforce": RESTRICTED,
            },
            "annotations": {
                preview_plan.EXPIRES: preview_plan.stamp(until),
                preview_plan.REF: ref,
                preview_plan.COMMIT: commit,
            },
        },
    }


def _next_words(target: Target, namespace: str, ref: str, commit: str, until: str) -> str:
    kubectl = " ".join(target.kubectl_words())
    lines = [
        f"\nPreview of {ref} at {commit[:12]}, until {until}",
        f"UI    {kubectl} --namespace={namespace} port-forward service/{namespace}-cronlift-api-server 8081:8080",
        f"      then http://127.0.0.1:8081, {release.ADMIN} / {password(target, namespace)}",
        f"\nNext: look at the DAGs, then make preview-down REF={ref}",
    ]
    return "\n".join(lines)


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(prog="python -m ci.preview", description=__doc__)
    parser.add_argument("action", choices=("up", "down", "list"))
    action = parser.parse_args().action
    ref, lifetime = os.environ.get("REF", ""), os.environ.get("TTL") or DEFAULT_LIFETIME
    if action != "list":
        preview_plan.check_branch(ref)
        preview_plan.lifetime(lifetime)
    target = find_target(os.environ.get("ENV") or environment.LOCAL, os.environ.get("CONTEXT", ""))
    if action == "up":
        up(ref, lifetime, target)
    elif action == "down":
        down(ref, target)
    else:
        print(show(target))


if __name__ == "__main__":
    with exit_with_words():
        main()
