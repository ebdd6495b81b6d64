"""Watch the benchmark's Jobs and Pods, with the moment at which the API server told of each change.

Times in Kubernetes' own fields have a resolution of a second; the arrival of a watch's event has not.
"""

import subprocess
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from ci.paths import KUBECONFIG
from ci.tools import tool
from cronlift.job.naming import ANNOTATION_PREFIX
from tests.bench.operators.contenders import MARK
from tests.live.waiting import wait_for

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"
RESTART_PAUSE_SECONDS = 0.1


@dataclass
class Sighting:
    """One Job or Pod.

    Attributes:
        name: Its name.
        task: DAG id, run id and task id, as far as its labels or annotations tell.
        job: The Job that owns it; a Job's own name.
        created: Seconds since the epoch at which its first event arrived.
        running: When a Pod was first seen running.
        ended: When it was first seen complete or failed (Job: condition, Pod: phase).
        succeeded: Whether that was success.
        deleted: When its deletion arrived.
    """

    name: str
    task: tuple[str, str, str]
    job: str
    created: float
    running: float | None = None
    ended: float | None = None
    succeeded: bool = False
    deleted: float | None = None


def _path(kind: str, key: str) -> str:
    return f"{{.object.metadata.{kind}." + key.replace(".", r"\.") + "}"


_COMMON = ["{.type}", "{.object.metadata.name}", "{.object.metadata.uid}"]
_OURS = [_path("annotations", f"{ANNOTATION_PREFIX}{name}") for name in ("dag-id", "run-id", "task-id")]
_STOCK = [_path("labels", name) for name in ("dag_id", "run_id", "task_id")]
FIELDS = {
    "jobs": [*_COMMON, *_OURS, "{.object.metadata.name}", '{.object.status.conditions[?(@.status=="True")].type}'],
    "pods": [*_COMMON, *_STOCK, _path("labels", JOB_NAME_LABEL), "{.object.status.phase}"],
}
_ENDS = {"Complete": True, "Failed": False, "Succeeded": True}


class Watch:
    """Watch one kind while the context lasts.

    Args:
        kind: `jobs` or `pods`.
        namespace: Where.
    """

    def __init__(self, kind: str, namespace: str) -> None:
        self.kind, self.namespace = kind, namespace
        self.seen: dict[str, Sighting] = {}
        self._is_watching, self._is_over = threading.Event(), threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> "Watch":
        self._kubectl = self._start()
        self._thread = threading.Thread(target=self._keep_reading)
        self._thread.start()
        wait_for(self._is_watching.is_set, f"watch of {self.kind}", 30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_over.set()
            self._kubectl.terminate()
        self._thread.join()

    def _start(self) -> subprocess.Popen[str]:
        fields = "|".join(FIELDS[self.kind]) + r'{"\n"}'
        return subprocess.Popen(
            [tool("kubectl"), f"--kubeconfig={KUBECONFIG}", "get", self.kind, f"--namespace={self.namespace}",
             f"--selector={MARK}", "--watch", "--output-watch-events", f"--output=jsonpath={fields}", "-v=6"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.seen)

    def count_ended(self) -> int:
        """Return how many have ended."""
        return sum(sighting.ended is not None for sighting in list(self.seen.values()))

    def _keep_reading(self) -> None:
        """Read events; the API server ends a watch that is too slow for a burst, and kubectl ends with it."""
        while True:
            with self._kubectl as kubectl:
                messages = threading.Thread(target=self._read_messages, args=(kubectl,))
                messages.start()
                for line in kubectl.stdout or ():
                    record(self.seen, line.rstrip("\n"), time.time())
                messages.join()
            # The new one tells of every object first, so only deletions of the moment between are missed.
            time.sleep(RESTART_PAUSE_SECONDS)
            with self._lock:
                if self._is_over.is_set():
                    return
                self._kubectl = self._start()

    def _read_messages(self, kubectl: subprocess.Popen[str]) -> None:
        for line in kubectl.stderr or ():
            # With -v=6 kubectl tells each request: the second is the watch itself, answered when it stands.
            if "watch=true" in line:
                self._is_watching.set()


def record(seen: dict[str, Sighting], line: str, at: float) -> None:
    """Put one event into what was seen.

    Args:
        seen: Sightings by uid.
        line: The event, as `FIELDS` has it.
        at: When it arrived.
    """
    event, name, uid, dag_id, run_id, task_id, job, state = line.split("|")
    sighting = seen.setdefault(uid, Sighting(name, (dag_id, run_id, task_id), job, at))
    if "Running" in state.split():
        sighting.running = sighting.running or at
    for word in state.split():
        if word in _ENDS and sighting.ended is None:
            sighting.ended, sighting.succeeded = at, _ENDS[word]
    if event == "DELETED":
        sighting.deleted = at


def by_task(jobs: dict[str, Sighting], pods: dict[str, Sighting]) -> dict[tuple[str, str, str], Sighting]:
    """Return what ran each task: its Job, else its Pod.

    The stock operators name the task on the Pod alone, ours on the Job; a Job is found by its Pod's label then.
    """
    found: dict[tuple[str, str, str], Sighting] = {}
    of_name = {job.name: job for job in jobs.values()}
    for pod in pods.values():
        if all(pod.task):
            found[pod.task] = of_name.get(pod.job, pod)
    for job in jobs.values():
        if all(job.task):
            found[job.task] = job
    return found
