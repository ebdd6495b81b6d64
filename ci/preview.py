"""Show the DAGs of a branch in an Airflow of its own, for a while: `python -m ci.preview up|down|list`.

A small release in a namespace of its own, with a database and keys of its own, that can run nothing and reaches git
alone; docs/preview.md says what it is for. REF, TTL, ENV and CONTEXT come from the environment, never from a shell's
words: a branch's name is somebody else's text.
"""

import argparse
import base64
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ci import environment, preview_plan, release
from ci.errors import CommandError, UserError
from ci.paths import ROOT
from ci.preview_source import VALUES, find_branch, git_cidrs, git_url
from ci.preview_target import Target, find_target
from ci.stages import Stage, exit_with_words

RESTRICTED = "restricted"
REAPER = "app.kubernetes.io/component=reaper"
"""The chart's CronJob that ends a preview. Helm makes it after all that it needs."""

READY_SECONDS = 600
DEFAULT_LIFETIME = "24h"


def up(ref: str, lifetime: str, target: Target) -> None:
    """Install the preview of a branch, or bring it to what is asked for now.

    Args:
        ref: The branch.
        lifetime: How long it lives from now on: "24h".
        target: Beside which release.

    Raises:
        UserError: The branch is none, does not exist, or has no teams; the time does not read; a Secret is not there;
            the namespace is there and no preview.
        CommandError: The chart or the cluster refused, or the release did not get ready. It stays, to be looked at,
            when its reaper is there to end it; else the namespace that this call made is removed.
    """
    until = datetime.now(UTC) + preview_plan.lifetime(lifetime)
    url = git_url(target)
    commit, teams = find_branch(preview_plan.check_branch(ref), url)
    given = preview_plan.values(target.values, teams, ref, url, git_cidrs(url))
    namespace = preview_plan.namespace_of(ref)
    # All that can be refused beforehand is, since from the namespace on there is something to be removed.
    secrets = read_secrets(target, given, namespace)
    target.helm("template", *_chart_words(namespace, given), stdin=yaml.safe_dump(given))
    was_there = _is_there(target, namespace)
    try:
        with Stage(f"Make namespace {namespace}"):
            for thing in (_namespace(ref, commit, until), *secrets):
                target.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(thing))
        with Stage(f"Install the preview of {ref}", expected_seconds=90):
            target.helm(
                "upgrade", "--install", *_chart_words(namespace, given), "--wait=watcher",
                f"--timeout={READY_SECONDS}s", stdin=yaml.safe_dump(given), timeout_seconds=READY_SECONDS + 60,
            )  # fmt: skip
    except BaseException:  # Ctrl-C too: the copied credentials must not stay where nothing ends them
        if not was_there:
            _remove_unless_reaped(target, namespace, ref)
        raise
    print(_next_words(target, namespace, ref, commit, preview_plan.stamp(until)))


def down(ref: str, target: Target) -> None:
    """Remove a preview with all that it has; does nothing when there is none.

    Raises:
        UserError: The namespace of that name is no preview.
    """
    namespace = preview_plan.namespace_of(preview_plan.check_branch(ref))
    if not _is_there(target, namespace):
        print(f"There is no preview of {ref}.")
        return
    _remove(target, namespace)


def show(target: Target) -> str:
    """Return a line for each preview."""
    found = target.kubectl("get", "namespaces", f"--selector={preview_plan.LABEL}", "--output=json")
    return preview_plan.table(json.loads(found)["items"], datetime.now(UTC), target.preview_down)


def read_secrets(target: Target, given: Mapping[str, Any], namespace: str) -> list[dict[str, Any]]:
    """Return copies, for the preview's namespace, of what the release needs to read git and to pull images.

    They are read with the rights of whoever calls this.

    Raises:
        UserError: Some are not there.
    """
    names = [entry["name"] for entry in given.get("imagePullSecrets") or []]
    auth = given["git"].get("auth") or {}
    names += [auth["existingSecret"]] if auth.get("existingSecret") else []
    words = (f"--namespace={release.NAMESPACE}", "--output=json", "--ignore-not-found")
    texts = {name: target.kubectl("get", "secret", name, *words) for name in names}
    if missing := [f"{release.NAMESPACE}/{name}" for name, text in texts.items() if not text.strip()]:
        raise UserError(
            "The preview needs Secrets which are not there",
            missing,
            cure="Install the environment first, or correct the names in its values file.",
        )
    secrets = {name: json.loads(text) for name, text in texts.items()}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
         "type": secret["type"], "data": secret.get("data", {})}
        for name, secret in secrets.items()
    ]  # fmt: skip


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


def _chart_words(namespace: str, given: Mapping[str, Any]) -> tuple[str | Path, ...]:
    """Return helm's words for the chart with its values; the environment's part is read from standard input."""
    # The environment's own part comes first, so that preview.yaml has the last word.
    return (
        namespace, ROOT / "charts/cronlift", f"--namespace={namespace}", "--values=-", f"--values={VALUES}",
        f"--set-json=networkPolicy.gitCidrs={json.dumps(given['networkPolicy']['gitCidrs'])}",
    )  # fmt: skip


def _is_there(target: Target, namespace: str) -> bool:
    """Tell whether a preview's namespace is there.

    Raises:
        UserError: It is there, and no preview.
    """
    text = target.kubectl("get", "namespace", namespace, "--output=json", "--ignore-not-found")
    if text.strip() and preview_plan.LABEL not in json.loads(text)["metadata"].get("labels", {}):
        raise UserError(f"Namespace {namespace} is no preview", cure="Nothing was changed; look at who made it.")
    return bool(text.strip())


def _remove(target: Target, namespace: str) -> None:
    with Stage(f"Remove namespace {namespace}", expected_seconds=30):
        target.kubectl("delete", "namespace", namespace, "--ignore-not-found", timeout_seconds=300)


def _remove_unless_reaped(target: Target, namespace: str, ref: str) -> None:
    words = ("get", "cronjobs", f"--namespace={namespace}", f"--selector={REAPER}", "--output=name")
    try:
        if not target.kubectl(*words).strip():
            _remove(target, namespace)
    except CommandError:  # what failed before is what the user is to read
        cure = f"remove it when the cluster answers: {target.preview_down(ref)}"
        print(f"Namespace {namespace} may stay, with copies of Secrets; {cure}", file=sys.stderr)


def _next_words(target: Target, namespace: str, ref: str, commit: str, until: str) -> str:
    kubectl = " ".join(target.kubectl_words())
    lines = [
        f"\nPreview of {ref} at {commit[:12]}, until {until}",
        f"UI    {kubectl} --namespace={namespace} port-forward service/{namespace}-cronlift-api-server 8081:8080",
        f"      then http://127.0.0.1:8081, {release.ADMIN} / {password(target, namespace)}",
        f"\nNext: look at the DAGs, then {target.preview_down(ref)}",
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
