"""The rights of a release, asked of the cluster itself, and attacked from pods.

The network policies are enforced: kind brings kindnet, the embedded cluster kube-router.
"""

import subprocess
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
from kubernetes import client, config

from ci.chart_facts import grants
from ci.kubectl import get, kubectl
from ci.paths import KUBECONFIG
from ci.release import NAMESPACE as PLATFORM
from ci.tools import tool
from tests.live import two_teams as ours
from tests.live.scratch_dag import NAMESPACE as TEAM_NAMESPACE
from tests.live.two_teams import NAMESPACE, NARROW, OPEN, Attacker, two_teams

TRIED = (NAMESPACE, OPEN, NARROW, PLATFORM, "kube-system")
"""The release's namespace, both teams', and two that are none of its business."""

CALLS = """
import json, ssl, urllib.error, urllib.request
account = "/var/run/secrets/kubernetes.io/serviceaccount"
token = open(f"{account}/token").read()
context = ssl.create_default_context(cafile=f"{account}/ca.crt")
answers = {}
for method, path in CALLS:
    body = b"{}" if method in ("POST", "PATCH") else None
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    request = urllib.request.Request("https://kubernetes.default.svc" + path, method=method, data=body,
                                     headers={"Authorization": f"Bearer {token}", "Content-Type": kind})
    try:
        code = urllib.request.urlopen(request, context=context, timeout=8).status
    except urllib.error.HTTPError as error:
        code = error.code
    except OSError as error:
        code = type(error).__name__
    answers[f"{method} {path}"] = code
print(json.dumps(answers))
"""
KNOCK = """
import json, socket, time

def knock(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
        return "open"
    except OSError as error:
        return "closed"

# A policy reaches a pod that has just been made a moment later: the API has no word for when.
end = time.monotonic() + 30
while time.monotonic() < end:
    time.sleep(3)
    answers = {name: knock(host, port) for name, host, port in DOORS}
    if answers == WANTED:
        break
print(json.dumps(answers))
"""

LISTEN = """
import socket
server = socket.create_server(("", 8099))
server.settimeout(60)
while True:
    server.accept()[0].close()
"""


@pytest.fixture(scope="module")
def things(airflow):
    """Return the objects of a release with two teams, which are in the cluster."""
    with two_teams() as found:
        yield found


def rights_of(account: str, namespace: str) -> set[tuple[str, str, str]]:
    """Return (resource, name or "all", verb) that an account has in a namespace, but for what every account has."""
    place, _, name = account.partition("/")
    configuration = client.Configuration()
    config.load_kube_config(str(KUBECONFIG), client_configuration=configuration)
    with client.ApiClient(configuration, "Impersonate-User", f"system:serviceaccount:{place}:{name}") as api:
        review = {"spec": {"namespace": namespace}}
        status = client.AuthorizationV1Api(api).create_self_subject_rules_review(review).status
    return {
        (resource, one, verb)
        for rule in status.resource_rules
        if not {*(rule.api_groups or [])} & {"authorization.k8s.io", "authentication.k8s.io"}
        for resource in rule.resources or []
        for one in rule.resource_names or ["all"]
        for verb in rule.verbs
    }


def test_the_cluster_grants_each_account_in_each_namespace_what_the_matrix_says_and_no_more(things):
    wanted = defaultdict(set)
    for account, namespace, resource, names, verbs in grants(things):
        wanted[account, namespace] |= {(resource, one, verb) for one in names.split(", ") for verb in verbs.split(", ")}
    accounts = [
        f"{thing['metadata']['namespace']}/{thing['metadata']['name']}" for thing in things
        if thing["kind"] == "ServiceAccount"
    ]  # fmt: skip
    cells = [(account, namespace) for account in accounts for namespace in TRIED]
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(cells, pool.map(lambda cell: rights_of(*cell), cells), strict=True))
    assert len(accounts) >= 10
    assert {cell: rights for cell, rights in found.items() if rights != wanted.get(cell, set())} == {}


