"""Build the triggerer's API before a task needs it.

In Airflow 3.3.2 the first variable, connection, XCom or task state that a trigger asks for makes the triggerer's
supervisor build the whole execution API, and it does nothing else meanwhile: no heartbeat, no new trigger, no end of a
task. That takes 5 s on a quiet machine and 40 s on a busy one; and a kill must ask for its task's state within 30 s.

So a thread of the supervisor builds it at the start, through the supervisor's own `client`. Can go when the supervisor
builds its client before it takes triggers.
"""

import gc
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from cronlift.airflow import success_callbacks

SUBCOMMAND = "triggerer"
# What the API is built from; 1 s of imports.
API_MODULES = ("airflow.api_fastapi.execution_api.app", "airflow.api_fastapi.execution_api.routes")
# The supervisor exists milliseconds after the fork, or never.
START_PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.02

log = logging.getLogger(__name__)


def install(arguments: Sequence[str]) -> None:
    """Prepare this process once it has started that of its triggers, if it is a triggerer: its API, what it sends.

    Args:
        arguments: Its command line.
    """
    if list(arguments[1:2]) == [SUBCOMMAND]:
        # What is there at the fork stays: the collector need not write to its pages, which would end their sharing.
        os.register_at_fork(before=gc.freeze, after_in_parent=_after_fork)


def find_job_runner() -> Any:
    """Return this process's `TriggererJobRunner`; None in other processes, and before it forks that of its triggers.

    It is who handles SIGTERM, from right before that fork on. So earlier forks (the log server, a daemon) pass by: a
    thread must not be running in a process that forks.
    """
    module = sys.modules.get("airflow.jobs.triggerer_job_runner")
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if module is not None and isinstance(owner, module.TriggererJobRunner) else None


def warm_up(job_runner: Any) -> bool:
    """Make the supervisor's API client, and have it answer once.

    Args:
        job_runner: Airflow's `TriggererJobRunner`.

    Returns:
        Whether it answers; a failure is logged, and the first task that needs the client makes it.
    """
    started = time.monotonic()
    try:
        # Until `client` is there, a task that asks would build a second one at the same time; that is 0.1 s.
        client = _supervisor_of(job_runner).client
        # Most of the work is done at the first request. This one counts rows: no secrets backend is asked.
        client.dag_runs.get_count(dag_id="cronlift-warm-up")
    except Exception:
        log.warning("Cannot build the triggerer's API in advance; the first task that needs it waits", exc_info=True)
        return False
    log.info("Built the triggerer's API in %.1f s", time.monotonic() - started)
    return True


def _after_fork() -> None:
    job_runner = find_job_runner()
    if job_runner is None:
        return
    try:
        success_callbacks.send_none()
    except Exception:
        log.warning("Cannot keep Airflow from parsing a DAG's file for each task that succeeds", exc_info=True)
    try:
        for name in API_MODULES:
            # Here and not in the thread, before any trigger runs: see `warm_up`.
            importlib.import_module(name)
    except Exception:
        log.warning("Cannot import the triggerer's API in advance", exc_info=True)
        return
    threading.Thread(target=warm_up, args=(job_runner,), name="cronlift-warm-up", daemon=True).start()


def _supervisor_of(job_runner: Any) -> Any:
    end = time.monotonic() + START_PATIENCE_SECONDS
    while time.monotonic() < end:
        if job_runner.trigger_runner is not None:
            return job_runner.trigger_runner
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"The triggerer started no process for its triggers in {START_PATIENCE_SECONDS:.0f} s")
