"""A preview of a branch on the live cluster: shows its DAGs, paused, may and reaches nothing, and goes by itself."""

import json
import os
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ci import preview, preview_plan, preview_target, release
from ci.airflow_api import Airflow
from ci.errors import CommandError
from ci.git_server import PORT
from ci.kubectl import get, kubectl
from ci.paths import ROOT
from tests.live.forwarding import forwarded
from tests.live.make import make
from tests.live.waiting import wait_for

BRANCH = "e2e-preview"
NAMESPACE = preview_plan.namespace_of(BRANCH)
DAG = """\
from airflow.sdk import DAG
from cronlift import KubernetesJobOperator

with DAG("demo__only_on_the_branch", schedule="@daily", catchup=False, is_paused_upon_creation=False):
    KubernetesJobOperator(task_id="report", manifest="jobs/import_rates.yaml")
"""
CONNECT = """
import json, socket, sys
def reaches(host, port):
    try:
        with socket.create_connection((host, port), timeout=3):
            return True
    except OSError:
        return False
print(json.dumps({f"{host}:{port}": reaches(host, int(port)) for host, port in json.loads(sys.argv[1])}))
"""


def git(*words: str, **environment: str) -> str:
    """Run git in the clone."""
    return subprocess.run(["git", *words], cwd=ROOT, env={**os.environ, **environment}, check=True,
                          capture_output=True, text=True).stdout.strip()  # fmt: skip


def commit(folder: Path, files: dict[str, str], parent: str) -> None:
    """Put a commit with further files on the branch, without touching the working tree or its index."""
    index = {"GIT_INDEX_FILE": str(folder / "index")}
    git("read-tree", parent, **index)
    for name, text in files.items():
        (folder / "file").write_text(text)
        blob = git("hash-object", "-w", str(folder / "file"))
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", **index)
    person = {
        f"GIT_{who}_{what}": "e2e@cronlift.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    made = git("commit-tree", git("write-tree", **index), "-p", parent, "-m", "Add a DAG for a preview", **person)
    git("update-ref", f"refs/heads/{BRANCH}", made)


@pytest.fixture(scope="module")
def branch(tmp_path_factory):
    """Yield a way to put files on the branch, which is there until the module ends."""
    folder = tmp_path_factory.mktemp("branch")
    commit(folder, {"dags/demo/only_on_the_branch.py": DAG}, "HEAD")
    yield lambda files: commit(folder, files, f"refs/heads/{BRANCH}")
    git("update-ref", "-d", f"refs/heads/{BRANCH}")


@pytest.fixture(scope="module")
def shown(kube_config, branch):
    """Yield the API of a preview's Airflow."""
    started = datetime.now(UTC)
    try:
        done = make("preview", f"REF={BRANCH}", "TTL=15m", timeout_seconds=700)
        assert done.returncode == 0, done.stdout + done.stderr
        print(f"\nmake preview: {(datetime.now(UTC) - started).total_seconds():.0f} s\n{done.stdout}")
        secret = preview.password(preview_target.find_target("local", ""), NAMESPACE)
        service = f"{NAMESPACE}-cronlift-api-server"
        with forwarded(NAMESPACE, service, 8080) as url, closing(Airflow(url, release.ADMIN, secret)) as airflow:
            yield airflow
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout_seconds=300)


@pytest.mark.timeout(1000)
def test_the_branchs_dags_are_shown_and_all_are_paused_whatever_they_say(shown):
    wait_for(lambda: "demo__only_on_the_branch" in shown.dag_ids(), "the branch's DAG", 120)
    dags = shown.get("/dags", limit=1000)["dags"]
    assert {dag["dag_id"] for dag in dags} >= {"demo__only_on_the_branch", "demo__import_rates"}
    assert {dag["is_paused"] for dag in dags} == {True}
    assert shown.import_errors() == []


def test_a_push_to_the_branch_shows(shown, branch):
    branch({"dags/demo/second.py": DAG.replace("only_on_the_branch", "second")})
    print(f"\nPush -> shown: {wait_for(lambda: 'demo__second' in shown.dag_ids(), 'the second DAG', 120):.1f} s")


def test_the_platform_itself_does_not_see_the_branch(shown, airflow):
    assert "demo__only_on_the_branch" not in airflow.dag_ids()


