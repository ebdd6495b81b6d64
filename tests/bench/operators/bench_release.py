"""A release of its own for the benchmark, from the same chart and the platform's own values, with the stock operators.

The platform's Airflow rests meanwhile: on two cores it would be measured too. Its database and volumes stay.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import yaml

from ci import release
from ci.airflow_api import Airflow
from ci.cluster import choose
from ci.errors import CiError
from ci.images import build
from ci.kubectl import DIRECT, get, kubectl
from ci.paths import KUBECONFIG, ROOT
from ci.process import run
from ci.stages import Stage, wait_until
from ci.tools import tool
from tests.bench.operators.contenders import BenchDag
from tests.bench.operators.deployment import Deployment, items
from tests.bench.operators.node import COMPONENTS

NAME = NAMESPACE = "cronlift-bench"
TEAM = "bench"
TEAM_NAMESPACE = "team-bench"
FOLDER = ROOT / "dags" / TEAM
IMAGE = "airflow-bench"
NODE_PORT = 30081
READY_SECONDS = 420
GONE_SECONDS = 180


def load_image() -> str:
    """Build the image that is measured unless it is there; return its reference."""
    [image] = build([IMAGE])
    with Stage(f"Load image {IMAGE}"):
        return choose().load([image])[IMAGE]


def platform_values() -> dict[str, Any]:
    """Return the values that the platform's release was installed with."""
    return dict(json.loads(_helm("get", "values", release.NAME, "--output=json", namespace=release.NAMESPACE)))


@contextmanager
def bench_deployment(airflow_image: str, dags: Sequence[BenchDag]) -> Iterator[Deployment]:
    """Bring up the release that is measured, and the platform back afterwards.

    Args:
        airflow_image: What `load_image` returned.
        dags: What it runs.
    """
    remove_leftovers()
    values = platform_values()
    job_image = str(values["jobImages"]["legacy"])
    deployment = Deployment(Airflow("", "", ""), NAMESPACE, TEAM, FOLDER, TEAM_NAMESPACE, job_image)
    revision = _revision()
    try:
        _lay_platform_to_rest()
        # Before the release, so that its first look at git finds them.
        deployment.write(dags)
        _install(_values(values, airflow_image))
        yield replace(deployment, airflow=_login())
    finally:
        try:
            remove_leftovers()
        finally:
            with Stage("Wake the platform's Airflow"):
                _helm("rollback", release.NAME, str(revision), namespace=release.NAMESPACE)
            with Stage("Wait until all is healthy", expected_seconds=60) as stage:
                release.wait_ready(stage)


def remove_leftovers() -> None:
    """Remove the benchmark's release, namespaces and files; does nothing when there are none."""
    files_of = Deployment(Airflow("", "", ""), NAMESPACE, TEAM, FOLDER, TEAM_NAMESPACE, "")
    files_of.remove_files()
    if not get("namespace", NAMESPACE) and not get("namespace", TEAM_NAMESPACE):
        return
    with Stage("Remove the benchmark's release"):
        _helm("uninstall", NAME, "--ignore-not-found", "--wait=hookOnly", namespace=NAMESPACE)
        kubectl("delete", "namespace", NAMESPACE, TEAM_NAMESPACE, "--ignore-not-found", "--wait=true",
                timeout_seconds=GONE_SECONDS)  # fmt: skip


def _lay_platform_to_rest() -> None:
    """Delete the platform's Deployments: on two cores they would be measured too. Helm makes them anew."""
    where = (f"--namespace={release.NAMESPACE}", f"--selector=app.kubernetes.io/instance={release.NAME}")
    with Stage("Lay the platform's Airflow to rest") as stage:
        kubectl("delete", "deployments", *where, "--wait=true", timeout_seconds=120)

        def remaining() -> str | None:
            names = [
                pod["metadata"]["name"]
                for pod in items("pods", *where)
                if pod["metadata"]["labels"].get("app.kubernetes.io/component") in COMPONENTS
            ]
            return ", ".join(names) or None

        wait_until(stage, remaining, timeout_seconds=GONE_SECONDS)


