"""The release that is measured: its DAG files, its runs, and the Jobs that they leave."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from ci.airflow_api import Airflow, ApiError
from ci.kubectl import get, kubectl
from tests.bench.operators.contenders import MARK, OURS, PREFIX, BenchDag, dag_source, job
from tests.live.waiting import wait_for

KNOWN_SECONDS = 120
GONE_SECONDS = 300
REASONS = 50
PAGE = 100
"""Airflow gives at most so many task instances at once."""


@dataclass(frozen=True)
class Deployment:
    """One release and one team of it.

    Attributes:
        airflow: A login to it.
        release_namespace: Where its pods run.
        team: Whose DAGs are made.
        folder: The team's DAG folder in the working tree.
        namespace: Where the team's Jobs run.
        image: Reference of the Jobs' image.
    """

    airflow: Airflow
    release_namespace: str
    team: str
    folder: Path
    namespace: str
    image: str

    def write(self, dags: Sequence[BenchDag]) -> None:
        """Write the DAG files, and the manifests of ours first."""
        for dag in dags:
            if dag.contender == OURS:
                path = self.folder / dag.manifest
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(yaml.safe_dump(job(self.image, dag.script), sort_keys=False))
        for dag in dags:
            source = dag_source(dag, self.team, self.namespace, self.image)
            (self.folder / f"{dag.stem}.py").write_text(source)

    def remove_files(self) -> None:
        """Remove what `write` wrote, and the folders that are empty then."""
        for pattern in (f"{PREFIX}*.py", f"jobs/{PREFIX}*.yaml"):
            for path in self.folder.glob(pattern):
                path.unlink()
        for folder in (self.folder / "jobs", self.folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def dag_id(self, dag: BenchDag) -> str:
        """Return a DAG's id."""
        return f"{self.team}__{dag.stem}"

    def wait_known(self, dags: Sequence[BenchDag]) -> None:
        """Wait until Airflow has parsed them, and let their runs start."""
        wanted = {self.dag_id(dag) for dag in dags}

        def are_known() -> bool:
            if errors := [error for error in self.airflow.import_errors() if PREFIX in error]:
                raise AssertionError(f"A DAG of the benchmark does not import: {errors[0]}")
            return wanted <= self.airflow.dag_ids()

        wait_for(are_known, f"DAGs {', '.join(sorted(wanted))}", KNOWN_SECONDS)
        for dag_id in sorted(wanted):
            self.airflow.patch(f"/dags/{dag_id}", {"is_paused": False})

    def start(self, dag: BenchDag, runs: int) -> None:
        """Start runs, one after the other."""
        dag_id = self.dag_id(dag)
        stamp = f"{datetime.now(UTC):%H%M%S}"
        for number in range(runs):
            body = {"dag_run_id": f"bench_{stamp}_{number:03}", "logical_date": datetime.now(UTC).isoformat()}
            self.airflow.post(f"/dags/{dag_id}/dagRuns", body)

    def count_unfinished(self, dag: BenchDag) -> int | None:
        """Return how many runs of a DAG go on; None while Airflow is too busy to answer."""
        query = {"state": ["running", "queued"], "limit": 1}
        try:
            return int(self.airflow.get(f"/dags/{self.dag_id(dag)}/dagRuns", **query)["total_entries"])
        except ApiError:
            return None

    def runs_since(self, dag: BenchDag, start: float) -> list[dict[str, Any]]:
        """Return the runs of a DAG that were made since a moment."""
        moment = datetime.fromtimestamp(start, UTC).isoformat()
        answer = self.airflow.get(f"/dags/{self.dag_id(dag)}/dagRuns", logical_date_gte=moment, limit=PAGE)
        return list(answer["dag_runs"])

    def tasks(self, runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the task instances of runs."""
        found: list[dict[str, Any]] = []
        for run in runs:
            path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances"
            total = None
            of_run: list[dict[str, Any]] = []
            while total is None or len(of_run) < total:
                answer = self.airflow.get(path, limit=PAGE, offset=len(of_run))
                total = answer["total_entries"]
                of_run += answer["task_instances"]
                if not answer["task_instances"]:
                    break
            found += of_run
        return found

    def reasons(self, tasks: Sequence[dict[str, Any]]) -> dict[str, int]:
        """Return why tasks failed, in Airflow's words, with how often; looks at the first fifty."""
        failed = [task for task in tasks if task["state"] == "failed"]
        return dict(Counter(self._reason(task) for task in failed[:REASONS]))

    def _reason(self, task: dict[str, Any]) -> str:
        path = f"/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}/logs/1"
        try:
            lines = self.airflow.get(path, full_content=True, map_index=-1)["content"]
        except ApiError as error:
            return f"no log: {error}"[:200]
        words = [failure_words(line) for line in lines if isinstance(line, dict)]
        return next((word for word in reversed(words) if word), "no error in its log")

    def end_runs(self, dag: BenchDag) -> None:
        """Fail the runs of a DAG that still go on: the next case must not share the machine with them."""
        query = {"state": ["running", "queued"], "limit": PAGE}
        for run in self.airflow.get(f"/dags/{self.dag_id(dag)}/dagRuns", **query)["dag_runs"]:
            self.airflow.patch(f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}", {"state": "failed"})

    def clear(self) -> None:
        """Delete the benchmark's Jobs and Pods and wait until they are gone."""
        where = (f"--namespace={self.namespace}", f"--selector={MARK}")
        kubectl("delete", "jobs", *where, "--cascade=background", "--wait=false", timeout_seconds=120)
        kubectl("delete", "pods", *where, "--wait=false", timeout_seconds=120)
        wait_for(lambda: not items("jobs,pods", *where), "end of the benchmark's Jobs", GONE_SECONDS)
        time.sleep(1)


def failure_words(line: dict[str, Any]) -> str | None:
    """Return what a line of a task's log says of a failure; None when it says nothing."""
    if line.get("level") not in ("error", "critical"):
        return None
    causes = [f"{cause['exc_type']}: {cause['exc_value']}" for cause in line.get("error_detail") or []]
    return (causes[-1] if causes else str(line.get("event", "")))[:200]


def items(kinds: str, *words: str) -> list[dict[str, Any]]:
    """Return objects of the cluster; kubectl prints nothing at all where there are none."""
    return list((get(kinds, *words) or {}).get("items", []))
