"""Record what happens to a DAG's Jobs and Pods, with the moment at which the API server said so.

Creation times of Kubernetes have a resolution of a second; a watch's arrival does not.
"""

import subprocess
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from ci.paths import KUBECONFIG
from ci.tools import tool
from cronlift.job.naming import ANNOTATION_PREFIX
from tests.live.waiting import wait_for

_OURS = "{.object.metadata.annotations." + ANNOTATION_PREFIX.replace(".", r"\.")
FIELDS = "|".join(
    [
        "{.type}",
        "{.object.metadata.name}",
        "{.object.metadata.uid}",
        f"{_OURS}dag-id}}",
        f"{_OURS}run-id}}",
        r'{.object.status.conditions[?(@.status=="True")].type}{"\n"}',
    ]
)


@dataclass(frozen=True)
class Sighting:
    """One event of a watch.

    Attributes:
        at: Seconds since the epoch at which it arrived.
        event: ADDED, MODIFIED or DELETED.
        name: The object's name.
        uid: Its uid.
        dag_id: The DAG that owns it, by its annotation.
        run_id: The run.
        conditions: The conditions that are true.
    """

    at: float
    event: str
    name: str
    uid: str
    dag_id: str
    run_id: str
    conditions: frozenset[str]


class Recorder:
    """Watch one kind of a namespace while the context lasts.

    Args:
        kind: `jobs` or `pods`.
        namespace: Where.
    """

    def __init__(self, kind: str, namespace: str) -> None:
        self.kind, self.namespace = kind, namespace
        self.sightings: list[Sighting] = []
        self._is_watching = threading.Event()

    def __enter__(self) -> "Recorder":
        self._kubectl = subprocess.Popen(
            [tool("kubectl"), f"--kubeconfig={KUBECONFIG}", "get", self.kind, f"--namespace={self.namespace}",
             "--watch", "--output-watch-events", f"--output=jsonpath={FIELDS}", "-v=6"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._threads = [threading.Thread(target=read) for read in (self._read_events, self._read_messages)]
        for thread in self._threads:
            thread.start()
        wait_for(self._is_watching.is_set, f"watch of {self.kind}", 20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kubectl.terminate()
        for thread in self._threads:
            thread.join()
        self._kubectl.wait()
        for pipe in (self._kubectl.stdout, self._kubectl.stderr):
            if pipe:
                pipe.close()

    def created(self, run_id: str) -> set[str]:
        """Return the uids of every object that was ever seen for a run."""
        return {sighting.uid for sighting in self.sightings if sighting.run_id == run_id}

    def first(self, run_id: str, condition: str | None = None) -> Sighting | None:
        """Return the first sighting of a run's object, or the first with a condition."""
        return next(
            (
                sighting
                for sighting in self.sightings
                if sighting.run_id == run_id and (condition is None or condition in sighting.conditions)
            ),
            None,
        )

    def _read_events(self) -> None:
        for line in self._kubectl.stdout or ():
            event, name, uid, dag_id, run_id, conditions = line.rstrip("\n").split("|")
            self.sightings.append(
                Sighting(time.time(), event, name, uid, dag_id, run_id, frozenset(conditions.split()))
            )

    def _read_messages(self) -> None:
        for line in self._kubectl.stderr or ():
            # With -v=6 kubectl tells each request: the second is the watch itself, answered when it stands.
            if "watch=true" in line:
                self._is_watching.set()
