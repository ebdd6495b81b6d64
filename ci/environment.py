"""Render, compare and deploy an environment of charts/environments: `python -m ci.environment render|diff|deploy`.

The same files that Argo CD and Flux read. `deploy` is `helm upgrade --install` with teams.yaml; it only speaks to the
kubeconfig context that is named after the environment, or that --context names, never to the current one.
"""

import argparse
import difflib
import json
import re
import subprocess
import sys
import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from kubernetes import client, config

from ci import chart_needs
from ci.errors import UserError
from ci.merge_base import merge_base
from ci.paths import ROOT
from ci.process import run
from ci.stages import Stage, exit_with_words
from ci.tools import tool

ENVIRONMENTS = "charts/environments"
LOCAL = "local"
PREVIEW = "preview"
"""Not an environment but what lies over one, see ci/preview.py."""

NAME = "cronlift"
LOCAL_SETS = (
    "images.airflow.repository=localhost/cronlift/airflow",
    "images.airflow.tag=local",
    "git.url=git://local/repo",
)
"""What `make up` fills in; without them local.yaml does not render."""

DEPLOY_TIMEOUT = "20m"
"""A migration of a large database, and the drain of the scheduler's tasks, take minutes."""


def names(root: Path = ROOT) -> list[str]:
    """Return the environments that have a values file."""
    return sorted(path.stem for path in (root / ENVIRONMENTS).glob("*.yaml") if path.stem != PREVIEW)


def words(name: str, root: Path = ROOT) -> list[str]:
    """Return helm's words for the values of an environment.

    Raises:
        UserError: There is no such environment.
    """
    if name not in names(root):
        raise UserError(f"There is no environment {name!r}", cure=f"Say ENV={'|'.join(names(root))}.")
    files = (root / "teams.yaml", root / ENVIRONMENTS / f"{name}.yaml")
    sets = [word for setting in LOCAL_SETS for word in ("--set", setting)] if name == LOCAL else []
    return [*(f"--values={path}" for path in files), *sets]


def faults(name: str, root: Path = ROOT) -> list[str]:
    """Return every fault of an environment's values, of the schema and of combinations, in one list.

    Helm itself stops after the schema's faults, and does not say what a key is for.
    """
    chart = root / "charts/cronlift"
    schema = json.loads((chart / "values.schema.json").read_text())
    found = []
    for path in (root / "teams.yaml", root / ENVIRONMENTS / f"{name}.yaml"):
        for error in jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(path.read_text()) or {}):
            key = ".".join(map(str, error.absolute_path)) or "(top)"
            known = error.schema.get("properties", {}) if error.validator == "additionalProperties" else {}
            near = [word for one in _unknown(error.message) for word in difflib.get_close_matches(one, known, n=1)]
            cure = f"did you mean {near[0]}?" if near else error.schema.get("description", "")
            found.append(f"{path.name}: {key}: {error.message}. {cure}".rstrip())
    rendered = _template(name, root, "--skip-schema-validation")
    found += re.findall(r"^- (.+)$", rendered.stderr, re.MULTILINE) if rendered.returncode else []
    if rendered.returncode and not found:
        found.append(rendered.stderr.strip())
    return found


def render(name: str, root: Path = ROOT) -> str:
    """Return the objects of an environment as YAML.

    Raises:
        UserError: Its values are wrong; with all faults.
    """
    words(name, root)
    answer = _template(name, root)
    if answer.returncode:
        raise UserError(
            f"The values of {name} are wrong", faults(name, root), cure="Correct them; nothing was changed."
        )
    return answer.stdout


def diff(name: str, base: str) -> str:
    """Return the change of an environment's objects since this branch left a commit, as a unified diff.

    Returns:
        Empty when there is none.

    Raises:
        UserError: There is no such commit; or the values are wrong, here or there.
    """
    start = merge_base(base, ROOT)
    with tempfile.TemporaryDirectory(prefix="cronlift-base-") as folder:
        run("git", "worktree", "add", "--detach", "--quiet", folder, start, cwd=ROOT)
        try:
            before = render(name, Path(folder)) if name in names(Path(folder)) else ""
        finally:
            run("git", "worktree", "remove", "--force", folder, cwd=ROOT)
    lines = difflib.unified_diff(
        before.splitlines(), render(name).splitlines(), f"{base}/{name}", f"now/{name}", lineterm="", n=4
    )
    return "\n".join(lines)


