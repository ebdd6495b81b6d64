"""Many Jobs at once through Airflow, on fake nodes: one DAG of up to 100 tasks, in several runs at the same time."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

from ci import fake_nodes, release
from ci.airflow_api import Airflow, ApiError
from ci.errors import CiError
from ci.fake_nodes import FakeNodes
from ci.kubectl import DIRECT, get, kubectl
from ci.paths import KUBECONFIG, ROOT
from ci.process import run
from ci.stages import Stage
from ci.tools import tool
from tests.bench.operators.audit import audit_log, requests_between
from tests.bench.operators.contenders import MARK
from tests.bench.operators.figures import epoch, spread
from tests.bench.operators.node import AirflowPods
from tests.bench.operators.sightings import Watch, by_task
from tests.live.scratch_dag import NAMESPACE, ScratchDag
from tests.live.undo import Undoing, kubectl_words
from tests.live.waiting import wait_for
from tests.scale.direct import manifest
from tests.scale.progress import Say, follow

SOURCE = '''\
"""Written by a live test, which removes it."""

from datetime import timedelta

from airflow.sdk import DAG
from cronlift import KubernetesJobOperator

# Airflow's limits of a DAG (16 active tasks, 16 active runs) are lifted; the time bounds what a killed test leaves.
with DAG("{dag_id}", schedule=None, catchup=False, max_active_tasks=2000, max_active_runs=100):
    for number in range({tasks}):
        KubernetesJobOperator(
            task_id=f"work_{{number:03}}", manifest="jobs/{stem}.yaml", logs="off",
            execution_timeout=timedelta(minutes=30),
        )
'''

PAGE = 100
LOGS_FOLDER = "/opt/airflow/logs"
SUCCEEDED = r'"event":"Job [^"]+ succeeded"'
"""What a trigger writes as soon as it has heard of the end, logs being off."""

SPARE_CAPACITY = 1.2
QUIET_SECONDS = 20


@dataclass(frozen=True)
class Shape:
    """What is measured.

    Attributes:
        tasks: Tasks of the DAG.
        runs: Runs of it at the same time, in the end.
        triggerers: How many share the tasks; None leaves the platform as it is.
        stand_seconds: How long it is watched while nothing happens.
        over_seconds: In so many seconds the Jobs end, spread evenly.
    """

    tasks: int
    runs: int
    triggerers: int | None
    stand_seconds: float
    over_seconds: float

    @property
    def at_once(self) -> int:
        """Jobs at the same time."""
        return self.tasks * self.runs


class ScaleDag(ScratchDag):
    """The DAG of many tasks."""

    def write_tasks(self, tasks: int) -> None:
        """Write manifest and DAG file."""
        job = manifest()
        job["metadata"] = {"labels": {MARK: "scale"}}
        job["spec"]["template"]["metadata"] = {"labels": {MARK: "scale"}}
        self.manifest.write_text(yaml.safe_dump(job, sort_keys=False))
        self.file.write_text(SOURCE.format(dag_id=self.dag_id, stem=self.stem, tasks=tasks))

    def start_run(self) -> None:
        """Start a run; the DAG is not paused any more."""
        run_id = f"scale_{len(self.run_ids):03}"
        body = {"dag_run_id": run_id, "logical_date": datetime.now(UTC).isoformat()}
        self.airflow.post(f"/dags/{self.dag_id}/dagRuns", body)
        self.run_ids.append(run_id)

    def count_tasks(self, state: str) -> int | None:
        """Return how many tasks of all runs have a state; None while Airflow is too busy to answer."""
        path = f"/dags/{self.dag_id}/dagRuns/~/taskInstances"
        try:
            return int(self.airflow.get(path, state=[state], limit=1)["total_entries"])
        except ApiError:
            return None

    def all_tasks(self) -> list[dict[str, Any]]:
        """Return the task instances of all runs."""
        found: list[dict[str, Any]] = []
        for run_id in self.run_ids:
            for offset in range(0, 10_000, PAGE):
                path = f"/dags/{self.dag_id}/dagRuns/{run_id}/taskInstances"
                page = self.airflow.get(path, limit=PAGE, offset=offset)["task_instances"]
                found += page
                if len(page) < PAGE:
                    break
        return found


@dataclass
class Ground:
    """What a measurement runs on."""

    dag: ScaleDag
    nodes: FakeNodes
    pods: AirflowPods
    jobs: Watch
    fakes: Watch


@contextmanager
def _platform(shape: Shape) -> Iterator[None]:
    """Give the platform's release as many triggerers, with room for the tasks, and take them back afterwards."""
    if shape.triggerers is None:
        yield
        return
    capacity = round(shape.at_once * SPARE_CAPACITY / shape.triggerers)
    back = _helm_words("rollback", release.NAME, str(_revision()), "--wait=watcher")
    with Undoing(_scale_words(1), back):
        with Stage(f"Let {shape.triggerers} triggerers follow {capacity} tasks each"):
            setting = ("--reuse-values", f"--set=triggerer.capacity={capacity}")
            words = _helm_words("upgrade", release.NAME, str(ROOT / "charts/cronlift"), *setting)
            run(*words, env=DIRECT, timeout_seconds=300)
            # Past the chart, which refuses a second one beside a volume of one node: here both are on that node.
            run(*_scale_words(shape.triggerers), env=DIRECT)
        with Stage("Wait until all is healthy", expected_seconds=60) as stage:
            release.wait_ready(stage)
        yield


