"""Faults of Airflow's own parts: their containers are killed, their pods deleted, the release upgraded."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from ci import release
from ci.errors import CiError
from ci.kubectl import DIRECT, get, kubectl
from ci.paths import KUBECONFIG, ROOT
from ci.process import run
from ci.release import NAMESPACE
from ci.tools import tool
from tests.chaos.ground import Ground, Strike
from tests.chaos.judging import Expected
from tests.live.killing import kill_component, kill_pod, pod_of, pods_of, wait_back
from tests.live.pod_network import EVERYTHING, cut_network
from tests.live.undo import Undoing, kubectl_words
from tests.live.waiting import wait_for

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
BACK_SECONDS = 180
TAKE_OVER_SECONDS = 90
CUT_SECONDS = 60
UNCHANGED: Mapping[str, Expected] = {}


def kill(*components: str) -> Strike:
    """Send SIGKILL to components while all Jobs run."""

    def strike(ground: Ground) -> Mapping[str, Expected]:
        ground.start_and_wait_running()
        killed = [kill_component(component) for component in components]
        for each in killed:
            wait_back(each, BACK_SECONDS)
        return UNCHANGED

    return strike


def stop_triggerer(ground: Ground) -> Mapping[str, Expected]:
    """Delete the triggerer's pod: it gets SIGTERM, and another pod takes its place."""
    ground.start_and_wait_running()
    kubectl("delete", "pod", pod_of("triggerer")["metadata"]["name"], f"--namespace={NAMESPACE}", "--wait=false")
    wait_rolled_out()
    return UNCHANGED


def kill_both_triggerers(ground: Ground) -> Mapping[str, Expected]:
    """Run two triggerers and send SIGKILL to one, then, when all its tasks go on, to the other."""
    with two_triggerers():
        ground.start_and_wait_running()
        for pod in pods_of("triggerer"):
            wait_back(kill_pod(pod), BACK_SECONDS)
            time.sleep(TAKE_OVER_SECONDS / 2)  # so that each takes over what the other had
        ground.wait_end()
    return UNCHANGED


def stop_both_triggerers(ground: Ground) -> Mapping[str, Expected]:
    """Run two triggerers and delete one pod, then the other."""
    with two_triggerers():
        ground.start_and_wait_running()
        for pod in pods_of("triggerer"):
            kubectl("delete", "pod", pod["metadata"]["name"], f"--namespace={NAMESPACE}", "--wait=false")
            wait_rolled_out()
        ground.wait_end()
    return UNCHANGED


def cut_triggerer_off(ground: Ground) -> Mapping[str, Expected]:
    """Cut the triggerer's pod off from everything, the database too."""
    ground.start_and_wait_running()
    with cut_network(pod_of("triggerer"), EVERYTHING, CUT_SECONDS):
        pass
    wait_rolled_out()
    return UNCHANGED


def upgrade(ground: Ground) -> Mapping[str, Expected]:
    """Upgrade the release with a changed setting, so that every pod of Airflow is replaced; roll it back after."""
    helm = [tool("helm"), f"--kubeconfig={KUBECONFIG}", f"--namespace={NAMESPACE}"]
    status = json.loads(run(*helm, "status", release.NAME, "--output=json", env=DIRECT))
    revision = str(status["version"])
    ground.start_and_wait_running()
    before = uids_of_components()
    with Undoing(
        ["env", *(f"{name}={value}" for name, value in DIRECT.items()), *helm, "rollback", release.NAME, revision]
    ):
        run(
            *helm, "upgrade", release.NAME, ROOT / "charts/cronlift", "--reset-then-reuse-values",
            "--set-string", f"config.smtp.smtp_timeout={31 + int(revision) % 2}", env=DIRECT, timeout_seconds=180,
        )  # fmt: skip
        wait_rolled_out()
        if kept := before & uids_of_components():
            raise AssertionError(f"The upgrade did not replace the pods {kept}")
        ground.wait_end()
    wait_rolled_out()
    return UNCHANGED


@contextmanager
def two_triggerers() -> Iterator[None]:
    """Run two triggerers while the block lasts."""
    scale = ("scale", "deployment/cronlift-triggerer", f"--namespace={NAMESPACE}")
    with Undoing(kubectl_words(*scale, "--replicas=1")):
        kubectl(*scale, "--replicas=2")
        wait_rolled_out()
        yield
    wait_rolled_out()


def uids_of_components() -> set[str]:
    """Return the uids of the pods of Airflow's components."""
    return {str(pod["metadata"]["uid"]) for component in COMPONENTS for pod in pods_of(component)}


def wait_rolled_out() -> None:
    """Wait until every workload of the release runs its newest pods, all ready, and Airflow calls itself healthy."""

    def is_so() -> bool:
        try:
            workloads = get("deployments,statefulsets", f"--namespace={NAMESPACE}")["items"]
            with closing(release.login()) as airflow:
                return all(map(release.is_rolled_out, workloads)) and set(airflow.health().values()) == {"healthy"}
        except CiError:
            return False

    wait_for(is_so, "release that is rolled out and healthy", BACK_SECONDS)
