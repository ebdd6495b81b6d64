"""Measure the operators side by side: `python -m tests.bench.operators [--blocks 1 50 ...]`, or write the report.

Needs the platform (`make up`), which rests meanwhile. Figures are in build/bench-operators.json after every case; a run
that was cut goes on with the block where it stopped. The last run's docs are written by `report`; those of a run
in part stand behind the last whole one.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence

from ci.errors import CiError
from ci.stages import Stage, exit_with_words
from tests.bench.operators import report
from tests.bench.operators.bench_release import bench_deployment, load_image
from tests.bench.operators.case import Case, measure
from tests.bench.operators.contenders import OURS, STOCK_JOB, STOCK_POD
from tests.bench.operators.deployment import Deployment
from tests.bench.operators.plan import BLOCKS, MEMORY, cases_of, dags_of
from tests.bench.operators.results import Results
from tests.bench.operators.waiting_memory import measure_waiting

WARM_UPS = 3
"""A task of the stock operators may fail by chance; not three in a row."""


def run_blocks(blocks: Sequence[str], image: str | None = None) -> Results:
    """Install the benchmark's release, measure what is not measured yet, and bring the platform back.

    Args:
        blocks: Of `plan.BLOCKS`.
        image: Airflow's image, on the node already; by default that of the working tree.
    """
    airflow_image = image or load_image()
    results = Results(airflow_image)
    missing = [block for block in blocks if not results.has(block)]
    for block in set(blocks) - set(missing):
        sys.stderr.write(f"✓ Block {block} was measured before the last run was cut\n")
    dags = dags_of(missing)
    with bench_deployment(airflow_image, dags) as deployment:
        with Stage(f"Wait until Airflow knows {len(dags)} DAGs"):
            deployment.wait_known(dags)
        _warm_up(deployment)
        for block in missing:
            _run_block(block, deployment, results)
    if all(results.has(block) for block in BLOCKS):
        results.complete()
    return results


def _warm_up(deployment: Deployment) -> None:
    """Run one task of each: the first imports and connects.

    Raises:
        CiError: A contender fails even so: that would be a fault of the benchmark, not of the contender.
    """
    for contender in (OURS, STOCK_JOB, STOCK_POD):
        for _ in range(WARM_UPS):
            found = _run_case(Case("warm-up", contender, 1, idle_seconds=3), deployment)
            if not found["failed"] and "error" not in found:
                break
        else:
            why = found.get("error") or found["reasons"]
            raise CiError(f"{contender} cannot run a single task here, so nothing is compared: {why}")


def _run_block(block: str, deployment: Deployment, results: Results) -> None:
    if block == MEMORY:
        with Stage("memory: 100 waiting tasks", expected_seconds=330) as stage:
            for figures in measure_waiting(deployment, stage.say):
                results.add(figures)
    for case in cases_of(block):
        results.add(_run_case(case, deployment))
    results.end_block(block)


def _run_case(case: Case, deployment: Deployment) -> dict[str, object]:
    """Run a case; what breaks is a figure too, and the next case goes on."""
    try:
        with Stage(f"{case.block}: {case.title}") as stage:
            figures = measure(case, deployment, stage.say)
            stage.note = f"wall {figures['wall_seconds']} s, {figures['failed']} failed" + (
                f", {figures['cpu_seconds_per_task']} CPU-s and {figures.get('requests_per_task', '?')} requests a task"
                if "cpu_seconds_per_task" in figures
                else ""
            )
            return figures
    except (CiError, AssertionError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"  {error}\n")
        return {"block": case.block, "contender": case.contender, "tasks": case.total, "failed": 0, "error": str(error)}


def main() -> None:
    """Measure, print what came out, and write the docs when all blocks are measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.operators", description=__doc__)
    parser.add_argument("action", nargs="?", choices=("run", "report"), default="run")
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=BLOCKS, help="these alone")
    parser.add_argument("--image", help="Airflow's image, on the node already; by default that of the working tree")
    options = parser.parse_args()
    if options.action == "run":
        # Ended from outside, it still brings the platform back.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        content = run_blocks(options.blocks, options.image).content
        print(report.markdown(content))
        if content["complete"]:
            report.write(content)
    else:
        report.write(report.last())


if __name__ == "__main__":
    with exit_with_words():
        main()
