"""Upgrades of the live release: nothing restarts without a reason, and no running Job notices one."""

import time

from ci.release import NAMESPACE
from tests.live.chart_release import COMPONENTS, all_uids, pods, upgrade, upgraded
from tests.live.ledger import Ledger
from tests.live.many_jobs import ManyJobs, Shape
from tests.live.scratch_dag import NAMESPACE as TEAM_NAMESPACE
from tests.live.waiting import wait_for

JOBS = Shape(seconds=90, tasks=20)
"""As many as the demo's node takes at once; each runs longer than the upgrade replaces pods."""


def test_an_upgrade_with_unchanged_values_restarts_no_pod(airflow):
    before = all_uids()
    upgrade()
    assert all_uids() == before, NAMESPACE


def test_a_changed_bundle_setting_restarts_only_its_readers(airflow):
    before = {component: set(pods(component)) for component in COMPONENTS}
    with upgraded("dagProcessor.refreshIntervalSeconds=3"):
        changed = {component for component in COMPONENTS if set(pods(component)) != before[component]}
    assert changed == {"scheduler", "dag-processor"}


def test_running_jobs_survive_an_upgrade_that_replaces_every_pod(airflow):
    dag = ManyJobs(airflow).write_shape(JOBS)
    try:
        dag.wait_live()
        before = all_uids()
        with Ledger(TEAM_NAMESPACE) as ledger:
            run_id = dag.start()
            wait_for(
                lambda: len([pod for pod in ledger.pods(run_id) if pod.is_running]) == JOBS.tasks, "running Jobs", 180
            )
            with upgraded(
                "config.scheduler.scheduler_heartbeat_sec=6", "pods.annotations.upgrade=under-load"
            ) as seconds:
                assert before.isdisjoint(all_uids())
                print(f"Every pod replaced in {seconds:.0f} s with {JOBS.tasks} Jobs running")
                wait_for(lambda: ended(dag, run_id), "end of the run", 600)
                states = {task: each["state"] for task, each in dag.instances(run_id).items()}
            jobs = [job.task_id for job in ledger.jobs(run_id)]
        assert sorted(jobs) == sorted(JOBS.task_ids), "a task has more than one Job, or none"
        failed = set(JOBS.failing)
        assert states == {task: "failed" if task in failed else "success" for task in JOBS.task_ids}
    finally:
        dag.remove()


def ended(dag: ManyJobs, run_id: str) -> bool:
    """Tell whether all tasks of a run have ended; asked rarely, because Airflow is busy with the upgrade."""
    time.sleep(2)
    return all(each["state"] in ("success", "failed") for each in dag.instances(run_id).values())
