"""One run of many Jobs that a fault strikes, and what was seen of it from outside."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from ci.airflow_api import Airflow, ApiError
from ci.errors import CiError
from tests.chaos.judging import Expected, JobSeen, TaskSeen
from tests.live.ledger import JobRecord, Ledger, PodRecord
from tests.live.many_jobs import EXIT_CODE, Entry, ManyJobs, Shape, patiently
from tests.live.waiting import wait_for

RUNNING_SECONDS = 150
END_SECONDS = 420
FINISHED = {"success", "failed", "skipped", "upstream_failed", "removed"}
GOES_ON = "go on with it"
"""What the operator says when it found its try's Job already there: another triggerer has taken the task over."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a run.

    Attributes:
        tasks: Every task, with its Jobs and log.
        run_seconds: From its start to its end.
        late_seconds: The longest time from the end of a Job to the end of its task.
        taken_over: How many tasks another triggerer took over.
        take_over_seconds: From the fault until the last of these went on.
    """

    tasks: list[TaskSeen]
    run_seconds: float
    late_seconds: float | None
    taken_over: int
    take_over_seconds: float | None


class Ground:
    """A run.

    Args:
        airflow: Where it runs.
        dag: Its DAG, live.
        ledger: Follows the team's namespace.
    """

    def __init__(self, airflow: Airflow, dag: ManyJobs, ledger: Ledger) -> None:
        self.airflow, self.dag, self._ledger = airflow, dag, ledger
        self.run_id = ""
        self.struck_at = 0.0
        self._started = 0.0

    @property
    def shape(self) -> Shape:
        """What the Jobs are like."""
        return self.dag.shape

    @property
    def task_ids(self) -> list[str]:
        """The tasks."""
        return self.dag.shape.task_ids

    @property
    def half(self) -> list[str]:
        """Every second task: what is done to them must not touch the others."""
        return self.task_ids[::2]

    def start(self) -> None:
        """Start the run."""
        self._started = time.monotonic()
        self.run_id = self.dag.start()
        self.struck_at = time.time()

    def start_and_wait_running(self, timeout_seconds: float = RUNNING_SECONDS) -> None:
        """Start the run and wait until every Job of it runs."""
        self.start()
        wait_for(
            lambda: len([pod for pod in self.pods() if pod.is_running]) >= self.shape.tasks,
            f"{self.shape.tasks} running Pods of run {self.run_id}", timeout_seconds,
        )  # fmt: skip
        self.struck_at = time.time()

    def jobs(self) -> list[JobRecord]:
        """Return every Job that the run ever had."""
        return self._ledger.jobs(self.run_id)

    def pods(self) -> list[PodRecord]:
        """Return every Pod that the run ever had."""
        return self._ledger.pods(self.run_id)

    def live_jobs(self) -> list[JobRecord]:
        """Return the Jobs that run or wait."""
        return [job for job in self.jobs() if job.is_live]

    def plan(self, changes: Mapping[str, Expected] | None = None) -> dict[str, Expected]:
        """Return what each task must come to: as its Job's exit code says, but for the changes."""
        failed = Expected("failed", words=(f"exit code {EXIT_CODE}",))
        plan = {each: failed if each in self.shape.failing else Expected("success") for each in self.task_ids}
        return plan | dict(changes or {})

    def wait_words(self, words: str, task_ids: Sequence[str], count: int, timeout_seconds: float) -> None:
        """Wait until the logs of so many of the tasks say something."""
        silent = set(task_ids)

        def are_said() -> bool:
            for each in sorted(silent):
                if any(words in entry.text for entry in self.dag.entries(self.run_id, each)):
                    silent.discard(each)
            return len(task_ids) - len(silent) >= count

        wait_for(are_said, f"{words!r} in the logs of {count} tasks", timeout_seconds)

    def wait_end(self, timeout_seconds: float = END_SECONDS) -> None:
        """Wait for the run's end; an API server that was just killed does not answer for a while."""
        state = ""

        def has_ended() -> bool:
            nonlocal state
            try:
                state = str(self.airflow.run(self.dag.dag_id, self.run_id)["state"])
            except (httpx.TransportError, ApiError):
                return False
            return state in {"success", "failed"}

        try:
            wait_for(has_ended, f"end of run {self.run_id}", timeout_seconds)
        except AssertionError as error:
            instances = self.dag.instances(self.run_id)
            waiting = [f"{each} is {one['state']}" for each, one in instances.items() if one["state"] not in FINISHED]
            raise AssertionError(f"{error}; {', '.join(waiting) or 'every task has ended'}") from error

    def wait_settled(self, timeout_seconds: float) -> None:
        """Give what is being deleted the time to go, and the ledger the time to hear of it."""
        ends = time.monotonic() + timeout_seconds
        while self.live_jobs() and time.monotonic() < ends:
            time.sleep(0.5)

    def observe(self) -> Seen:
        """Return what was seen, once the run has ended."""
        run_seconds = time.monotonic() - self._started
        instances = self.dag.instances(self.run_id)
        logs = {each: self._complete_log(each, int(instances[each]["try_number"])) for each in self.task_ids}
        jobs, pods = self.jobs(), self.pods()
        tasks = [
            TaskSeen(
                each, str(instances[each]["state"]), int(instances[each]["try_number"]),
                [entry.text for entry in logs[each]], [_seen(job, pods) for job in jobs if job.task_id == each],
            )
            for each in self.task_ids
        ]  # fmt: skip
        taken_over = _taken_over(logs.values(), self.struck_at)
        return Seen(
            tasks, run_seconds, _latest(jobs, instances), len(taken_over),
            max(taken_over) - self.struck_at if taken_over else None,
        )  # fmt: skip

    def give_up(self) -> None:
        """End a run that does not end by itself, so that it does not disturb the next."""
        try:
            self.airflow.patch(f"/dags/{self.dag.dag_id}/dagRuns/{self.run_id}", {"state": "failed"})
        except CiError:
            return

    def _complete_log(self, task_id: str, try_number: int) -> list[Entry]:
        """Return a task's log; an API server that was just killed gets a second chance."""

        def read() -> list[Entry]:
            entries = self.dag.entries(self.run_id, task_id, try_number)
            if not entries:
                raise ApiError(f"No log of {task_id} yet")
            return entries

        try:
            return patiently(read, 10)
        except ApiError:
            return []


def _seen(job: JobRecord, pods: Sequence[PodRecord]) -> JobSeen:
    own = sum(pod.job_uid == job.uid for pod in pods)
    return JobSeen(job.try_number, job.verdict, own, job.seen_at, job.gone_at, job.is_live)


def _taken_over(logs: Iterable[Sequence[Entry]], since: float) -> list[float]:
    """Return when each task that was taken over since then went on."""
    moments = ([entry.at for entry in log if GOES_ON in entry.text and entry.at > since] for log in logs)
    return [max(each) for each in moments if each]


def _latest(jobs: Sequence[JobRecord], instances: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Return the longest time from the end of a Job to that of its task; None when no Job ended by itself."""
    delays = [
        datetime.fromisoformat(instance["end_date"]).timestamp() - job.ended_at
        for job in jobs
        if job.ended_at
        and (instance := instances[job.task_id])["end_date"]
        and job.try_number == instance["try_number"]
    ]
    return max(delays, default=None)


Strike = Callable[[Ground], Mapping[str, Expected]]
"""Starts the run, does its harm while Jobs run, puts everything right, and returns which tasks come to something else
than their Jobs' exit codes say."""
