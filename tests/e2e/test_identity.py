"""Who a Job runs as, and what its Pod may reach."""

import pytest

from ci.cluster import choose
from ci.git_server import PORT as GIT_PORT
from ci.kubectl import kubectl
from ci.release import NAMESPACE as RELEASE_NAMESPACE
from tests.live.killing import pod_of
from tests.live.scratch_dag import ScratchDag, job_manifest

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"

TRY_TO_REACH = """
try() {{  # NAME HOST PORT
  if timeout 5 bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null; then echo "$1: reached"; else echo "$1: cut off"; fi
}}
getent hosts kubernetes.default.svc.cluster.local >/dev/null && echo "names: reached" || echo "names: cut off"
try "git server" {git_host} {git_port}
try "database" cronlift-postgres.{namespace}.svc.cluster.local 5432
try "task logs" {scheduler} 8793
try "triggerer" {triggerer} 8794
if test -e {token}; then echo "token: mounted"; else echo "token: none"; fi
echo "user: $(id -u)"
"""


@pytest.fixture(scope="module")
def said(scratch_dag_maker) -> dict[str, str]:
    """Return what one Job's Pod found out, by name.

    The api-server is not among them: people and scripts may come to it from anywhere, and it asks for a login.
    """
    script = TRY_TO_REACH.format(
        git_host=choose().host_address(),
        git_port=GIT_PORT,
        namespace=RELEASE_NAMESPACE,
        token=TOKEN,
        scheduler=pod_of("scheduler")["status"]["podIP"],
        triggerer=pod_of("triggerer")["status"]["podIP"],
    )
    dag: ScratchDag = scratch_dag_maker().write(job_manifest(script))
    dag.wait_live()
    state, log = dag.run()
    assert state == "success", "\n".join(log)
    return dict(line.split(": ", 1) for line in log if line.split(": ")[0] in NAMES)


NAMES = ("names", "git server", "database", "task logs", "triggerer", "token", "user")


@pytest.mark.parametrize("part", ["names", "git server"])
def test_job_pod_reaches_the_network_that_old_jobs_need(said: dict[str, str], part: str) -> None:
    assert said[part] == "reached"


@pytest.mark.parametrize("part", ["database", "task logs", "triggerer"])
def test_job_pod_does_not_reach_the_release(said: dict[str, str], part: str) -> None:
    assert said[part] == "cut off"


@pytest.mark.parametrize("part", ["database", "task logs", "triggerer"])
def test_what_job_pods_are_cut_off_from_does_answer_to_the_release(part: str) -> None:
    host, port = {
        "database": (f"cronlift-postgres.{RELEASE_NAMESPACE}.svc.cluster.local", 5432),
        "task logs": (pod_of("scheduler")["status"]["podIP"], 8793),
        "triggerer": (pod_of("triggerer")["status"]["podIP"], 8794),
    }[part]
    connect = f"import socket; socket.create_connection(({host!r}, {port}), 5).close(); print('reached')"
    pod = pod_of("api-server")["metadata"]["name"]
    assert kubectl("exec", pod, f"--namespace={RELEASE_NAMESPACE}", "--", "python", "-c", connect).strip() == "reached"


def test_job_pod_has_no_kubernetes_token(said: dict[str, str]) -> None:
    assert said["token"] == "none"


def test_job_pod_does_not_run_as_root(said: dict[str, str]) -> None:
    assert said["user"] == "1000"
