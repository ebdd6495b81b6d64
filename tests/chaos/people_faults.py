"""What people do to tasks and Jobs in the middle of a run: each to every second task, the others must not notice."""

import time
from collections.abc import Mapping
from dataclasses import replace

from ci.kubectl import kubectl
from ci.release import NAMESPACE as RELEASE_NAMESPACE
from tests.chaos.airflow_faults import wait_rolled_out
from tests.chaos.ground import Ground, Strike
from tests.chaos.judging import Expected, LogKept
from tests.live.control_plane import killed_part
from tests.live.scratch_dag import NAMESPACE
from tests.live.undo import Undoing, kubectl_words

IN_TEAM = f"--namespace={NAMESPACE}"
DOWN_SECONDS = 2


def delete_pods(ground: Ground) -> Mapping[str, Expected]:
    """Delete Pods of Jobs with backoffLimit 0: Kubernetes counts each as failed, so such a Job fails."""
    ground.start_and_wait_running()
    return delete_pods_of_half(ground)


def delete_pods_with_a_second_chance(ground: Ground) -> Mapping[str, Expected]:
    """Delete Pods of Jobs with backoffLimit 1: such a Job makes another Pod, and goes on."""
    ground.start_and_wait_running()
    delete_pods_of_half(ground)
    twice = {*ground.half, *ground.shape.failing}
    return {each: replace(plan, pods=frozenset({2})) for each, plan in ground.plan().items() if each in twice}


def kill_api_server_and_delete_pods(ground: Ground) -> Mapping[str, Expected]:
    """Kill the Kubernetes API server, and delete Pods when it is back."""
    ground.start_and_wait_running()
    with killed_part("kube-apiserver", DOWN_SECONDS):
        pass
    return delete_pods_of_half(ground)


def delete_pods_of_half(ground: Ground) -> Mapping[str, Expected]:
    """Delete the Pods of every second task."""
    kubectl(
        "delete", "pod", *(pod.name for pod in ground.pods() if pod.task_id in ground.half), IN_TEAM, "--wait=false"
    )
    fails = Expected("failed", log=LogKept.PART, words=("BackoffLimitExceeded",))
    return dict.fromkeys(ground.half, fails)


def delete_jobs(ground: Ground) -> Mapping[str, Expected]:
    """Delete Jobs by hand."""
    ground.start_and_wait_running()
    kubectl(
        "delete", "job", *(job.name for job in ground.jobs() if job.task_id in ground.half), IN_TEAM, "--wait=false"
    )
    fails = Expected("failed", job_decides=False, log=LogKept.PART, words=("was deleted",))
    return dict.fromkeys(ground.half, fails)


def mark(state: str) -> Strike:
    """Mark tasks `failed` or `success`: their Jobs must go."""

    def strike(ground: Ground) -> Mapping[str, Expected]:
        ground.start_and_wait_running()
        for each in ground.half:
            ground.dag.mark(ground.run_id, each, state)
        return dict.fromkeys(ground.half, Expected(state, job_decides=False, log=LogKept.PART))

    return strike


def clear(ground: Ground) -> Mapping[str, Expected]:
    """Clear tasks: each gets a new try with a new Job, once the old Job is gone."""
    ground.start_and_wait_running()
    ground.dag.clear(ground.run_id, ground.half)
    return {each: replace(plan, tries=2) for each, plan in ground.plan().items() if each in ground.half}


def mark_failed_without_triggerer(ground: Ground) -> Mapping[str, Expected]:
    """Mark tasks failed while no triggerer runs: nobody is there to delete their Jobs, so the sweeper must."""
    ground.start_and_wait_running()
    scale = ("scale", "deployment/cronlift-triggerer", f"--namespace={RELEASE_NAMESPACE}")
    with Undoing(kubectl_words(*scale, "--replicas=1")):
        kubectl(*scale, "--replicas=0")
        time.sleep(5)
        for each in ground.half:
            ground.dag.mark(ground.run_id, each, "failed")
    wait_rolled_out()
    return dict.fromkeys(ground.half, Expected("failed", job_decides=False, log=LogKept.PART))
