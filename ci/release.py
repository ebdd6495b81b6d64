"""Install the chart on the local cluster and say when, or why not, it is healthy."""

import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import jsonschema
import yaml

from ci.airflow_api import Airflow
from ci.errors import CiError, UserError
from ci.kubectl import DIRECT, get, kubectl
from ci.paths import KUBECONFIG, ROOT
from ci.process import run
from ci.stages import Stage, wait_until
from ci.tools import tool

NAME = "cronlift"
NAMESPACE = "cronlift"
SECRET = "cronlift-secrets"  # noqa: S105 - the name of the Secret, not its content
ADMIN = "admin"
URL = "http://127.0.0.1:30080"
READY_TIMEOUT_SECONDS = 420
PLATFORM_IMAGES = {"airflow": "airflow", "postgres": "postgres", "git-sync": "gitSync"}
"""Image name -> its key under the chart's `images:`; every other image is one that jobs use."""

HOPELESS = {"ErrImageNeverPull", "InvalidImageName", "CreateContainerError", "RunContainerError"}
"""Waiting reasons that do not heal by waiting on a local cluster."""


def install(images: Mapping[str, str], git_url: str) -> None:
    """Install or upgrade the release.

    Args:
        images: Image name -> reference that the node knows.
        git_url: Where git-sync finds the working tree's snapshots.

    Raises:
        UserError: teams.yaml does not read.
        CommandError: Helm refused; its message names key and cure.
    """
    check_teams_file()
    _forget_interrupted()
    settings: list[str] = [f"git.url={git_url}"]
    for name, reference in images.items():
        if key := PLATFORM_IMAGES.get(name):
            repository, _, tag = reference.rpartition(":")
            settings += [f"images.{key}.repository={repository}", f"images.{key}.tag={tag}", f"images.{key}.digest="]
        else:
            settings.append(f"jobImages.{name}={reference}")
    run(
        tool("helm"), "upgrade", "--install", NAME, ROOT / "charts/cronlift",
        f"--kubeconfig={KUBECONFIG}", f"--namespace={NAMESPACE}", "--create-namespace",
        f"--values={ROOT / 'teams.yaml'}", f"--values={ROOT / 'charts/environments/local.yaml'}",
        *(word for setting in settings for word in ("--set-string", setting)),
        env=DIRECT, timeout_seconds=180,
    )  # fmt: skip
    _show_job_images(images)


def _show_job_images(images: Mapping[str, str]) -> None:
    """Have running pods see a changed list of job images now: the kubelet looks again when an annotation changes.

    By itself it looks about once a minute. https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/
    """
    digest = hashlib.sha256(json.dumps(dict(images), sort_keys=True).encode()).hexdigest()[:16]
    selector = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component in (dag-processor,scheduler,triggerer)"
    pods = get("pods", f"--namespace={NAMESPACE}", f"--selector={selector}")["items"]
    if names := [pod["metadata"]["name"] for pod in pods if not pod["metadata"].get("deletionTimestamp")]:
        note = f"cronlift.dev/job-images={digest}"
        kubectl("annotate", "pods", *names, f"--namespace={NAMESPACE}", "--overwrite", note)


def _forget_interrupted() -> None:
    """Remove the record of an upgrade that was killed in the middle: Helm would refuse every later one."""
    pending = "owner=helm,status in (pending-install,pending-upgrade,pending-rollback)"
    kubectl("delete", "secret", f"--namespace={NAMESPACE}", f"--selector=name={NAME},{pending}", "--ignore-not-found")


def check_teams_file() -> None:
    """Refuse a wrong teams.yaml, all its faults at once, before anything is built or changed.

    Raises:
        UserError: It is not there, does not parse, or does not fit the chart's schema.
    """
    cure = "Correct teams.yaml; nothing was changed. Its keys are described in charts/cronlift/README.md."
    try:
        teams = yaml.safe_load((ROOT / "teams.yaml").read_text())
    except FileNotFoundError as error:
        raise UserError("There is no teams.yaml", cure="Take it back: git checkout teams.yaml") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"teams.yaml:{mark.line + 1}:{mark.column + 1}" if mark else "teams.yaml"
        fault = f"{where}: {getattr(error, 'problem', None) or error}"
        raise UserError("teams.yaml is not valid YAML", [fault], cure=cure) from error
    schema = json.loads((ROOT / "charts/cronlift/values.schema.json").read_text())
    errors = jsonschema.validators.validator_for(schema)(schema).iter_errors(teams)
    if faults := [f"{'.'.join(map(str, error.absolute_path)) or 'teams.yaml'}: {error.message}" for error in errors]:
        raise UserError("teams.yaml does not fit the chart's schema", faults, cure=cure)


def team_namespaces() -> list[str]:
    """Return the namespaces that teams.yaml names."""
    teams = yaml.safe_load((ROOT / "teams.yaml").read_text())["teams"]
    return [team["namespace"] for team in teams.values()]


