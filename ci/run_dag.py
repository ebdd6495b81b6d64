"""Run one DAG now, print its tasks' logs as they come, and end as the run ends."""

import argparse
import time
from datetime import UTC, datetime

from ci import release
from ci.airflow_api import FINISHED, POLL_SECONDS, Airflow, ApiError
from ci.errors import UserError
from ci.stages import exit_with_words


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


def main() -> None:
    """Run the DAG that is named; exit 0 when it succeeded, 1 when not, 2 when there is no such DAG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dag_id", nargs="?", metavar="DAG")
    dag_id = parser.parse_args().dag_id
    airflow = release.login()
    if dag_id not in (known := airflow.dag_ids()):
        raise UserError(
            f"There is no DAG {dag_id!r}" if dag_id else "No DAG was named",
            [*airflow.import_errors(), *sorted(known)],
            cure="Say one of them: make run DAG=" + (min(known) if known else "<team>__<name>"),
        )
    run_id = "run__" + datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    airflow.trigger(dag_id, run_id)
    state = follow(airflow, dag_id, run_id)
    print(f"\n{'✓' if state == 'success' else '✗'} {dag_id} {state}: {release.URL}/dags/{dag_id}/runs/{run_id}")
    raise SystemExit(0 if state == "success" else 1)


if __name__ == "__main__":
    with exit_with_words():
        main()
