"""Upgrades of the live release: nothing restarts without a reason, and no running Job notices one."""

import os
import time

import pytest

from ci.airflow_api import Airflow, ApiError
from ci.pins import pins
from ci.release import NAME, NAMESPACE
from tests.live import measurements
from tests.live.asking import asking_the_login
from tests.live.chart_release import (
    all_uids,
    helm,
    last_words,
    revision,
    rollback_words,
    sql,
    try_helm,
    undo_sql,
    upgrade,
)
from tests.live.load import load
from tests.live.many_jobs import Shape
from tests.live.next_image import REVISION, TABLE, load_next_image
from tests.live.undo import Undoing
from tests.live.waiting import wait_for

LONG = bool(os.environ.get("LONG"))
JOBS = Shape(seconds=900, tasks=50 if LONG else 10)
"""Each runs until the upgrade is over, however long that takes."""


def test_an_upgrade_with_unchanged_values_restarts_no_pod(airflow):
    before = all_uids()
    upgrade()
    assert all_uids() == before, NAMESPACE


TAKE_BACK = ["--force-conflicts"]
"""Other tests have set replicas by `kubectl scale`, which owns them since."""


@pytest.mark.timeout(2400)
def test_running_jobs_survive_an_upgrade_that_replaces_every_pod_and_migrates(airflow):
    head = sql("SELECT version_num FROM alembic_version")
    newer = load_next_image(head)
    before, pods_before = revision(), all_uids()
    down = f"DROP TABLE IF EXISTS {TABLE}; UPDATE alembic_version SET version_num = '{head}'"
    with load(airflow, JOBS) as jobs, Undoing(undo_sql(down), rollback_words(before)):
        with asking_the_login() as answers:
            started = time.monotonic()
            upgrade(*image_settings(newer), "config.scheduler.scheduler_heartbeat_sec=6")
            seconds = time.monotonic() - started
        still = jobs.running()
        assert still == JOBS.tasks
        jobs.end()
        assert pods_before.isdisjoint(all_uids())
        assert sql("SELECT version_num FROM alembic_version") == REVISION
        jobs.check_every_task_once()
        figures = {
            "running_jobs": JOBS.tasks, "seconds": round(seconds), "still_running_after": still,
            "requests": len(answers), "requests_failed": len([answer for answer in answers if answer != "200"]),
        }  # fmt: skip
        print(f"\nEvery pod replaced and the database migrated: {figures}")
        measurements.write("upgrade", measurements.machine(), figures)
        assert figures["requests_failed"] == 0, answers
        if LONG:
            check_the_way_back(airflow, newer, before, head)
    wait_for(lambda: is_healthy(airflow), "healthy Airflow", 120)


def image_settings(reference: str) -> list[str]:
    """Return the settings that name an image of Airflow."""
    repository, _, tag = reference.rpartition(":")
    # As JSON: a tag of digits alone is no number.
    return [f"images.airflow.repository={repository}", f'images.airflow.tag:="{tag}"']


def check_the_way_back(airflow: Airflow, newer: str, before: str, head: str) -> None:
    """Check that the older image is refused with a cure, that the newer one serves on, and that the cure works."""
    serving = all_uids()
    refused = try_helm("rollback", NAME, before, "--wait=watcher", "--timeout=90s")
    assert refused.returncode != 0, refused.stdout
    words = last_words("scheduler", "wait-for-migration")
    version = pins()["AIRFLOW_VERSION"]
    assert f"revision {REVISION}, which this image (Airflow {version}) does not know" in words
    assert f"migrate.downgradeTo={version}" in words
    assert serving <= all_uids(), "a pod that ran was stopped"
    wait_for(lambda: is_healthy(airflow), "healthy Airflow", 60)
    upgrade(*image_settings(newer), f"migrate.downgradeTo={version}", more=["--wait-for-jobs", *TAKE_BACK])
    assert sql("SELECT version_num FROM alembic_version") == head
    assert all_uids() == set()
    helm("rollback", NAME, before, "--wait=watcher", "--timeout=10m")
    wait_for(lambda: is_healthy(airflow), "healthy Airflow", 120)


def is_healthy(airflow: Airflow) -> bool:
    """Tell whether Airflow answers and calls all of itself healthy."""
    try:
        return set(airflow.health().values()) == {"healthy"}
    except ApiError:
        return False
