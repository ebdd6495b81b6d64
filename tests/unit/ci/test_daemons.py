import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ci.daemons import Daemon, start_ticks

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def daemon(tmp_path: Path):
    daemon = Daemon("sleeper", tmp_path, tmp_path / "log")
    yield daemon
    daemon.stop()


def test_started_daemon_is_found_by_its_record(daemon: Daemon) -> None:
    pid = daemon.start(SLEEP)
    assert Daemon(daemon.name, daemon.folder, daemon.log).pid() == pid


def test_second_start_of_the_same_command_changes_nothing(daemon: Daemon) -> None:
    assert daemon.start(SLEEP) == daemon.start(SLEEP)


def test_another_command_takes_the_place_of_the_first(daemon: Daemon) -> None:
    first = daemon.start(SLEEP)
    assert daemon.start([*SLEEP, "other"]) != first
    assert start_ticks(first) is None


def test_stop_ends_a_daemon_that_ignores_sigterm(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci.daemons.STOP_SECONDS", 1.0)
    code = "import signal,sys,time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    pid = daemon.start([sys.executable, "-c", code])
    while "deaf" not in daemon.log.read_text():
        time.sleep(0.02)
    daemon.stop()
    assert start_ticks(pid) is None
    assert not daemon.record.exists()


def test_recycled_pid_is_not_taken_for_the_daemon(daemon: Daemon) -> None:
    daemon.folder.mkdir(exist_ok=True)
    own = os.getpid()
    daemon.record.write_text(json.dumps({"pid": own, "start_ticks": start_ticks(own) - 1, "command": SLEEP}))
    assert daemon.pid() is None
    daemon.stop()
    assert start_ticks(own) is not None


def test_killed_daemon_is_known_to_be_gone(daemon: Daemon) -> None:
    pid = daemon.start(SLEEP)
    os.kill(pid, signal.SIGKILL)
    while start_ticks(pid) is not None:
        time.sleep(0.02)
    assert daemon.pid() is None


def test_daemon_does_not_keep_its_callers_files_open(daemon: Daemon, tmp_path: Path) -> None:
    """Else it would hold a lock under which it was started, as `flock FILE make up` does, for all its life."""
    with (tmp_path / "lock").open("w") as lock:
        inherited = os.dup2(lock.fileno(), 100, inheritable=True)
        try:
            pid = daemon.start(SLEEP)
        finally:
            os.close(inherited)
    open_files = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
    assert str(tmp_path / "lock") not in open_files