def _values(platform: Mapping[str, Any], image: str) -> dict[str, Any]:
    """Return the platform's values with what the benchmark needs, and nothing else changed."""
    repository, _, tag = image.rpartition(":")
    values: dict[str, Any] = json.loads(json.dumps(platform))
    values["images"]["airflow"] = {"repository": repository, "tag": tag, "digest": ""}
    path = FOLDER.relative_to(ROOT).as_posix()
    values["teams"] = {TEAM: {"namespace": TEAM_NAMESPACE, "path": path, "owners": ["@platform"]}}
    api_server = values.setdefault("apiServer", {})
    api_server["service"] = {"type": "NodePort", "nodePort": NODE_PORT}
    api_server["baseUrl"] = f"http://127.0.0.1:{NODE_PORT}"
    # The stock operators run on workers of the LocalExecutor: Airflow's own default, and memory for so many.
    scheduler = values.setdefault("scheduler", {})
    scheduler["parallelism"] = 32
    scheduler["resources"] = {
        "requests": {"cpu": "100m", "memory": "512Mi"},
        "limits": {"cpu": "4", "memory": "12Gi"},
    }
    # No DAG file changes during a measurement.
    values.setdefault("git", {})["period"] = "60s"
    values.setdefault("dagProcessor", {})["reparseSeconds"] = 3600
    # The stock operators call the Kubernetes API from the scheduler's pod.
    policy = values.setdefault("networkPolicy", {})
    ports = policy.get("kubernetesApiPorts", [443, 6443])
    policy["extraEgress"] = [{"ports": [{"port": port} for port in ports]}]
    return values


def _install(values: Mapping[str, Any]) -> None:
    with Stage("Install the benchmark's release", expected_seconds=90) as stage:
        _helm(
            "upgrade", "--install", NAME, str(ROOT / "charts/cronlift"), "--create-namespace", "--values=-",
            namespace=NAMESPACE, stdin=yaml.safe_dump(dict(values)),
        )  # fmt: skip
        for manifest in _stock_rights():
            kubectl("apply", "--filename=-", stdin=json.dumps(manifest))
        # The chart gives the scheduler no token; the stock operators need one there.
        kubectl("patch", "deployment", f"{NAME}-scheduler", f"--namespace={NAMESPACE}",
                f"--patch={json.dumps(_token_patch())}")  # fmt: skip
        wait_until(stage, _missing, timeout_seconds=READY_SECONDS)


def _missing() -> str | None:
    workloads = items("deployments,statefulsets,jobs", f"--namespace={NAMESPACE}")
    waiting = [workload["metadata"]["name"] for workload in workloads if not release.is_rolled_out(workload)]
    if waiting or not workloads:
        return ", ".join(waiting) or "the release's workloads"
    return ", ".join(f"{part}: {state}" for part, state in _login().health().items() if state != "healthy") or None


def _login() -> Airflow:
    secret = get("secret", f"{NAME}-secrets", f"--namespace={NAMESPACE}") or {}
    password = base64.b64decode(secret.get("data", {}).get("admin-password", "")).decode()
    return Airflow(f"http://{_node_address()}:{NODE_PORT}", release.ADMIN, password)


def _node_address() -> str:
    """Return where the NodePort answers: loopback on this machine's own node, the container's address with kind."""
    if choose().name == "embedded":
        return "127.0.0.1"
    addresses = get("nodes")["items"][0]["status"]["addresses"]
    return next(str(entry["address"]) for entry in addresses if entry["type"] == "InternalIP")


def _stock_rights() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the stock operators' documentation asks for, in the benchmark's namespace alone."""
    api = "rbac.authorization.k8s.io"
    metadata = {"name": "stock-operators", "namespace": TEAM_NAMESPACE}
    every = ["create", "get", "list", "watch", "patch", "delete"]
    role = {
        "apiVersion": f"{api}/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [
            {"apiGroups": ["batch"], "resources": ["jobs", "jobs/status"], "verbs": every},
            {"apiGroups": [""], "resources": ["pods"], "verbs": every},
            {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]},
            {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "list", "watch"]},
        ],
    }
    binding = {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": api, "kind": "Role", "name": "stock-operators"},
        "subjects": [
            {"kind": "ServiceAccount", "name": f"{NAME}-{component}", "namespace": NAMESPACE}
            for component in ("scheduler", "triggerer")
        ],
    }
    return role, binding


def _token_patch() -> dict[str, Any]:
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    mount = {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}
    return {
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "scheduler", "volumeMounts": [mount]}],
                    "volumes": [{"name": "token", "projected": {"defaultMode": 0o440, "sources": sources}}],
                }
            }
        }
    }


def _revision() -> int:
    history = json.loads(_helm("history", release.NAME, "--output=json", namespace=release.NAMESPACE))
    deployed = [int(entry["revision"]) for entry in history if entry["status"] == "deployed"]
    if not deployed:
        raise CiError(f"Release {release.NAME} is not deployed: run make up, then the benchmark again")
    return max(deployed)


def _helm(*words: str, namespace: str, stdin: str | None = None) -> str:
    options = (f"--kubeconfig={KUBECONFIG}", f"--namespace={namespace}")
    return run(tool("helm"), *words, *options, env=DIRECT, stdin=stdin, timeout_seconds=300)
