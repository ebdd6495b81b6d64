"""Further changes of the live release: a rollback with Jobs running, and a setting that not all parts read."""

import time

import pytest

from ci.release import NAME
from tests.live.asking import asking_the_login
from tests.live.chart_release import COMPONENTS, all_uids, helm, pods, revision, upgraded
from tests.live.load import load
from tests.live.many_jobs import Shape

JOBS = Shape(seconds=900, tasks=50)


@pytest.mark.timeout(1800)
def test_running_jobs_survive_a_rollback_that_replaces_every_pod(airflow):
    before = revision()
    with upgraded("config.scheduler.scheduler_heartbeat_sec=6"), load(airflow, JOBS) as jobs:
        pods_before = all_uids()
        with asking_the_login() as answers:
            started = time.monotonic()
            helm("rollback", NAME, before, "--wait=watcher", "--timeout=10m")
            seconds = time.monotonic() - started
        assert jobs.running() == JOBS.tasks
        jobs.end()
        assert pods_before.isdisjoint(all_uids())
        jobs.check_every_task_once()
        print(f"\nEvery pod replaced by a rollback in {seconds:.0f} s, {JOBS.tasks} Jobs ran on")
        assert {*answers} == {"200"}


def test_a_changed_bundle_setting_restarts_only_its_readers(airflow):
    before = {component: set(pods(component)) for component in COMPONENTS}
    with upgraded("dagProcessor.refreshIntervalSeconds=3"):
        changed = {component for component in COMPONENTS if set(pods(component)) != before[component]}
    assert changed == {"scheduler", "dag-processor"}
