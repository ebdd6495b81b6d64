"""Run one case: start it, watch it, and turn what was seen into figures."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from ci.kubectl import kubectl
from tests.bench.operators.audit import audit_log, requests_between
from tests.bench.operators.contenders import ECHO, PLAIN, BenchDag, job
from tests.bench.operators.deployment import Deployment
from tests.bench.operators.figures import cpu_figures, plain_figures, request_figures, task_figures
from tests.bench.operators.node import AirflowPods
from tests.bench.operators.sightings import Watch, by_task
from tests.live.waiting import wait_for

POLL_SECONDS = 1.0
"""Airflow's API has no watch. It is asked as often while its idle rate is measured, so the questions cost nobody."""

SETTLE_SECONDS = 40.0
"""At most so long after the last task: logs are uploaded and DAG files parsed again."""

LONGEST_SECONDS = 300.0

QUIET_CORES = 0.05
"""More than the idle rate by less than this is quiet."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes:
        block: Cases of a block are compared with each other.
        contender: Who runs it.
        tasks: Tasks of the DAG.
        runs: Runs of the DAG at once.
        repeats: How often, one after the other, within one measurement of CPU: a single task costs too little for it.
        idle_seconds: How long Airflow's idle rate is measured, at least twice.
    """

    block: str
    contender: str
    tasks: int
    runs: int = 1
    repeats: int = 1
    idle_seconds: float = 8.0

    @property
    def at_once(self) -> int:
        """Tasks at the same time."""
        return self.tasks * self.runs

    @property
    def total(self) -> int:
        """All tasks of the case."""
        return self.at_once * self.repeats

    @property
    def limit_seconds(self) -> float:
        """When a repeat is given up: about twice what the slowest contender was seen to take with 50, at most 5 min."""
        return min(120 + 3.0 * self.at_once, LONGEST_SECONDS)

    @property
    def title(self) -> str:
        """For people."""
        words = f"{self.tasks} task{'s' if self.tasks > 1 else ''}"
        words = f"{self.runs} runs of {words}" if self.runs > 1 else words
        return f"{self.contender}, {words}" + (f", {self.repeats} times" if self.repeats > 1 else "")


def measure(case: Case, deployment: Deployment, say: Say) -> dict[str, Any]:
    """Run a case and return its figures; its Jobs are gone afterwards.

    Args:
        case: What to run.
        deployment: Where.
        say: Takes a word on what is going on.
    """
    deployment.clear()
    try:
        found = _plain(case, deployment, say) if case.contender == PLAIN else _airflow(case, deployment, say)
    finally:
        say("deleting its Jobs")
        if case.contender != PLAIN:
            deployment.end_runs(BenchDag(case.contender, case.tasks))
        deployment.clear()
    return {**asdict(case), **found}


def _plain(case: Case, deployment: Deployment, say: Say) -> dict[str, Any]:
    names = [f"plain-{number:03}" for number in range(case.total)]
    manifests = [job(deployment.image, ECHO, name) for name in names]
    content = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    with Watch("jobs", deployment.namespace) as jobs:
        started = time.time()
        kubectl("create", "--filename=-", f"--namespace={deployment.namespace}", stdin=content, timeout_seconds=300)

        def have_ended() -> bool:
            say(f"{jobs.count_ended()} of {case.total} Jobs ended")
            return jobs.count_ended() >= case.total

        wait_for(have_ended, f"end of {case.total} plain Jobs", case.limit_seconds)
        return plain_figures(started, jobs.seen.values())


def _airflow(case: Case, deployment: Deployment, say: Say) -> dict[str, Any]:
    dag = BenchDag(case.contender, case.tasks)
    pods = AirflowPods(deployment.release_namespace)
    say("idle rate")
    idle_rate = wait_quiet(pods, deployment, dag, case.idle_seconds)
    with ExitStack() as stack:
        jobs = stack.enter_context(Watch("jobs", deployment.namespace))
        own_pods = stack.enter_context(Watch("pods", deployment.namespace))
        before, started = pods.usage(), time.time()
        is_over = True
        for _ in range(case.repeats):
            deployment.start(dag, case.runs)
            is_over = _follow(case, deployment, dag, own_pods, say) and is_over
        say("waiting until Airflow is quiet again")
        _settle(pods, idle_rate)
        after, ended = pods.usage(), time.time()
        runs = deployment.runs_since(dag, started - 1)
        tasks = deployment.tasks(runs)
        ran = by_task(jobs.seen, own_pods.seen)
    used = {part: after[part].cpu_seconds - before[part].cpu_seconds for part in after}
    log = audit_log()
    counted = requests_between(log, deployment.release_namespace, started, ended) if log else None
    return {
        **task_figures(runs, tasks, ran, case.repeats),
        **cpu_figures(used, idle_rate, ended - started, case.total),
        **(request_figures(counted, case.total) if counted is not None else {}),
        "reasons": deployment.reasons(tasks),
        "jobs_seen": len(jobs),
        "pods_seen": len(own_pods),
        "is_over": is_over,
    }


def _follow(case: Case, deployment: Deployment, dag: BenchDag, pods: Watch, say: Say) -> bool:
    """Wait for the end of all runs; return False when they did not end in time."""
    started = time.time()
    while time.time() - started < case.limit_seconds:
        time.sleep(POLL_SECONDS)
        unfinished = deployment.count_unfinished(dag)
        if unfinished == 0:
            return True
        say(f"{pods.count_ended()} of {case.total} Pods ended, {unfinished} runs go on")
    return False


def wait_quiet(pods: AirflowPods, deployment: Deployment, dag: BenchDag, seconds: float) -> float:
    """Measure Airflow's idle rate in cores, again until two in a row agree; return the lower."""
    last = _rate(pods, deployment, dag, seconds)
    for _ in range(5):
        rate = _rate(pods, deployment, dag, seconds)
        if abs(rate - last) < QUIET_CORES:
            return min(rate, last)
        last = rate
    return last


def _rate(pods: AirflowPods, deployment: Deployment, dag: BenchDag, seconds: float) -> float:
    before, started = pods.cpu_seconds(), time.monotonic()
    while time.monotonic() - started < seconds:
        time.sleep(POLL_SECONDS)
        deployment.count_unfinished(dag)
    return (pods.cpu_seconds() - before) / (time.monotonic() - started)


def _settle(pods: AirflowPods, idle_rate: float) -> None:
    started = time.monotonic()
    quiet = 0
    while quiet < 2 and time.monotonic() - started < SETTLE_SECONDS:
        before, at = pods.cpu_seconds(), time.monotonic()
        time.sleep(2)
        rate = (pods.cpu_seconds() - before) / (time.monotonic() - at)
        quiet = quiet + 1 if rate < idle_rate + QUIET_CORES else 0