def test_what_reads_the_branch_reaches_git_and_its_own_database_alone(shown):
    url = json.loads(preview_target.find_target("local", "").helm(
        "get", "values", NAMESPACE, "--output=json", f"--namespace={NAMESPACE}"))["git"]["url"]  # fmt: skip
    host = preview_plan.git_host(url)
    own = f"{NAMESPACE}-cronlift"
    reached = {f"{host}:{PORT}": True, f"{own}-postgres:5432": True}
    forbidden = [
        ("kubernetes.default", 443), (f"{own}-api-server", 8080), (host, 30080), (host, 16443),
        (f"cronlift-postgres.{release.NAMESPACE}", 5432), (f"cronlift-api-server.{release.NAMESPACE}", 8080),
        (get("service", "kubernetes", "--namespace=default")["spec"]["clusterIP"], 443),
    ]  # fmt: skip
    asked = [name.rsplit(":", 1) for name in reached] + [list(pair) for pair in forbidden]
    pod = f"deployment/{own}-dag-processor"
    said = kubectl("exec", pod, f"--namespace={NAMESPACE}", "--container=dag-processor", "--", "python", "-c", CONNECT,
                   json.dumps(asked), timeout_seconds=120)  # fmt: skip
    assert json.loads(said) == {**reached, **{f"{where}:{port}": False for where, port in forbidden}}


def test_no_account_of_it_has_a_right_in_a_teams_namespace_or_over_others(shown):
    accounts = [thing["metadata"]["name"] for thing in get("serviceaccounts", f"--namespace={NAMESPACE}")["items"]]
    assert len(accounts) >= 6
    for account in accounts:
        user = f"--as=system:serviceaccount:{NAMESPACE}:{account}"
        for words in (
            ("impersonate", "serviceaccounts/cronlift-launcher", "--namespace=team-demo"),
            ("create", "jobs", "--namespace=team-demo"), ("list", "pods", "--namespace=team-demo"),
            ("get", "secrets", f"--namespace={release.NAMESPACE}"), ("delete", f"namespaces/{release.NAMESPACE}"),
            ("create", "jobs", f"--namespace={NAMESPACE}"),
        ):  # fmt: skip
            with pytest.raises(CommandError):
                kubectl("auth", "can-i", *words, user)
    pods = get("pods", f"--namespace={NAMESPACE}")["items"]
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods}
    assert components <= {"api-server", "dag-processor", "postgres", "bootstrap", "migrate", "reaper"}


def test_its_keys_and_database_are_its_own(shown):
    def keys(namespace, name):
        return get("secret", name, f"--namespace={namespace}")["data"]

    ours, theirs = keys(NAMESPACE, f"{NAMESPACE}-cronlift-secrets"), keys(release.NAMESPACE, release.SECRET)
    assert set(ours) == set(theirs)
    assert not set(ours.values()) & set(theirs.values())


def test_the_list_names_it_and_the_same_command_prolongs_it(shown):
    before = get("namespace", NAMESPACE)["metadata"]["annotations"]["cronlift.dev/expires"]
    assert f"until {before}" in make("previews").stdout
    done = make("preview", f"REF={BRANCH}", "TTL=2h")
    assert done.returncode == 0, done.stderr
    assert get("namespace", NAMESPACE)["metadata"]["annotations"]["cronlift.dev/expires"] > before


def test_a_branch_that_is_not_there_is_refused_and_leaves_nothing(kube_config):
    done = make("preview", "REF=e2e-nothing")
    assert done.returncode != 0
    assert "There is no branch e2e-nothing" in done.stderr
    assert get("namespace", preview_plan.namespace_of("e2e-nothing")) is None


@pytest.mark.timeout(600)
def test_it_goes_by_itself_when_its_time_has_passed(shown):
    # The chart looks every five minutes; the test does not wait for that.
    patch = json.dumps({"spec": {"schedule": "* * * * *"}})
    kubectl("patch", "cronjob", f"{NAMESPACE}-cronlift-reaper", f"--namespace={NAMESPACE}", f"--patch={patch}")
    until = preview_plan.stamp(datetime.now(UTC) + timedelta(seconds=5))
    kubectl("annotate", "--overwrite", "namespace", NAMESPACE, f"{preview_plan.EXPIRES}={until}")

    def is_ending():
        namespace = get("namespace", NAMESPACE)
        return namespace is None or namespace["metadata"].get("deletionTimestamp")

    print(f"\nExpired -> deleted: {wait_for(is_ending, 'end of the preview', 150):.0f} s")
    print(f"Deleted -> gone: {wait_for(lambda: get('namespace', NAMESPACE) is None, 'empty place', 180):.0f} s")
    assert NAMESPACE not in make("previews").stdout
