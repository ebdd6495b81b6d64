"""What a waiting task costs the triggerer: a DAG of 100 tasks, of ours and of Airflow's own, against none."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ci.kubectl import kubectl
from tests.bench.operators.case import POLL_SECONDS, Say, wait_quiet
from tests.bench.operators.contenders import IDLE, OURS, WAIT, BenchDag
from tests.bench.operators.deployment import Deployment
from tests.bench.operators.node import AirflowPods
from tests.bench.operators.sightings import Watch
from tests.live.waiting import wait_for

TASKS = 100
DAG = BenchDag(OURS, TASKS, WAIT)
FLOOR_DAG = BenchDag(IDLE, TASKS)
WARM_UP_DAG = BenchDag(OURS, 1)
START_SECONDS = 110
"""The first Job sleeps 120 s: all must run before it ends."""

FLOOR_SECONDS = 20
SETTLE_SECONDS = 20
"""A task counts as deferred before the triggerer has taken its trigger up."""

RESTART_SECONDS = 120
COMPONENT = "app.kubernetes.io/component=triggerer"


def measure_waiting(deployment: Deployment, say: Say) -> list[dict[str, Any]]:
    """Return MiB per waiting task, and what became of the tasks: of our operator, and of a trigger that does nothing.

    Each has a triggerer of its own, which has run one small task, so that what it imports is not counted. It has not
    run a large DAG before, so that what it keeps of one is. The least that is seen while all wait counts: a burst at
    their start is over then.
    """
    deployment.clear()
    return [_ours(deployment, say), _floor(deployment, say)]


def _ours(deployment: Deployment, say: Say) -> dict[str, Any]:
    with _fresh_triggerer(deployment, DAG, say) as triggerer, Watch("pods", deployment.namespace) as own_pods:
        started = time.time()
        deployment.start(DAG, 1)

        def are_running() -> bool:
            running = sum(pod.running is not None for pod in own_pods.seen.values())
            say(f"{running} of {TASKS} Pods run")
            return running == TASKS and own_pods.count_ended() == 0

        wait_for(are_running, f"{TASKS} Jobs at once", START_SECONDS)
        while own_pods.count_ended() == 0:
            triggerer.look(say)
        while deployment.count_unfinished(DAG) != 0 and time.time() - started < 400:
            say(f"{own_pods.count_ended()} of {TASKS} Pods ended")
            time.sleep(2)
        states = [str(task["state"]) for task in deployment.tasks(deployment.runs_since(DAG, started - 1))]
    return {
        "block": "memory",
        "contender": OURS,
        "tasks": len(states),
        "failed": len(states) - states.count("success"),
        **triggerer.figures(),
    }


def _floor(deployment: Deployment, say: Say) -> dict[str, Any]:
    with _fresh_triggerer(deployment, FLOOR_DAG, say) as triggerer:
        started = time.time()
        deployment.start(FLOOR_DAG, 1)

        def are_waiting() -> bool:
            tasks = deployment.tasks(deployment.runs_since(FLOOR_DAG, started - 1))
            waiting = sum(task["state"] == "deferred" for task in tasks)
            say(f"{waiting} of {TASKS} tasks wait")
            return waiting == TASKS

        wait_for(are_waiting, f"{TASKS} waiting tasks", START_SECONDS)
        time.sleep(SETTLE_SECONDS)
        until = time.time() + FLOOR_SECONDS
        while time.time() < until:
            triggerer.look(say)
        deployment.end_runs(FLOOR_DAG)
    return {"block": "memory", "contender": IDLE, "tasks": TASKS, "failed": 0, **triggerer.figures()}


class Triggerer:
    """The memory of the triggerer, before its tasks and with them.

    Args:
        pods: Of the release.
    """

    def __init__(self, pods: AirflowPods) -> None:
        self._pods = pods
        self._before, self._processes_before = self._bytes(), pods.processes_mib("triggerer")
        self._least, self._processes = 0, self._processes_before

    def look(self, say: Say) -> None:
        """Measure once more."""
        now = self._bytes()
        if not self._least or now < self._least:
            self._least, self._processes = now, self._pods.processes_mib("triggerer")
        say(f"all wait; {self._least / 2**20:.0f} MiB")
        time.sleep(POLL_SECONDS)

    def figures(self) -> dict[str, Any]:
        """Return what was seen."""
        return {
            "triggerer_processes_mib_before": self._processes_before,
            "triggerer_processes_mib_waiting": self._processes,
            "triggerer_mib_before": round(self._before / 2**20, 1),
            "triggerer_mib_waiting": round(self._least / 2**20, 1),
            "mib_per_waiting_task": round((self._least - self._before) / TASKS / 2**20, 3),
        }

    def _bytes(self) -> int:
        return self._pods.usage()["triggerer"].memory_bytes


@contextmanager
def _fresh_triggerer(deployment: Deployment, dag: BenchDag, say: Say) -> Iterator[Triggerer]:
    """Start the triggerer anew, and have it run one task of ours."""
    namespace = f"--namespace={deployment.release_namespace}"
    say("starting the triggerer anew")
    kubectl("rollout", "restart", "deployment", f"--selector={COMPONENT}", namespace)
    words = ("rollout", "status", "deployment", f"--selector={COMPONENT}", namespace)
    kubectl(*words, f"--timeout={RESTART_SECONDS}s", timeout_seconds=RESTART_SECONDS + 10)
    deployment.start(WARM_UP_DAG, 1)
    wait_for(lambda: deployment.count_unfinished(WARM_UP_DAG) == 0, "end of the task to warm up with", RESTART_SECONDS)
    deployment.clear()
    wait_for(lambda: _is_alone(deployment), "end of the triggerer before it", RESTART_SECONDS)
    pods = AirflowPods(deployment.release_namespace)
    say("waiting until Airflow is quiet")
    wait_quiet(pods, deployment, dag, 8)
    try:
        yield Triggerer(pods)
    finally:
        deployment.clear()


def _is_alone(deployment: Deployment) -> bool:
    where = (f"--namespace={deployment.release_namespace}", f"--selector={COMPONENT}", "--output=name")
    return len(kubectl("get", "pods", *where).split()) == 1
