"""The triggerer's API is built in advance (fact 10), by the supervisor's own client, and in no other process."""

import gc
import importlib.util
import inspect
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.jobs.triggerer_job_runner import TriggererJobRunner, TriggerRunnerSupervisor
from airflow.sdk.api.client import DagRunOperations

from cronlift.airflow import warmup

PATIENCE_SECONDS = 10.0


class Client:
    """Counts the first request and who made it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.dag_runs = SimpleNamespace(get_count=self._count)
        self.fault: Exception | None = None

    def _count(self, *, dag_id: str) -> int:
        self.asked.append((dag_id, threading.current_thread().name))
        if self.fault is not None:
            raise self.fault
        return 0


def job_runner(supervisor: Any) -> TriggererJobRunner:
    runner = TriggererJobRunner.__new__(TriggererJobRunner)
    runner.trigger_runner = supervisor
    return runner


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Iterator[TriggererJobRunner]:
    """A triggerer that has set up its signals and forks the process of its triggers."""
    monkeypatch.setattr(warmup, "API_MODULES", ("json",))
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    runner = job_runner(SimpleNamespace(client=Client()))
    runner.register_signals()
    yield runner
    for number, handler in before.items():
        signal.signal(number, handler)


def join() -> None:
    for thread in threading.enumerate():
        if thread.name == "cronlift-warm-up":
            thread.join(PATIENCE_SECONDS)


def test_supervisors_own_client_answers_once_in_a_thread(handled):
    warmup._after_fork()
    join()
    assert handled.trigger_runner.client.asked == [("cronlift-warm-up", "cronlift-warm-up")]


def test_supervisor_is_waited_for(handled):
    """The fork is in the middle of making it."""
    supervisor, handled.trigger_runner = handled.trigger_runner, None
    warmup._after_fork()
    handled.trigger_runner = supervisor
    join()
    assert len(supervisor.client.asked) == 1


def test_fork_for_another_end_is_passed_by():
    """The log server is forked before, and signals are set up right before the triggers' process is (Airflow 3.3.2)."""
    assert warmup.find_job_runner() is None
    warmup._after_fork()
    assert [thread.name for thread in threading.enumerate() if thread.name == "cronlift-warm-up"] == []


@pytest.mark.parametrize(
    ("supervisor", "words"),
    [(None, "TimeoutError"), (SimpleNamespace(client=Client()), "OSError: no database")],
    ids=["no supervisor", "no database"],
)
def test_failure_is_a_warning(monkeypatch, caplog, supervisor, words):
    monkeypatch.setattr(warmup, "START_PATIENCE_SECONDS", 0.05)
    if supervisor is not None:
        supervisor.client.fault = OSError("no database")
    assert warmup.warm_up(job_runner(supervisor)) is False
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert words in caplog.text


def test_import_that_fails_starts_no_thread(handled, monkeypatch, caplog):
    monkeypatch.setattr(warmup, "API_MODULES", ("airflow.not_there",))
    warmup._after_fork()
    join()
    assert handled.trigger_runner.client.asked == []
    assert "airflow.not_there" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "installed"),
    [
        (["/bin/airflow", "triggerer"], True),
        (["/bin/airflow", "triggerer", "--capacity", "5"], True),
        (["/bin/airflow", "scheduler"], False),
        (["/bin/airflow"], False),
        (["pytest", "-k", "triggerer"], False),
        ([], False),
    ],
)
def test_only_a_triggerer_has_the_hook(monkeypatch, arguments, installed):
    hooks: list[Any] = []
    monkeypatch.setattr(os, "register_at_fork", lambda **hook: hooks.append(hook))
    warmup.install(arguments)
    assert hooks == ([{"before": gc.freeze, "after_in_parent": warmup._after_fork}] if installed else [])


def test_airflow_has_what_this_stands_on(monkeypatch):
    """A client made once and at first use, and the question asked. An Airflow that differs may not need this module."""
    monkeypatch.setattr(TriggerRunnerSupervisor, "make_client", lambda _self: object())
    supervisor = TriggerRunnerSupervisor.__new__(TriggerRunnerSupervisor)
    assert supervisor.client is supervisor.client
    assert "dag_id" in inspect.signature(DagRunOperations.get_count).parameters
    assert [name for name in warmup.API_MODULES if importlib.util.find_spec(name) is None] == []


def test_hook_runs_in_the_process_that_forks_and_not_in_the_fork():
    code = """
import os, sys
from cronlift.airflow import warmup
warmup._after_fork = lambda: os.write(1, b"%d" % (os.getpid() == parent))
parent = os.getpid()
warmup.install(["airflow", "triggerer"])
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"1"