def deploy(name: str, context: str, namespace: str) -> None:
    """Bring an environment to what its files say, and wait until all pods of it are replaced.

    Raises:
        UserError: It is the local one, its values are wrong, or the cluster lacks a Secret, a key or a class that they
            name; with all of them.
        CommandError: Helm failed, or the rollout did not end in time.
    """
    if name == LOCAL:
        raise UserError("The local environment has a cluster of its own", cure="Say make up.")
    things = [thing for thing in yaml.load_all(render(name), yaml.CSafeLoader) if thing]
    if lacking := chart_needs.missing(chart_needs.needs(things), _asker(context), _values(name)):
        cure = f"Make them first (kubectl create namespace {namespace}, where that is missing); nothing was changed."
        raise UserError(f"The cluster of {context} lacks what the values name", lacking, cure=cure)
    with Stage(f"Deploy {name} to context {context}", expected_seconds=180):
        run(
            tool("helm"), "upgrade", "--install", NAME, ROOT / "charts/cronlift", *words(name),
            f"--kube-context={context}",
            f"--namespace={namespace}", "--create-namespace", "--wait=watcher", f"--timeout={DEPLOY_TIMEOUT}",
        )  # fmt: skip
    print(f"Next: helm test {NAME} --namespace {namespace} --kube-context {context} --logs")


def _values(name: str) -> dict[str, Any]:
    files = (ROOT / "teams.yaml", ROOT / ENVIRONMENTS / f"{name}.yaml")
    return {key: value for path in files for key, value in (yaml.safe_load(path.read_text()) or {}).items()}


def _asker(context: str) -> chart_needs.Ask:
    """Return what looks into the cluster of a kubeconfig context.

    Raises:
        UserError: There is no such context.
    """
    try:
        api = config.new_client_from_config(context=context)
    except config.ConfigException as error:
        raise UserError(f"No kubeconfig context {context!r}: {error}", cure="Say CONTEXT=, or add it.") from error
    core, scheduling, storage = client.CoreV1Api(api), client.SchedulingV1Api(api), client.StorageV1Api(api)
    ways = {
        "Secret": core.read_namespaced_secret,
        "ConfigMap": core.read_namespaced_config_map,
        "PriorityClass": lambda name, _: scheduling.read_priority_class(name),
        "StorageClass": lambda name, _: storage.read_storage_class(name),
    }

    def ask(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            return dict(api.sanitize_for_serialization(ways[kind](name, namespace)))
        except client.ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    return ask


def _template(name: str, root: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [str(tool("helm")), "template", NAME, str(root / "charts/cronlift"), f"--namespace={NAME}"]
    return subprocess.run([*command, *words(name, root), *more], capture_output=True, text=True, check=False)


def _unknown(message: str) -> list[str]:
    return re.findall(r"'([^']+)'", message)


def main() -> None:
    """Do what is asked; `diff` and `render` write to stdout."""
    parser = argparse.ArgumentParser(prog="python -m ci.environment", description=__doc__)
    parser.add_argument("action", choices=("render", "diff", "deploy"))
    parser.add_argument("name", help=f"one of {', '.join(names())}")
    parser.add_argument("--base", default="origin/main", help="what to compare with (origin/main)")
    parser.add_argument("--context", default="", help="kubeconfig context (the environment's name)")
    parser.add_argument("--namespace", default=NAME, help=f"namespace of the release ({NAME})")
    options = parser.parse_args()
    if options.action == "render":
        sys.stdout.write(render(options.name))
    elif options.action == "diff":
        print(diff(options.name, options.base) or f"{options.name} renders as in {options.base}.")
    else:
        deploy(options.name, options.context or options.name, options.namespace)


if __name__ == "__main__":
    with exit_with_words():
        main()