def _scale_words(triggerers: int) -> list[Any]:
    name = f"{release.NAME}-triggerer"
    return kubectl_words("scale", "deployment", name, f"--replicas={triggerers}", f"--namespace={release.NAMESPACE}")


@contextmanager
def _ground(airflow: Airflow, shape: Shape) -> Iterator[Ground]:
    if _items("resourcequota", f"--namespace={NAMESPACE}"):
        raise CiError(
            f"Namespace {NAMESPACE} has a ResourceQuota, which would be measured: remove `quota` in teams.yaml"
        )
    dag = ScaleDag(airflow)
    nodes_away = kubectl_words(
        "delete", "nodes", f"--selector={fake_nodes.LABEL}", "--ignore-not-found", "--wait=false"
    )
    with ExitStack() as stack:
        stack.enter_context(_platform(shape))
        stack.enter_context(Undoing(nodes_away))
        nodes = stack.enter_context(FakeNodes(shape.at_once))
        stack.callback(dag.remove)
        stack.callback(_clear)
        dag.write_tasks(shape.tasks)
        dag.wait_live()
        airflow.patch(f"/dags/{dag.dag_id}", {"is_paused": False})
        jobs = stack.enter_context(Watch("jobs", NAMESPACE))
        fakes = stack.enter_context(Watch("pods", NAMESPACE))
        yield Ground(dag, nodes, AirflowPods(release.NAMESPACE), jobs, fakes)


def measure(airflow: Airflow, shape: Shape, say: Say) -> dict[str, Any]:
    """Bring all Jobs up, watch them stand, let them end, and return the figures.

    Args:
        airflow: The platform's.
        shape: What to measure.
        say: Takes a word on what is going on.
    """
    with _ground(airflow, shape) as ground:
        say("waiting until Airflow is quiet")
        time.sleep(QUIET_SECONDS if shape.triggerers else 0)
        idle_mib, restarts_before = _triggerer_mib(ground.pods), _restarts()
        steps = []
        for runs in sorted({1, shape.runs}):
            steps.append(_grow(ground, shape, runs, say))
            steps[-1] |= _stand(ground, shape, say)
        ended = _end(ground, shape, say)
        tasks = ground.dag.all_tasks()
        ends, heard = _ends(tasks, ground), _heard(ground)
        restarts = _restarts() - restarts_before  # tests of faults may have killed it
    most = steps[-1]
    return {
        "triggerers": shape.triggerers or 1,
        "tasks": len(tasks),
        "failed": sum(task["state"] != "success" for task in tasks),
        "jobs_made": len(ground.jobs),
        "triggerer_restarts": restarts,
        "idle_rss_mib": idle_mib,
        "steps": steps,
        "mib_per_task": round((most["rss_mib"] - idle_mib) / most["running"], 3),
        "tasks_heard": len(heard),
        "detection_seconds": spread(heard),
        "task_end_seconds": spread(ends),
        **ended,
    }


def _grow(ground: Ground, shape: Shape, runs: int, say: Say) -> dict[str, Any]:
    started, wanted = time.monotonic(), shape.tasks * runs
    before, new = ground.pods.usage(), wanted - shape.tasks * len(ground.dag.run_ids)
    while len(ground.dag.run_ids) < runs:
        ground.dag.start_run()

    follow(
        lambda: _running(ground) >= wanted,
        lambda: f"{_running(ground)} of {wanted} Jobs run",
        f"{wanted} Jobs at once",
        say,
    )
    seconds, after = time.monotonic() - started, ground.pods.usage()
    used = {name: after[name].cpu_seconds - before[name].cpu_seconds for name in after}
    return {
        "running": wanted,
        "start_seconds": round(seconds, 1),
        "start_cpu_seconds_per_task": round(sum(used.values()) / new, 3),
        "start_triggerer_cpu_seconds_per_task": round(used["triggerer"] / new, 3),
    }


def _stand(ground: Ground, shape: Shape, say: Say) -> dict[str, Any]:
    say("watching them stand")
    time.sleep(3)
    before, started = ground.pods.usage(), time.time()
    time.sleep(shape.stand_seconds)
    after, ended = ground.pods.usage(), time.time()
    minutes = (ended - started) / 60
    log = audit_log()
    requests = dict(requests_between(log, release.NAMESPACE, started, ended)) if log else None
    cpu = {name: after[name].cpu_seconds - before[name].cpu_seconds for name in after}
    return {
        "still_running": _running(ground),
        "rss_mib": _triggerer_mib(ground.pods),
        "cpu_seconds_per_minute": {name: round(value / minutes, 2) for name, value in cpu.items()},
        "requests": requests,
        "requests_per_minute": None if requests is None else round(sum(requests.values()) / minutes, 1),
    }


