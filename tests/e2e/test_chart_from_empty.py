"""A first install where there is nothing, by helm 4 and helm 3, in namespaces that enforce the restricted standard."""

import subprocess

import pytest

from ci.kubectl import get, kubectl
from ci.paths import KUBECONFIG, ROOT
from ci.release import is_rolled_out
from ci.tools import tool
from tests.live.fresh_release import NAME, NAMESPACE, TEAM, TEAM_NAMESPACE, fresh_release, install
from tests.live.waiting import wait_for

SECRET = ("secret", f"{NAME}-secrets", f"--namespace={NAMESPACE}")
PARTS = ("api-server", "dag-processor", "scheduler", "triggerer")
PRIVILEGED = ["run", "privileged", "--image=localhost/none:1", "--restart=Never", "--dry-run=server"]


@pytest.fixture(scope="module", params=["helm", "helm3"])
def fresh(airflow, request):
    """Return a release that helm has waited for."""
    with fresh_release(request.param) as found:
        print(f"\n{request.param} upgrade --install --wait: all ready after {found.seconds:.0f} s")
        yield found


@pytest.mark.timeout(1200)
def test_helm_waits_for_all_and_does_not_deadlock(fresh):
    workloads = get("deployments,statefulsets", f"--namespace={NAMESPACE}")["items"]
    assert len(workloads) == 5
    assert [workload["metadata"]["name"] for workload in workloads if not is_rolled_out(workload)] == []
    # Helm does not wait for Jobs; that of a pod that has ended may take a moment to say so.
    jobs = ("jobs", f"--namespace={NAMESPACE}")
    wait_for(lambda: all(is_rolled_out(job) for job in get(*jobs)["items"]), "end of bootstrap and migrate", 30)


@pytest.mark.parametrize("namespace", [NAMESPACE, TEAM_NAMESPACE])
def test_the_namespace_refuses_a_pod_that_is_not_restricted(fresh, namespace):
    command = [str(tool("kubectl")), f"--kubeconfig={KUBECONFIG}", f"--namespace={namespace}", *PRIVILEGED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert 'violates PodSecurity "restricted' in done.stderr


def test_every_pod_of_the_release_runs_under_the_restricted_standard(fresh):
    phases = {pod["metadata"]["name"]: pod["status"]["phase"] for pod in fresh.pods()}
    assert set(phases.values()) <= {"Running", "Succeeded"}, phases
    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in fresh.pods()}
    assert components >= {"api-server", "scheduler", "dag-processor", "triggerer", "postgres", "migrate", "bootstrap"}


def test_a_canary_job_really_runs_under_the_restricted_standard(fresh):
    done = fresh.helm("test", "cronlift-fresh", "--logs", "--timeout=5m")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ok team {TEAM}: a Job in {TEAM_NAMESPACE} succeeded" in done.stdout
    assert f"ok team {TEAM}: 1 DAGs, no import errors" in done.stdout


def test_two_of_each_part_work_and_go_on_when_one_of_each_is_killed(fresh):
    chart = str(ROOT / "charts/cronlift")
    sets = [f"--set={part}.replicas=2" for part in ("apiServer", "scheduler", "dagProcessor", "triggerer")]
    fresh.change("upgrade", chart, "--reset-then-reuse-values", *sets)
    budgets = get("poddisruptionbudgets", f"--namespace={NAMESPACE}")["items"]
    assert {budget["metadata"]["name"] for budget in budgets} == {f"{NAME}-{part}" for part in PARTS}
    assert {budget["status"]["disruptionsAllowed"] for budget in budgets} == {1}
    victims = {part: of(fresh, part)[0] for part in PARTS}
    kubectl("delete", "pod", *victims.values(), f"--namespace={NAMESPACE}", "--grace-period=0", "--force")
    survivor = next(name for name in of(fresh, "scheduler") if name != victims["scheduler"])
    airflow = ("exec", survivor, f"--namespace={NAMESPACE}", "--container=scheduler", "--", "airflow")
    kubectl(*airflow, "dags", "unpause", f"{TEAM}__nothing", timeout_seconds=120)
    kubectl(*airflow, "dags", "trigger", f"{TEAM}__nothing", "--run-id=survived", timeout_seconds=120)
    wait_for(lambda: sql("SELECT state FROM dag_run WHERE run_id = 'survived'") == "success", "run", 60)
    done = fresh.helm("test", NAME, "--logs", "--timeout=5m")
    assert done.returncode == 0, done.stdout + done.stderr
    fresh.change("rollback", "1")


def of(fresh, part):
    """Return the names of a part's pods that nobody is deleting, the oldest first."""
    found = [pod for pod in fresh.pods() if pod["metadata"]["labels"]["app.kubernetes.io/component"] == part]
    alive = [pod["metadata"] for pod in found if not pod["metadata"].get("deletionTimestamp")]
    return [each["name"] for each in sorted(alive, key=lambda each: each["creationTimestamp"])]


def test_an_upgrade_and_a_rollback_are_waited_for_and_replace_every_pod(fresh):
    first = fresh.uids()
    chart = str(ROOT / "charts/cronlift")
    fresh.change("upgrade", chart, "--reset-then-reuse-values", "--set=config.scheduler.scheduler_heartbeat_sec=6")
    second = fresh.uids()
    fresh.change("rollback", "1")
    third = fresh.uids()
    assert len(first) == len(second) == len(third) == 4
    assert len(first | second | third) == 12


def test_an_uninstalled_release_comes_back_with_its_keys_and_its_database(fresh):
    sql("INSERT INTO slot_pool (pool, slots, include_deferred) VALUES ('kept', 1, false)")
    keys = get(*SECRET)["data"]
    done = fresh.helm("uninstall", NAME, "--wait", "--timeout=5m")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_for(lambda: kinds_left() <= {"Secret", "PersistentVolumeClaim"}, "end of all that is not kept", 120)
    install(fresh.program, fresh.values)
    assert get(*SECRET)["data"] == keys
    assert sql("SELECT slots FROM slot_pool WHERE pool = 'kept'") == "1"


def kinds_left():
    """Return the kinds of objects that are in the namespace; helm itself leaves the pods of `helm test`."""
    found = (get("all,secrets,pvc", f"--namespace={NAMESPACE}") or {"items": []})["items"]
    return {thing["kind"] for thing in found if "helm.sh/hook" not in thing["metadata"].get("annotations", {})}


def sql(statement):
    """Run a statement in the release's own database and return what it prints."""
    words = ("psql", "--username=airflow", "--no-align", "--tuples-only", f"--command={statement}")
    return kubectl("exec", f"{NAME}-postgres-0", f"--namespace={NAMESPACE}", "--", *words).strip()
