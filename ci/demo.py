"""Run the demo team's DAGs once and tell how they went."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ci.airflow_api import Airflow
from ci.errors import UserError
from ci.paths import ROOT
from ci.stages import Stage, wait_until

FOLDER = ROOT / "dags/demo"
JOBS = ("convert_invoices", "fill_link_aggregates", "import_rates", "rotate_weblogs")
"""Files of the demo team that `make up` runs; each holds the DAG of its name behind the team's prefix."""

PREFIX = "demo__"
RUN_ID = "up__"
DAGS_TIMEOUT_SECONDS = 120
RUN_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Result:
    """How the last demo run of a DAG went.

    Attributes:
        dag_id: The DAG.
        run_id: The run.
        state: Airflow's state of the run.
        seconds: From the run's start to its end; None while it runs.
        result: The last line that the job printed.
    """

    dag_id: str
    run_id: str
    state: str
    seconds: float | None
    result: str


def dag_ids() -> list[str]:
    """Return the ids of the demo DAGs that are still in the working tree."""
    return [PREFIX + job for job in JOBS if (FOLDER / f"{job}.py").is_file()]


def wait_for_dags(airflow: Airflow, stage: Stage) -> None:
    """Wait until every demo DAG of the working tree is known to Airflow.

    Args:
        airflow: Where to look.
        stage: Shows what is missing.

    Raises:
        UserError: A demo DAG's file does not import.
        CiError: A DAG does not show up in time.
    """

    def missing() -> str | None:
        absent = set(dag_ids()) - airflow.dag_ids()
        files = tuple(f"{dag_id.removeprefix(PREFIX)}.py:" for dag_id in absent)
        broken = [line for line in airflow.import_errors() if line.startswith(files)]
        if absent and broken:
            raise UserError("DAG files do not import", broken, cure="Correct them; Airflow reads them again at once.")
        return f"DAGs {', '.join(sorted(absent))}" if absent else None

    wait_until(stage, missing, timeout_seconds=DAGS_TIMEOUT_SECONDS)


def last_results(airflow: Airflow) -> list[Result]:
    """Return the newest demo run of each DAG that has one."""
    results = []
    for dag_id in sorted(set(dag_ids()) & airflow.dag_ids()):
        runs = airflow.get(f"/dags/{dag_id}/dagRuns", limit=50, order_by="-start_date")["dag_runs"]
        if ours := [run for run in runs if run["dag_run_id"].startswith(RUN_ID)]:
            results.append(_result(airflow, ours[0]))
    return results


def run_all(airflow: Airflow, stage: Stage) -> list[Result]:
    """Run the demo DAGs side by side and return their results in order of their ids."""
    run_id = RUN_ID + datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for dag_id in dag_ids():
        airflow.trigger(dag_id, run_id)

    def missing() -> str | None:
        open_runs = [
            dag_id for dag_id in dag_ids() if airflow.run(dag_id, run_id)["state"] not in {"success", "failed"}
        ]
        return ", ".join(open_runs) or None

    wait_until(stage, missing, timeout_seconds=RUN_TIMEOUT_SECONDS)
    return [_result(airflow, airflow.run(dag_id, run_id)) for dag_id in dag_ids()]


def table(results: list[Result]) -> str:
    """Return one line a result: mark, DAG, state, seconds, last line of output."""
    width = max((len(result.dag_id) for result in results), default=0)
    lines = []
    for result in results:
        mark = "✓" if result.state == "success" else "✗"
        seconds = "      " if result.seconds is None else f"{result.seconds:5.1f} s"
        lines.append(f"  {mark} {result.dag_id:<{width}}  {result.state:<8} {seconds}  {result.result[:90]}")
    return "\n".join(lines)


def _result(airflow: Airflow, run: dict[str, object]) -> Result:
    dag_id, run_id = str(run["dag_id"]), str(run["dag_run_id"])
    start, end = run.get("start_date"), run.get("end_date")
    seconds = None
    if start and end:
        seconds = (datetime.fromisoformat(str(end)) - datetime.fromisoformat(str(start))).total_seconds()
    return Result(dag_id, run_id, str(run["state"]), seconds, last_line(airflow, dag_id, run_id))


def last_line(airflow: Airflow, dag_id: str, run_id: str) -> str:
    """Return the result that the run's last task reported, or an empty string."""
    for task in airflow.task_instances(dag_id, run_id):
        lines = airflow.log(dag_id, run_id, task["task_id"], max(task["try_number"], 1))
        for line in reversed(lines):
            if line.startswith("Result: "):
                return line.removeprefix("Result: ")
    return ""
