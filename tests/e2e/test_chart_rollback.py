"""A rollback of the live release, with Jobs running: all pods replaced, no task lost, none twice."""

import time

import pytest

from ci.release import NAME
from tests.live.asking import asking_the_login
from tests.live.chart_release import all_uids, helm, revision, upgraded
from tests.live.load import load
from tests.live.many_jobs import Shape

JOBS = Shape(seconds=150, tasks=50)


@pytest.mark.timeout(1800)
def test_running_jobs_survive_a_rollback_that_replaces_every_pod(airflow):
    before = revision()
    with upgraded("config.scheduler.scheduler_heartbeat_sec=6"), load(airflow, JOBS) as jobs:
        pods_before = all_uids()
        with asking_the_login() as answers:
            started = time.monotonic()
            helm("rollback", NAME, before, "--wait=watcher", "--timeout=10m")
            seconds = time.monotonic() - started
        still = jobs.running()
        assert pods_before.isdisjoint(all_uids())
        jobs.check_every_task_once()
        print(f"\nEvery pod replaced by a rollback in {seconds:.0f} s, {still} of {JOBS.tasks} Jobs ran on")
        assert {*answers} == {"200"}
