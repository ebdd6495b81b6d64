from collections.abc import Callable, Iterator

import pytest

from ci.airflow_api import Airflow
from ci.kubectl import kubectl
from tests.chaos import catalogue, report
from tests.chaos.namespace_faults import NAME
from tests.chaos.play import Outcome
from tests.live import measurements
from tests.live.fixtures import (  # noqa: F401 - pytest finds fixtures and hooks by their name here
    airflow,
    kube_config,
    pytest_runtest_makereport,
)
from tests.live.ledger import Ledger
from tests.live.many_jobs import ManyJobs, Shape
from tests.live.scratch_dag import NAMESPACE


@pytest.fixture(scope="session")
def keep_outcome() -> Callable[[Outcome], None]:
    """Return what writes an outcome to build/ as soon as it is known and, in the long form, to the page."""
    machine = measurements.machine()
    is_long = catalogue.FAULTS is catalogue.LONG_FORM

    def keep(outcome: Outcome) -> None:
        kept = report.keep(
            "chaos" if is_long else "chaos-short", machine, outcome, [fault.title for fault in catalogue.FAULTS]
        )
        if is_long:
            report.write_page(kept, machine)

    return keep


@pytest.fixture(scope="session")
def many_jobs(airflow: Airflow) -> Iterator[Callable[[Shape], ManyJobs]]:  # noqa: F811
    """Make the DAG of a shape, once, and wait until it is live."""
    kubectl("delete", "resourcequota,serviceaccount", NAME, f"--namespace={NAMESPACE}", "--ignore-not-found")
    made: dict[Shape, ManyJobs] = {}

    def make(shape: Shape) -> ManyJobs:
        if shape not in made:
            made[shape] = ManyJobs(airflow).write_shape(shape)
            made[shape].wait_live()
        return made[shape]

    yield make
    for dag in made.values():
        dag.remove()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """Follow the team's namespace."""
    with Ledger(NAMESPACE) as following:
        yield following
