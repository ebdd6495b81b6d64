"""The rights of the live release, asked of the cluster itself, and attacked from pods."""

import subprocess

import pytest

from ci.kubectl import kubectl
from ci.paths import KUBECONFIG
from ci.release import NAMESPACE
from ci.tools import tool
from tests.live.scratch_dag import NAMESPACE as TEAM_NAMESPACE
from tests.live.scratch_dag import ScratchDag, job_manifest

REFUSED = [
    ("a Job in its own namespace", f"{TEAM_NAMESPACE}:cronlift-job", "create", "jobs", TEAM_NAMESPACE),
    ("a Job on Secrets of the release", f"{TEAM_NAMESPACE}:cronlift-job", "get", "secrets", NAMESPACE),
    ("a Job in kube-system", f"{TEAM_NAMESPACE}:cronlift-job", "list", "pods", "kube-system"),
    ("the launcher in the release", f"{TEAM_NAMESPACE}:cronlift-launcher", "create", "jobs", NAMESPACE),
    ("the launcher on Secrets of the release", f"{TEAM_NAMESPACE}:cronlift-launcher", "get", "secrets", NAMESPACE),
    ("the scheduler on the Secret", f"{NAMESPACE}:cronlift-scheduler", "get", "secrets/cronlift-secrets", NAMESPACE),
    ("the scheduler on Jobs", f"{NAMESPACE}:cronlift-scheduler", "create", "jobs", TEAM_NAMESPACE),
    ("the triggerer itself on Jobs", f"{NAMESPACE}:cronlift-triggerer", "create", "jobs", TEAM_NAMESPACE),
    ("the triggerer on other accounts", f"{NAMESPACE}:cronlift-triggerer", "impersonate",
     "serviceaccounts/default", TEAM_NAMESPACE),
    ("the bootstrap on another Secret", f"{NAMESPACE}:cronlift-bootstrap", "get", "secrets/other", NAMESPACE),
]  # fmt: skip
ALLOWED = [
    ("the launcher on Jobs", f"{TEAM_NAMESPACE}:cronlift-launcher", "create", "jobs", TEAM_NAMESPACE),
    ("the triggerer on the launcher", f"{NAMESPACE}:cronlift-triggerer", "impersonate",
     "serviceaccounts/cronlift-launcher", TEAM_NAMESPACE),
    ("the bootstrap on its Secret", f"{NAMESPACE}:cronlift-bootstrap", "patch", "secrets/cronlift-secrets", NAMESPACE),
]  # fmt: skip
KNOCK = """
python3 - <<'PY'
import socket
for name, port in [("cronlift-postgres.{namespace}", 5432), ("cronlift-api-server.{namespace}", 8080)]:
    try:
        socket.create_connection((name, port), timeout=4).close()
        print(name, "open")
    except OSError as error:
        print(name, "closed", type(error).__name__)
PY
"""


def may(account: str, verb: str, resource: str, namespace: str) -> str:
    """Ask the cluster whether an account may do something."""
    command = [str(tool("kubectl")), f"--kubeconfig={KUBECONFIG}", "auth", "can-i", verb, resource]
    command += [f"--namespace={namespace}", f"--as=system:serviceaccount:{account}"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@pytest.mark.parametrize(("account", "verb", "resource", "namespace"), [row[1:] for row in REFUSED],
                         ids=[row[0] for row in REFUSED])  # fmt: skip
def test_what_the_matrix_does_not_name_is_refused(airflow, account, verb, resource, namespace):
    assert may(account, verb, resource, namespace) == "no"


@pytest.mark.parametrize(("account", "verb", "resource", "namespace"), [row[1:] for row in ALLOWED],
                         ids=[row[0] for row in ALLOWED])  # fmt: skip
def test_what_the_matrix_names_is_allowed(airflow, account, verb, resource, namespace):
    assert may(account, verb, resource, namespace) == "yes"


def test_a_jobs_pod_reaches_the_login_of_the_release_and_not_its_database(airflow):
    dag = ScratchDag(airflow)
    try:
        dag.write(job_manifest(KNOCK.format(namespace=NAMESPACE)))
        dag.wait_live()
        state, lines = dag.run()
        assert state == "success", lines
        assert any(f"cronlift-api-server.{NAMESPACE} open" in line for line in lines), lines
        assert any(f"cronlift-postgres.{NAMESPACE} closed" in line for line in lines), lines
    finally:
        dag.remove()


def test_the_pods_of_the_release_would_be_admitted_by_the_restricted_standard(airflow):
    command = [str(tool("kubectl")), f"--kubeconfig={KUBECONFIG}", "label", "namespace", NAMESPACE, "--overwrite"]
    command += ["--dry-run=server", "pod-security.kubernetes.io/enforce=restricted"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "existing pods in namespace" not in done.stderr, done.stderr


def test_the_teams_namespace_enforces_the_restricted_standard(airflow):
    labels = kubectl("get", "namespace", TEAM_NAMESPACE, "--output=jsonpath={.metadata.labels}")
    assert '"pod-security.kubernetes.io/enforce":"restricted"' in labels
