"""Every fault that is tried, in the order of the table."""

import os
from dataclasses import dataclass

from tests.chaos import airflow_faults, kubernetes_faults, namespace_faults, people_faults
from tests.chaos.ground import Strike
from tests.live.many_jobs import Shape

SHORT = Shape(seconds=45)
"""All run at once for a moment, though a busy machine takes half a minute to start them."""
USUAL = Shape(seconds=40)
LONG = Shape(seconds=75)
"""Longer than a triggerer takes to take tasks over, so that it finds their Jobs running."""


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        title: What happens, a sentence without a full stop; also the test's id.
        strike: Makes it happen.
        shape: The Jobs that it strikes.
    """

    title: str
    strike: Strike
    shape: Shape = USUAL


SHORT_FORM = (
    Fault(
        "triggerer, scheduler and API server of Airflow get SIGKILL",
        airflow_faults.kill("triggerer", "scheduler", "api-server"), SHORT,
    ),
)  # fmt: skip
"""All of Airflow at once; the long form has each part alone, Kubernetes' own parts, and what people do."""

LONG_FORM = (
    Fault("the triggerer gets SIGTERM", airflow_faults.stop_triggerer, LONG),
    Fault("the triggerer gets SIGKILL", airflow_faults.kill("triggerer"), LONG),
    Fault("both of two triggerers get SIGTERM in turn", airflow_faults.stop_both_triggerers, Shape(seconds=100)),
    Fault("both of two triggerers get SIGKILL in turn", airflow_faults.kill_both_triggerers, Shape(seconds=120)),
    Fault("the scheduler gets SIGKILL", airflow_faults.kill("scheduler")),
    Fault("the DAG processor gets SIGKILL", airflow_faults.kill("dag-processor")),
    Fault("the API server of Airflow gets SIGKILL", airflow_faults.kill("api-server")),
    Fault("Postgres gets SIGKILL", airflow_faults.kill("postgres")),
    Fault(
        "the Kubernetes API server gets SIGKILL, and is away for 20 s",
        kubernetes_faults.kill_part("kube-apiserver"),
    ),
    Fault("etcd gets SIGKILL, and is away for 20 s", kubernetes_faults.kill_part("etcd")),
    Fault("the kubelet gets SIGKILL, and is away for 20 s", kubernetes_faults.kill_part("kubelet")),
    Fault("the kubelet hangs for 60 s", kubernetes_faults.freeze_part("kubelet")),
    Fault("the Kubernetes API server hangs for 60 s", kubernetes_faults.freeze_part("kube-apiserver")),
    Fault(
        "the network between triggerer and Kubernetes API is cut for 60 s",
        kubernetes_faults.cut_triggerer_from_kubernetes,
    ),
    Fault("the triggerer's whole network is cut for 60 s", airflow_faults.cut_triggerer_off),
    Fault(
        "the Kubernetes API server gets SIGKILL, then Pods are deleted",
        people_faults.kill_api_server_and_delete_pods, Shape(seconds=32),
    ),
    Fault("Pods are deleted, backoffLimit 0", people_faults.delete_pods),
    Fault(
        "Pods are deleted, backoffLimit 1", people_faults.delete_pods_with_a_second_chance,
        Shape(seconds=25, backoff_limit=1),
    ),
    Fault("Jobs are deleted by hand", people_faults.delete_jobs),
    Fault("the quota of Pods is used up, then lifted", namespace_faults.exceed_pod_quota, SHORT),
    Fault("the quota of Jobs is used up, then lifted", namespace_faults.exceed_job_quota, SHORT),
    Fault(
        "the image is missing, then there", namespace_faults.lack_image,
        Shape(seconds=25, image=namespace_faults.MISSING_IMAGE),
    ),
    Fault(
        "the ServiceAccount is missing, then there", namespace_faults.lack_service_account,
        Shape(seconds=25, pod=f"serviceAccountName: {namespace_faults.NAME}"),
    ),
    Fault("the launcher's rights are withdrawn while Jobs run, then given back", namespace_faults.withdraw_rights),
    Fault(
        "the launcher's rights are withdrawn before Jobs start, then given back",
        namespace_faults.withdraw_rights_before_start, SHORT,
    ),
    Fault(
        "the launcher's rights are withdrawn, the triggerer gets SIGKILL, and they are given back",
        namespace_faults.withdraw_rights_and_kill_triggerer, LONG,
    ),
    Fault("a user marks tasks failed", people_faults.mark("failed")),
    Fault("a user marks tasks successful", people_faults.mark("success")),
    Fault("a user clears tasks", people_faults.clear),
    Fault(
        "a user marks tasks failed while no triggerer runs", people_faults.mark_failed_without_triggerer,
        Shape(seconds=150),
    ),
    Fault("helm upgrade replaces every pod of Airflow", airflow_faults.upgrade, LONG),
)  # fmt: skip

FAULTS = LONG_FORM if os.environ.get("LONG") else SHORT_FORM
"""Those of this session."""