def _end(ground: Ground, shape: Shape, say: Say) -> dict[str, Any]:
    before, started = ground.pods.usage(), time.monotonic()
    ground.nodes.end_pods(shape.over_seconds)

    done = 0

    def have_ended() -> bool:
        nonlocal done
        # Airflow may be too busy to answer.
        done = ground.dag.count_tasks("success") or done
        return done == shape.at_once

    follow(
        have_ended,
        lambda: f"{ground.jobs.count_ended()} of {shape.at_once} Jobs ended, {done} tasks",
        f"end of {shape.at_once} tasks",
        say,
    )
    seconds, after = time.monotonic() - started, ground.pods.usage()
    used = {name: after[name].cpu_seconds - before[name].cpu_seconds for name in after}
    return {
        "over_seconds": shape.over_seconds,
        "end_seconds": round(seconds, 1),
        "end_cpu_seconds_per_task": round(sum(used.values()) / shape.at_once, 3),
        "end_triggerer_cpu_seconds_per_task": round(used["triggerer"] / shape.at_once, 3),
    }


def _ends(tasks: list[dict[str, Any]], ground: Ground) -> list[float]:
    """Return the seconds from the arrival of each Job's end, at a watch of the test's own, to its task's end."""
    ran = by_task(ground.jobs.seen, ground.fakes.seen)
    found = []
    for task in tasks:
        sighting = ran.get((task["dag_id"], task["dag_run_id"], task["task_id"]))
        if sighting is not None and sighting.ended is not None and task["end_date"]:
            found.append(epoch(task["end_date"]) - sighting.ended)
    return found


def _heard(ground: Ground) -> list[float]:
    """Return the seconds from the arrival of each Job's end, at a watch of the test's own, to its trigger's word of it.

    What comes after is Airflow's: the trigger's event goes to the triggerer, and from there into the database.
    """
    ran = by_task(ground.jobs.seen, ground.fakes.seen)
    found = {}
    for line in _trigger_lines(ground.dag.dag_id):
        task = (line["dag_id"], line["run_id"], line["task_id"])
        sighting = ran.get(task)
        if sighting is not None and sighting.ended is not None:
            found[task] = epoch(line["timestamp"]) - sighting.ended
    return list(found.values())


def _trigger_lines(dag_id: str) -> list[dict[str, str]]:
    """Return what the triggers of a DAG wrote of their Jobs' successes: in the tasks' logs, or in the triggerers' own.

    A line that a triggerer reads after it has heard of the task's end goes into its own log (Airflow 3.3.2).
    """
    where = (f"--namespace={release.NAMESPACE}", "--selector=app.kubernetes.io/component=triggerer")
    script = f"grep -rhE '{SUCCEEDED}' '{LOGS_FOLDER}/dag_id={dag_id}' || true"
    lines: list[dict[str, str]] = []
    for pod in _items("pods", *where):
        words = (pod["metadata"]["name"], f"--namespace={release.NAMESPACE}", "--container=triggerer")
        lines += [json.loads(line) for line in kubectl("exec", *words, "--", "sh", "-c", script).splitlines()]
        own = kubectl("logs", *words, timeout_seconds=60).splitlines()
        lines += [found for line in own if (found := success_in(line)) is not None and found["dag_id"] == dag_id]
    return lines


def success_in(line: str) -> dict[str, str] | None:
    """Read a line of a triggerer's own log; None when it does not tell of a Job's success."""
    if not re.search(r" Job \S+ succeeded ", line):
        return None
    return {"timestamp": line.split(" ", 1)[0], **dict(re.findall(r"\b(dag_id|run_id|task_id)=(\S+)", line))}


def _running(ground: Ground) -> int:
    fakes = list(ground.fakes.seen.values())
    return sum(pod.running is not None and pod.ended is None and pod.deleted is None for pod in fakes)


def _triggerer_mib(pods: AirflowPods) -> float:
    return round(pods.usage()["triggerer"].memory_bytes / 2**20, 1)


def _restarts() -> int:
    where = (f"--namespace={release.NAMESPACE}", "--selector=app.kubernetes.io/component=triggerer")
    statuses = [status for pod in _items("pods", *where) for status in pod["status"]["containerStatuses"]]
    return sum(int(status["restartCount"]) for status in statuses)


def _clear() -> None:
    """Delete the Jobs while kwok still takes their Pods away."""
    where = (f"--namespace={NAMESPACE}", f"--selector={MARK}=scale")
    kubectl("delete", "jobs", *where, "--cascade=background", "--wait=false", timeout_seconds=180)
    wait_for(lambda: not _items("pods", *where), "end of the fake Pods", 180)


def _items(kind: str, *words: str) -> list[dict[str, Any]]:
    found = get(kind, *words)
    return list(found["items"]) if found else []


def _revision() -> int:
    history = json.loads(run(*_helm_words("history", release.NAME, "--output=json"), env=DIRECT, timeout_seconds=60))
    return max(int(entry["revision"]) for entry in history if entry["status"] == "deployed")


def _helm_words(*words: str) -> list[Any]:
    return [tool("helm"), *words, f"--kubeconfig={KUBECONFIG}", f"--namespace={release.NAMESPACE}"]
