"""What `make up` leaves running."""

import contextlib

import pykube
import pytest
from pytest_helm_charts.clusters import Cluster
from pytest_helm_charts.k8s.deployment import wait_for_deployments_to_run
from pytest_helm_charts.k8s.stateful_set import wait_for_stateful_sets_to_run

from ci.airflow_api import Airflow
from ci.release import NAMESPACE
from tests.live.killing import KILLS_ANNOTATION
from tests.live.scratch_dag import LIVE_SECONDS
from tests.live.waiting import wait_for

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


def pods(kube_cluster: Cluster) -> list[pykube.Pod]:
    found = pykube.Pod.objects(kube_cluster.kube_client).filter(namespace=NAMESPACE)
    # Not the pods of Jobs, which come and go: migrate, bootstrap, and the sweep every ten minutes; nor of `helm test`.
    return [
        pod
        for pod in found
        if pod.metadata.get("ownerReferences", [{}])[0].get("kind") != "Job"
        and "helm.sh/hook" not in pod.metadata.get("annotations", {})
    ]


def test_every_deployment_of_the_release_runs(kube_cluster: Cluster) -> None:
    names = [f"cronlift-{component}" for component in COMPONENTS]
    deployments = wait_for_deployments_to_run(kube_cluster.kube_client, names, NAMESPACE, timeout_sec=30)
    assert {deployment.name for deployment in deployments} == set(names)


def test_the_database_runs(kube_cluster: Cluster) -> None:
    wait_for_stateful_sets_to_run(kube_cluster.kube_client, ["cronlift-postgres"], NAMESPACE, timeout_sec=30)


def test_every_pod_is_ready_and_none_restarted_by_itself(kube_cluster: Cluster) -> None:
    # The tests before may have left a busy machine, on which a probe fails now and then.
    wait_for(lambda: all(pod.ready for pod in pods(kube_cluster)), "all pods to be Ready", 60)
    found = pods(kube_cluster)
    assert len(found) >= len(COMPONENTS) + 1
    for pod in found:
        statuses = [
            *pod.obj["status"]["containerStatuses"],
            # Only sidecars: an init container that ran again would show here as well.
            *pod.obj["status"].get("initContainerStatuses", []),
        ]
        restarts = sum(status["restartCount"] for status in statuses)
        kills = int(pod.annotations.get(KILLS_ANNOTATION, 0))
        assert restarts == kills, f"{pod.name} restarted {restarts} times, tests killed it {kills} times"


@pytest.mark.parametrize("part", ["metadatabase", "scheduler", "triggerer", "dag_processor"])
def test_airflow_calls_each_part_healthy(airflow: Airflow, part: str) -> None:
    wait_for(lambda: airflow.health()[part] == "healthy", f"a healthy {part}", 60)


def test_every_dag_file_imports(airflow: Airflow) -> None:
    # Airflow forgets the errors of files that other tests have just removed when it looks at the folder again.
    with contextlib.suppress(AssertionError):
        wait_for(lambda: not airflow.import_errors(), "end of import errors", LIVE_SECONDS)
    assert airflow.import_errors() == []


def test_of_the_lasting_pods_only_the_triggerer_has_a_kubernetes_token(kube_cluster: Cluster) -> None:
    with_token = {
        pod.labels["app.kubernetes.io/component"]
        for pod in pods(kube_cluster)
        if any(
            source.get("serviceAccountToken")
            for volume in pod.obj["spec"].get("volumes", [])
            for source in volume.get("projected", {}).get("sources", [])
        )
    }
    assert with_token == {"triggerer"}