@pytest.mark.parametrize(("account", "verb", "resource", "namespace", "answer"), [
    (f"{OPEN}:cronlift-job", "create", "jobs", NARROW, "no"),
    (f"{OPEN}:cronlift-job", "get", "secrets", NARROW, "no"),
    (f"{OPEN}:cronlift-job", "get", f"secrets/{ours.NAME}-secrets", NAMESPACE, "no"),
    (f"{OPEN}:cronlift-launcher", "create", "jobs", NARROW, "no"),
    (f"{OPEN}:cronlift-launcher", "create", "jobs", OPEN, "yes"),
    (f"{NAMESPACE}:{ours.NAME}-scheduler", "get", f"secrets/{ours.NAME}-secrets", NAMESPACE, "no"),
    (f"{NAMESPACE}:{ours.NAME}-triggerer", "impersonate", "serviceaccounts/default", OPEN, "no"),
    (f"{NAMESPACE}:{ours.NAME}-triggerer", "impersonate", "serviceaccounts/cronlift-launcher", OPEN, "yes"),
])  # fmt: skip
def test_kubectl_says_the_same(things, account, verb, resource, namespace, answer):
    command = [str(tool("kubectl")), f"--kubeconfig={KUBECONFIG}", "auth", "can-i", verb, resource]
    command += [f"--namespace={namespace}", f"--as=system:serviceaccount:{account}"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == answer


def test_a_job_of_one_team_does_nothing_to_another_to_the_release_and_to_its_own_with_its_token(things):
    calls = [
        (method, f"{base}/namespaces/{namespace}/{resource}")
        for namespace in (NARROW, NAMESPACE, OPEN)
        for base, resource, methods in (
            ("/apis/batch/v1", "jobs", ("GET", "POST", "DELETE")), ("/api/v1", "pods", ("GET", "POST", "DELETE")),
            ("/api/v1", "secrets", ("GET", "POST", "DELETE")), ("/api/v1", "configmaps", ("GET", "POST")),
            ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", ("GET", "POST")),
            ("/api/v1", f"secrets/{ours.NAME}-secrets", ("GET", "PATCH")),
            ("/api/v1", "serviceaccounts/cronlift-launcher/token", ("POST",)),
        )
        for method in methods
    ]  # fmt: skip
    with Attacker(OPEN, f"CALLS = {calls!r}\n{CALLS}") as attacker:
        answers = attacker.answer()
    assert len(answers) == len(calls)
    assert {call: code for call, code in answers.items() if code != 403} == {}


def test_a_team_that_names_its_ways_has_no_other(things):
    doors = [("login", f"cronlift-api-server.{PLATFORM}", 8080), ("database", f"cronlift-postgres.{PLATFORM}", 5432)]
    some, none = {"login": "open", "database": "closed"}, {"login": "closed", "database": "closed"}
    with Attacker(OPEN, knocking(doors, some)) as one, Attacker(NARROW, knocking(doors, none)) as two:
        assert one.answer() == some
        assert two.answer() == none


def test_a_job_that_listens_is_reached_by_its_own_team_alone(things):
    with Attacker(OPEN, LISTEN, "listener") as listener:
        doors, heard, unheard = [("job", listener.address(), 8099)], {"job": "open"}, {"job": "closed"}
        with (
            Attacker(OPEN, knocking(doors, heard)) as one,
            Attacker(TEAM_NAMESPACE, knocking(doors, unheard)) as other,
        ):
            assert one.answer() == heard
            assert other.answer() == unheard


def test_a_jobs_pod_reaches_the_login_of_the_release_and_none_of_its_other_doors(airflow):
    doors = [
        ("login", f"cronlift-api-server.{PLATFORM}", 8080),
        ("database", f"cronlift-postgres.{PLATFORM}", 5432),
        *((f"{component} {port}", address(component), port) for component, port in
          (("scheduler", 8793), ("scheduler", 8974), ("scheduler", 9301), ("triggerer", 8794), ("dag-processor", 9301),
           ("postgres", 5432))),
    ]  # fmt: skip
    wanted = {name: "open" if name == "login" else "closed" for name, *_ in doors}
    with Attacker(TEAM_NAMESPACE, knocking(doors, wanted)) as attacker:
        assert attacker.answer() == wanted


def knocking(doors: list[tuple[str, str, int]], wanted: dict[str, str]) -> str:
    """Return a script that knocks at doors until they are as wanted, or half a minute is over."""
    return f"DOORS = {doors!r}\nWANTED = {wanted!r}\n{KNOCK}"


def address(component: str) -> str:
    """Return the address of a pod of the platform."""
    selector = f"--selector=app.kubernetes.io/component={component}"
    [pod, *_] = get("pods", f"--namespace={PLATFORM}", selector, "--field-selector=status.phase=Running")["items"]
    return str(pod["status"]["podIP"])


def test_the_pods_of_the_release_would_be_admitted_by_the_restricted_standard(airflow):
    command = [str(tool("kubectl")), f"--kubeconfig={KUBECONFIG}", "label", "namespace", PLATFORM, "--overwrite"]
    command += ["--dry-run=server", "pod-security.kubernetes.io/enforce=restricted"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "existing pods in namespace" not in done.stderr, done.stderr


def test_the_teams_namespace_enforces_the_restricted_standard(airflow):
    labels = kubectl("get", "namespace", TEAM_NAMESPACE, "--output=jsonpath={.metadata.labels}")
    assert '"pod-security.kubernetes.io/enforce":"restricted"' in labels
