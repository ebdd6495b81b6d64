"""An edit of the working tree is live in Airflow without a commit by the user."""

import subprocess

import pytest

from ci.paths import ROOT
from tests.live.scratch_dag import LIVE_SECONDS, ScratchDag, job_manifest
from tests.live.waiting import wait_for


@pytest.fixture
def live_dag(scratch_dag: ScratchDag) -> ScratchDag:
    scratch_dag.write(job_manifest("echo first edition"), tags=["first"])
    print(f"New DAG live after {scratch_dag.wait_live():.1f} s")
    return scratch_dag


def test_new_changed_and_deleted_dag_files_reach_airflow(live_dag: ScratchDag) -> None:
    live_dag.write_dag(schedule="15 3 * * 1", tags=["second"])
    seconds = wait_for(
        lambda: [tag["name"] for tag in live_dag.details()["tags"]] == ["second"], "changed tag", LIVE_SECONDS
    )
    print(f"Changed DAG live after {seconds:.1f} s")
    assert live_dag.details()["timetable_summary"] == "15 3 * * 1"
    live_dag.file.unlink()
    seconds = wait_for(lambda: live_dag.dag_id not in live_dag.airflow.dag_ids(), "deleted DAG's end", LIVE_SECONDS)
    print(f"Deleted DAG gone after {seconds:.1f} s")


def test_edited_manifest_decides_the_next_run_and_not_the_last(live_dag: ScratchDag) -> None:
    state, log = live_dag.run()
    assert (state, "first edition" in log) == ("success", True)
    version = live_dag.version()
    live_dag.manifest.write_text(job_manifest("echo second edition"))
    # The manifest travels inside the DAG: an edit of it alone makes a new version.
    seconds = wait_for(lambda: live_dag.version() > version, "edited manifest", LIVE_SECONDS)
    print(f"Edited manifest live after {seconds:.1f} s")
    state, log = live_dag.run()
    assert (state, "second edition" in log, "first edition" in log) == ("success", True, False)


def test_edits_reach_airflow_without_touching_the_users_repository(live_dag: ScratchDag) -> None:
    status = subprocess.run(
        ["git", "status", "--porcelain", str(live_dag.file)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert status.startswith("?? "), f"the file was added or committed: {status!r}"
