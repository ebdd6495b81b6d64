"""Fixtures of the tiers that need the platform of `make up`; each tier's conftest imports what it uses.

pytest-helm-charts gives `kube_cluster`, a client for the cluster that `kube_config` names.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci import release
from ci.airflow_api import Airflow
from ci.errors import CiError
from ci.kubectl import kubectl
from ci.paths import KUBECONFIG, ROOT
from tests.live import fresh_release
from tests.live.scratch_dag import NAMESPACE, ScratchDag, remove_leftovers

__all__ = ["airflow", "kube_config", "pytest_runtest_makereport", "scratch_dag", "scratch_dag_maker"]


@pytest.fixture(scope="session")
def kube_config() -> str:
    """Point pytest-helm-charts' fixtures at the cluster that `make up` made, whatever KUBECONFIG says."""
    if not KUBECONFIG.is_file():
        pytest.fail(f"There is no {KUBECONFIG.relative_to(ROOT)}: run `make up`, or the whole tier by `make test`")
    return str(KUBECONFIG)


@pytest.fixture(scope="session")
def airflow(kube_config: str) -> Iterator[Airflow]:
    """Log in to the platform that runs; clear away what killed tests left, and at the end the DAGs of tests."""
    client = release.login()
    if client.health().get("scheduler") != "healthy":
        pytest.fail(f"The platform is not healthy: {client.health()}. Run `make up`")
    remove_leftovers(client)
    fresh_release.remove()
    yield client
    remove_leftovers(client)
    client.close()


@pytest.fixture(scope="module")
def scratch_dag_maker(airflow: Airflow) -> Iterator[Callable[[], ScratchDag]]:
    """Make DAGs that live as long as the module's tests."""
    made: list[ScratchDag] = []

    def make() -> ScratchDag:
        made.append(ScratchDag(airflow))
        return made[-1]

    yield make
    for dag in made:
        dag.remove()


@pytest.fixture
def scratch_dag(airflow: Airflow) -> Iterator[ScratchDag]:
    """Make a DAG that lives as long as the test."""
    dag = ScratchDag(airflow)
    yield dag
    dag.remove()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """After a failure keep what explains it, while it is still there: events, describe, logs."""
    report = yield
    if report.failed and report.when != "teardown":
        folder = ROOT / "build" / item.path.parent.name / item.name.replace("/", "_")
        _dump(folder)
        _dump_task_logs(folder, item)
        report.sections.append(("Kept for you", str(folder.relative_to(ROOT))))
    return report


def _dump(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for namespace in (release.NAMESPACE, NAMESPACE):
        for name, words in {
            "events": ("get", "events", "--sort-by=.lastTimestamp"),
            "describe": ("describe", "pods,jobs"),
        }.items():
            _keep(folder / f"{namespace}-{name}.txt", *words, f"--namespace={namespace}")
        for pod in _pods(namespace):
            _keep(folder / f"{namespace}-{pod}.log", "logs", pod, f"--namespace={namespace}", "--all-containers")


def _dump_task_logs(folder: Path, item: pytest.Item) -> None:
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, ScratchDag):
            for run_id in value.run_ids:
                (folder / f"task-{run_id}.log").write_text("\n".join(value.log(run_id)))


def _pods(namespace: str) -> list[str]:
    try:
        return kubectl("get", "pods", f"--namespace={namespace}", "--output=name").replace("pod/", "").split()
    except CiError:
        return []


def _keep(path: Path, *words: str) -> None:
    try:
        path.write_text(kubectl(*words))
    except CiError as error:
        path.write_text(str(error))
