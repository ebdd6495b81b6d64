"""The stand-in shows the two defects of git-sync v4 that the bundle defends against, when a test asks for them."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from ci.paths import ROOT
from cronlift.bundle.sync_age import count_successes
from tests.unit.bundle.conftest import Repository

PROGRAM = ROOT / "ci/cluster/standins/git-sync/git-sync"
PATIENCE_SECONDS = 30


def until(is_true):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """The stand-in as a process of its own, syncing every 0.1 s."""

    def __init__(self, base):
        self.repository = Repository(base)
        self.repository.write("a.txt", "1")
        self.first = self.repository.commit()
        self.root, self.home = base / "synced", base / "home"
        self.home.mkdir()
        self.port = free_port()
        flags = {"repo": self.repository.work, "ref": "main", "root": self.root, "link": "current", "period": "100ms",
                 "depth": 0, "max-failures": -1, "http-bind": f"127.0.0.1:{self.port}"}  # fmt: skip
        words = [f"--{name}={value}" for name, value in flags.items()]
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM, *words, "--http-metrics"],
            env={**os.environ, "HOME": str(self.home)}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(lambda: (self.root / "current/a.txt").exists())

    def answers(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, answer.read().decode()

    def has_stopped(self):
        """Tell whether no sync has ended for some periods."""
        before = self.successes()
        time.sleep(1)
        return self.successes() == before

    def successes(self):
        return count_successes(self.answers("/metrics")[1])


@pytest.fixture
def running(tmp_path):
    started = Running(tmp_path)
    yield started
    started.process.kill()
    started.process.wait()


def test_stalled_connection_stops_syncing_without_a_word(running):
    (running.home / "defect-stall").touch()
    until(running.has_stopped)
    before = running.successes()
    running.repository.write("a.txt", "2")
    running.repository.commit()
    time.sleep(1)
    assert running.successes() == before
    assert running.answers("/")[0] == 200
    assert (running.root / "current/a.txt").read_text() == "1"
    (running.home / "defect-stall").unlink()
    until(lambda: (running.root / "current/a.txt").read_text() == "2")


def test_lock_of_a_killed_fetch_wipes_what_was_published(running):
    (running.home / "defect-shallow-lock").touch()
    until(lambda: not (running.root / "current").is_symlink())
    assert running.answers("/")[0] == 200
    assert list(running.root.iterdir()) == []
    (running.home / "defect-shallow-lock").unlink()
    until(lambda: (running.root / "current/a.txt").exists())
