"""Run one DAG now, print its tasks' logs as they come, and end as the run ends."""

import argparse
import time
from datetime import UTC, datetime

from ci import release
from ci.airflow_api import FINISHED, POLL_SECONDS, Airflow, ApiError
from ci.errors import UserError
from ci.paths import ROOT
from ci.stages import Stage, exit_with_words, wait_until

KNOWN_TIMEOUT_SECONDS = 60
"""An edit takes the git-sync period, the bundle's refresh and a parse: about 10 s when nothing is wrong."""


def follow(airflow: Airflow, dag_id: str, run_id: str) -> str:
    """Print each new line of the run's task logs until it has ended; return its state."""
    shown: dict[tuple[str, int, int], int] = {}
    while True:
        state = str(airflow.run(dag_id, run_id)["state"])
        for task in airflow.task_instances(dag_id, run_id):
            if not task["start_date"]:
                continue
            key = (task["task_id"], task["map_index"], max(task["try_number"], 1))
            try:
                lines = airflow.log(dag_id, run_id, task["task_id"], key[2], key[1])
            except ApiError:
                continue  # The log does not exist before the task's first line.
            for line in lines[shown.get(key, 0) :]:
                print(f"[{key[0]}] {line}", flush=True)
            shown[key] = max(shown.get(key, 0), len(lines))
        if state in FINISHED:
            return state
        time.sleep(POLL_SECONDS)


def wait_known(airflow: Airflow, dag_id: str) -> None:
    """Wait for a DAG that a file of the working tree names but Airflow has not parsed yet.

    Args:
        airflow: Where to look.
        dag_id: The DAG.

    Raises:
        UserError: No file names it, or its file does not import.
        CiError: It does not show up in time.
    """
    files = [path for path in (ROOT / "dags").rglob("*.py") if dag_id in path.read_text(errors="replace")]

    def missing() -> str | None:
        if dag_id in (known := airflow.dag_ids()):
            return None
        broken = [line for line in airflow.import_errors() if any(path.name in line for path in files)]
        if broken:
            raise UserError(
                f"The file of DAG {dag_id} does not import", broken, cure="Correct it and say the same again."
            )
        if not files:
            raise UserError(
                f"There is no DAG {dag_id}",
                sorted(known),
                cure=f"No file below dags/ names it. Say one of these: make run DAG={min(known, default='...')}",
            )
        return f"{files[0].relative_to(ROOT)} to reach Airflow"

    with Stage(f"Look for {dag_id}") as stage:
        wait_until(stage, missing, timeout_seconds=KNOWN_TIMEOUT_SECONDS)


def main() -> None:
    """Run the DAG that is named; exit 0 when it succeeded, 1 when not, 2 when none was named."""
    parser = argparse.ArgumentParser(description=__doc__, prog="make run DAG=")
    parser.add_argument("dag_id", metavar="DAG", help="its id, <team>__<name>")
    dag_id = parser.parse_args().dag_id
    airflow = release.login()
    wait_known(airflow, dag_id)
    run_id = "run__" + datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    airflow.trigger(dag_id, run_id)
    state = follow(airflow, dag_id, run_id)
    print(f"\n{'✓' if state == 'success' else '✗'} {dag_id} {state}: {release.URL}/dags/{dag_id}/runs/{run_id}")
    raise SystemExit(0 if state == "success" else 1)


if __name__ == "__main__":
    with exit_with_words():
        main()