def wait_ready(stage: Stage) -> None:
    """Wait until every workload of the release is rolled out and Airflow calls itself healthy.

    Raises:
        CiError: Not in time, or a pod is in a state that waiting does not heal; with the pod's own words.
    """

    def missing() -> str | None:
        pods = get("pods", f"--namespace={NAMESPACE}")["items"]
        if hopeless := [words for pod in pods if (words := _hopeless(pod))]:
            raise CiError("\n".join([f"{stage.name}: this does not heal by waiting:", *hopeless, describe_failures()]))
        workloads = get("deployments,statefulsets,jobs", f"--namespace={NAMESPACE}")["items"]
        waiting = [workload["metadata"]["name"] for workload in workloads if not is_rolled_out(workload)]
        return ", ".join(waiting) if waiting or not workloads else None

    try:
        wait_until(stage, missing, timeout_seconds=READY_TIMEOUT_SECONDS)
        wait_until(stage, _unhealthy, timeout_seconds=120)
    except CiError as error:
        raise CiError(f"{error}\n{describe_failures()}") from error


def _unhealthy() -> str | None:
    with closing(login()) as airflow:
        return ", ".join(f"{part}: {state}" for part, state in airflow.health().items() if state != "healthy") or None


def is_rolled_out(workload: dict[str, Any]) -> bool:
    """Say whether a Deployment or StatefulSet runs its newest pods only, all ready; or whether a Job is complete.

    Old pods that take their time to end do not count: the new ones serve already. Nor do the Jobs of a CronJob, which
    come and go: one that failed is tried again at the next time of the schedule.
    """
    status = workload.get("status", {})
    if workload["kind"] == "Job":
        owners = {owner["kind"] for owner in workload["metadata"].get("ownerReferences", [])}
        return "CronJob" in owners or any(
            part["type"] == "Complete" and part["status"] == "True" for part in status.get("conditions", [])
        )
    wanted = workload["spec"].get("replicas", 1)
    is_seen = status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
    ready = {status.get("updatedReplicas", 0), status.get("readyReplicas", 0)}
    return is_seen and ready == {wanted} and (workload["kind"] != "Deployment" or not status.get("unavailableReplicas"))


def password() -> str:
    """Return the admin's generated password.

    Raises:
        CiError: The release is not installed, or its bootstrap Job has not run.
    """
    secret = get("secret", SECRET, f"--namespace={NAMESPACE}")
    value = (secret or {}).get("data", {}).get("admin-password")
    if not value:
        raise CiError(f"Secret {NAMESPACE}/{SECRET} has no admin-password yet; run `make up`")
    return base64.b64decode(value).decode()


def login() -> Airflow:
    """Return a login to the local Airflow as admin."""
    return Airflow(URL, ADMIN, password())


def pods() -> dict[str, str]:
    """Return pod -> state in words, for the release and the teams' unfinished Jobs."""
    found = {}
    for pod in get("pods", "--all-namespaces")["items"]:
        restarts = sum(status["restartCount"] for status in pod["status"].get("containerStatuses", []))
        state = "ready" if _is_ready(pod) else pod["status"].get("phase", "unknown").lower()
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        found[name] = _hopeless(pod) or state + (f", {restarts} restarts" if restarts else "")
    return found


def describe_failures() -> str:
    """Return the last log lines of every pod of the release that is not Ready, and the last warnings of the cluster."""
    lines: list[str] = []
    for pod in get("pods", f"--namespace={NAMESPACE}")["items"]:
        if _is_ready(pod) or _is_finished(pod):
            continue
        name = pod["metadata"]["name"]
        try:
            tail = kubectl("logs", name, f"--namespace={NAMESPACE}", "--all-containers", "--tail=15")
        except CiError as error:
            tail = str(error)
        lines += [f"--- {name}", tail.strip()]
    events = kubectl("get", "events", f"--namespace={NAMESPACE}", "--field-selector=type=Warning",
                     "--sort-by=.lastTimestamp").splitlines()[-8:]  # fmt: skip
    return "\n".join([*lines, "--- warnings of the cluster", *events])


def _is_finished(pod: dict[str, Any]) -> bool:
    return pod["status"].get("phase") == "Succeeded" or bool(
        [owner for owner in pod["metadata"].get("ownerReferences", []) if owner["kind"] == "Job"]
        and pod["status"].get("phase") == "Failed"
    )


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(part["type"] == "Ready" and part["status"] == "True" for part in conditions)


def _hopeless(pod: dict[str, Any]) -> str | None:
    statuses = pod["status"].get("initContainerStatuses", []) + pod["status"].get("containerStatuses", [])
    for status in statuses:
        waiting = status["state"].get("waiting", {})
        if waiting.get("reason") in HOPELESS:
            return (
                f"{pod['metadata']['name']}/{status['name']}: {waiting['reason']}: {waiting.get('message', '')} "
                f"(image {status['image']})"
            )
    return None
