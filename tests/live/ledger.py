"""Write down every Job and Pod that a deployment ever had in a namespace, whatever happens to the API server.

It asks the API server itself and believes nobody else. When a watch ends it lists and watches again; as nothing can
change while the API server is away, nothing is missed but what lives for less than the pause.
"""

import contextlib
import json
import subprocess
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any

from ci.errors import CiError
from ci.kubectl import kubectl
from ci.paths import KUBECONFIG, STATE
from ci.tools import tool
from cronlift.job.naming import ANNOTATION_PREFIX, LABEL_MANAGED_BY, MANAGED_BY
from tests.live.waiting import wait_for

PAUSE_SECONDS = 0.5
SELECTOR = f"labelSelector={LABEL_MANAGED_BY}%3D{MANAGED_BY}"
VERDICTS = ("Complete", "Failed")


@dataclass
class JobRecord:
    """A Job, as last seen.

    Attributes:
        name: Its name.
        uid: Its uid.
        run_id: The run that it belongs to, by its annotation.
        task_id: The task.
        try_number: The try.
        seen_at: When it was first seen, in seconds since the epoch.
        verdict: `Complete` or `Failed`, the condition that is true; empty while there is none.
        ended_at: When that condition became true, by its own time: a second's resolution.
        is_being_deleted: Whether somebody has deleted it.
        gone_at: When it was gone; None while it exists.
    """

    name: str
    uid: str
    run_id: str
    task_id: str
    try_number: int
    seen_at: float
    verdict: str = ""
    ended_at: float | None = None
    is_being_deleted: bool = False
    gone_at: float | None = None

    @property
    def is_live(self) -> bool:
        """Whether it exists and has not ended."""
        return self.gone_at is None and not self.verdict


@dataclass
class PodRecord:
    """A Pod, as last seen.

    Attributes:
        name: Its name.
        uid: Its uid.
        job_uid: The uid of the Job that owns it.
        run_id: The run that it belongs to, by its annotation.
        task_id: The task.
        is_running: Whether all its containers run and are ready.
        gone_at: When it was gone; None while it exists.
    """

    name: str
    uid: str
    job_uid: str
    run_id: str
    task_id: str
    is_running: bool = False
    gone_at: float | None = None


class Ledger:
    """Follow a namespace while the context lasts.

    Args:
        namespace: Where.
    """

    def __init__(self, namespace: str) -> None:
        self._jobs: dict[str, JobRecord] = {}
        self._pods: dict[str, PodRecord] = {}
        self._paths = {
            "jobs": f"/apis/batch/v1/namespaces/{namespace}/jobs",
            "pods": f"/api/v1/namespaces/{namespace}/pods",
        }
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._lists: dict[str, int] = {"jobs": 0, "pods": 0}
        self._is_over = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> "Ledger":
        self._threads = [threading.Thread(target=self._follow, args=(kind,), daemon=True) for kind in self._paths]
        for thread in self._threads:
            thread.start()
        wait_for(lambda: all(self._lists.values()), "first list of Jobs and Pods", 30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        for process in list(self._processes.values()):
            process.terminate()
        for thread in self._threads:
            thread.join(20)

    def jobs(self, run_id: str) -> list[JobRecord]:
        """Return every Job that a run ever had, in the order in which they were seen."""
        with self._lock:
            return sorted((job for job in self._jobs.values() if job.run_id == run_id), key=lambda job: job.seen_at)

    def pods(self, run_id: str) -> list[PodRecord]:
        """Return every Pod that a run ever had."""
        with self._lock:
            return [pod for pod in self._pods.values() if pod.run_id == run_id]

    def _follow(self, kind: str) -> None:
        while not self._is_over.is_set():
            # When the API server is away, or cut its answer: begin anew.
            with contextlib.suppress(CiError, ValueError, KeyError):
                self._watch(kind, self._list(kind))
            self._is_over.wait(PAUSE_SECONDS)

    def _list(self, kind: str) -> str:
        page = json.loads(kubectl("get", "--raw", f"{self._paths[kind]}?{SELECTOR}", timeout_seconds=20))
        found = {item["metadata"]["uid"] for item in page["items"]}
        for item in page["items"]:
            self._take(kind, item)
        with self._lock:
            known: dict[str, Any] = self._jobs if kind == "jobs" else self._pods
            for record in known.values():
                if record.uid not in found and record.gone_at is None:
                    record.gone_at = time.time()
        self._lists[kind] += 1
        return str(page["metadata"]["resourceVersion"])

    def _watch(self, kind: str, version: str) -> None:
        path = f"{self._paths[kind]}?{SELECTOR}&watch=true&resourceVersion={version}&timeoutSeconds=3600"
        # Not ci.kubectl: this one is read while it runs.
        words = [tool("kubectl"), f"--kubeconfig={KUBECONFIG}", f"--cache-dir={STATE / 'kube-cache'}"]
        with subprocess.Popen(
            [*words, "get", "--raw", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            self._processes[kind] = process
            if self._is_over.is_set():
                process.terminate()
            for line in process.stdout or ():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    process.terminate()
                    return
                self._take(kind, event["object"], is_gone=event["type"] == "DELETED")

    def _take(self, kind: str, item: dict[str, Any], is_gone: bool = False) -> None:
        with self._lock:
            record = self._take_job(item) if kind == "jobs" else self._take_pod(item)
            if is_gone and record.gone_at is None:
                record.gone_at = time.time()

    def _take_job(self, item: dict[str, Any]) -> JobRecord:
        metadata, ours = item["metadata"], _own_annotations(item)
        record = self._jobs.setdefault(
            metadata["uid"],
            JobRecord(
                metadata["name"], metadata["uid"], ours.get("run-id", ""), ours.get("task-id", ""),
                int(ours.get("try-number", "0")), time.time(),
            ),
        )  # fmt: skip
        record.is_being_deleted = bool(metadata.get("deletionTimestamp"))
        for condition in item.get("status", {}).get("conditions", []):
            if condition["type"] in VERDICTS and condition["status"] == "True":
                record.verdict = condition["type"]
                record.ended_at = datetime.fromisoformat(condition["lastTransitionTime"]).timestamp()
        return record

    def _take_pod(self, item: dict[str, Any]) -> PodRecord:
        metadata, ours = item["metadata"], _own_annotations(item)
        owner = next((each["uid"] for each in metadata.get("ownerReferences", []) if each["kind"] == "Job"), "")
        record = self._pods.setdefault(
            metadata["uid"],
            PodRecord(metadata["name"], metadata["uid"], owner, ours.get("run-id", ""), ours.get("task-id", "")),
        )
        statuses = item.get("status", {}).get("containerStatuses", [])
        is_running = bool(statuses) and all("running" in status["state"] and status["ready"] for status in statuses)
        record.is_running = is_running and not metadata.get("deletionTimestamp")
        return record


def _own_annotations(item: dict[str, Any]) -> dict[str, str]:
    annotations = item["metadata"].get("annotations") or {}
    return {key.removeprefix(ANNOTATION_PREFIX): value for key, value in annotations.items()}
