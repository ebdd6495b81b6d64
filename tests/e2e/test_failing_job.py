"""A job that fails tells why where people look: in the task's log."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from ci.kubectl import get
from tests.live.scratch_dag import NAMESPACE, ScratchDag, job_manifest, jobs_of
from tests.live.waiting import wait_for

LONG = bool(os.environ.get("LONG"))
SCRIPT = """
echo "reading 3 files"
echo "cannot open /data/rates.csv" >&2
exit 3
"""


@pytest.fixture(scope="module")
def kept(scratch_dag_maker: Callable[[], ScratchDag]) -> ScratchDag:
    return scratch_dag_maker().write(job_manifest(SCRIPT))


@pytest.fixture(scope="module")
def deleted(scratch_dag_maker: Callable[[], ScratchDag], kept: ScratchDag) -> ScratchDag:
    return scratch_dag_maker().write(job_manifest(SCRIPT), arguments='delete_policy="always"')


@pytest.fixture(scope="module")
def failed_run(kept: ScratchDag, deleted: ScratchDag) -> tuple[str, list[str]]:
    kept.wait_live()
    return kept.run()


def test_failing_job_fails_the_run(failed_run: tuple[str, list[str]]) -> None:
    assert failed_run[0] == "failed"


@pytest.mark.parametrize("line", ["reading 3 files", "cannot open /data/rates.csv"], ids=["stdout", "stderr"])
def test_log_of_a_failing_job_holds_its_output(failed_run: tuple[str, list[str]], line: str) -> None:
    assert failed_run[1].count(line) == 1


def test_log_of_a_failing_job_names_its_exit_code(failed_run: tuple[str, list[str]]) -> None:
    assert any("exit code 3" in line for line in failed_run[1]), "\n".join(failed_run[1])


def test_failed_job_is_kept_to_look_at(kept: ScratchDag, failed_run: tuple[str, list[str]]) -> None:
    assert [time_to_live(job) for job in jobs(kept)] == [None]


def test_failed_job_goes_away_when_its_delete_policy_says_always(deleted: ScratchDag) -> None:
    deleted.wait_live()
    state, log = deleted.run()
    assert state == "failed"
    assert "cannot open /data/rates.csv" in log
    # Kubernetes removes it after this time, so that it can still be looked at right after the failure.
    assert [time_to_live(job) for job in jobs(deleted)] == [300]
    if LONG:
        wait_for(lambda: not jobs(deleted), "deletion of the finished Job", 330)


def jobs(dag: ScratchDag) -> list[dict[str, Any]]:
    return [get("job", name, f"--namespace={NAMESPACE}") for name in jobs_of(dag.dag_id)]


def time_to_live(job: dict[str, Any]) -> int | None:
    return job["spec"].get("ttlSecondsAfterFinished")
