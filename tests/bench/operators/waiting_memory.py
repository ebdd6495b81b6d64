"""What a waiting task costs the triggerer: a DAG of 100 tasks whose Jobs run, against the triggerer before it."""

import time
from typing import Any

from tests.bench.operators.case import POLL_SECONDS, Say, wait_quiet
from tests.bench.operators.contenders import OURS, WAIT, BenchDag
from tests.bench.operators.deployment import Deployment
from tests.bench.operators.node import AirflowPods
from tests.bench.operators.sightings import Watch
from tests.live.waiting import wait_for

TASKS = 100
DAG = BenchDag(OURS, TASKS, WAIT)
START_SECONDS = 110
"""The first Job sleeps 120 s: all must run before it ends."""


def measure_waiting(deployment: Deployment, say: Say) -> dict[str, Any]:
    """Return MiB per waiting task, and what became of the tasks.

    The triggerer has run a few tasks before, so that what it imports is not counted; it has not run a large DAG before,
    so that what it keeps of one is. The least that is seen while all run counts: a burst at their start is over then.
    """
    deployment.clear()
    pods = AirflowPods(deployment.release_namespace)
    wait_quiet(pods, deployment, DAG, 8)
    before, processes_before = _triggerer_bytes(pods), pods.processes_mib("triggerer")
    started = time.time()
    try:
        with Watch("pods", deployment.namespace) as own_pods:
            deployment.start(DAG, 1)

            def are_running() -> bool:
                running = sum(pod.running is not None for pod in own_pods.seen.values())
                say(f"{running} of {TASKS} Pods run")
                return running == TASKS and own_pods.count_ended() == 0

            wait_for(are_running, f"{TASKS} Jobs at once", START_SECONDS)
            samples, processes = [], []
            while own_pods.count_ended() == 0:
                samples.append(_triggerer_bytes(pods))
                processes = pods.processes_mib("triggerer")
                say(f"all run; {min(samples) / 2**20:.0f} MiB")
                time.sleep(POLL_SECONDS)
            while deployment.count_unfinished(DAG) != 0 and time.time() - started < 400:
                say(f"{own_pods.count_ended()} of {TASKS} Pods ended")
                time.sleep(2)
            runs = deployment.runs_since(DAG, started - 1)
            states = [str(task["state"]) for task in deployment.tasks(runs)]
    finally:
        deployment.clear()
    return {
        "block": "memory",
        "contender": OURS,
        "tasks": len(states),
        "failed": len(states) - states.count("success"),
        "triggerer_processes_mib_before": processes_before,
        "triggerer_processes_mib_waiting": processes,
        "triggerer_mib_before": round(before / 2**20, 1),
        "triggerer_mib_waiting": round(min(samples) / 2**20, 1),
        "mib_per_waiting_task": round((min(samples) - before) / TASKS / 2**20, 3),
    }


def _triggerer_bytes(pods: AirflowPods) -> int:
    return pods.usage()["triggerer"].memory_bytes
