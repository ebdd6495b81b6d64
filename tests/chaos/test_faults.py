"""Faults strike in the middle of 20 running Jobs: no task is misjudged, none runs twice, no Job or line is lost."""

from collections.abc import Callable

import pytest

from ci.airflow_api import Airflow
from tests.chaos import catalogue
from tests.chaos.catalogue import Fault
from tests.chaos.ground import Ground
from tests.chaos.play import Outcome, play
from tests.live.ledger import Ledger
from tests.live.many_jobs import ManyJobs, Shape


@pytest.mark.parametrize("fault", catalogue.FAULTS, ids=lambda fault: fault.title)
def test_every_job_runs_once_and_its_task_ends_as_it_did_when(
    fault: Fault,
    airflow: Airflow,
    many_jobs: Callable[[Shape], ManyJobs],
    ledger: Ledger,
    keep_outcome: Callable[[Outcome], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome = play(fault, Ground(airflow, many_jobs(fault.shape), ledger))
    keep_outcome(outcome)
    with capsys.disabled():
        print(f"\n{outcome.line()}")
    assert outcome.error is None
    assert outcome.findings == []
