"""What `up` says on a host that cannot carry the cluster; nothing may be half-made."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.host_snapshot import difference, snapshot
from tests.integration.own_machine import OwnMachine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the embedded cluster needs root: sudo make test")

LISTEN = "import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(600)"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OwnMachine]:
    machine = OwnMachine(tmp_path)
    yield machine
    machine.cut_power()


def up(machine: OwnMachine, state: Path) -> str:
    environment = {"CLUSTER": "embedded", "CRONLIFT_STATE": str(state)}
    done = machine.run(sys.executable, "-m", "ci.cluster", "up", check=False, env=environment)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_every_port_in_use_is_named_at_once_and_nothing_is_made(machine: OwnMachine, tmp_path: Path) -> None:
    for port in (30080, 16443):
        script = f'setsid "{sys.executable}" -c "{LISTEN.format(port=port)}" >/dev/null 2>&1 &'
        machine.run("sh", "-c", script)
    while len(machine.run("ss", "-Hltn").stdout.splitlines()) < 2:
        time.sleep(0.05)
    before = snapshot(machine)
    said = up(machine, tmp_path / "state")
    assert "Port 30080 is in use" in said
    assert "Port 16443 is in use" in said
    assert difference(before, snapshot(machine)) == ""


def test_full_disk_is_named_with_what_is_needed(machine: OwnMachine, tmp_path: Path) -> None:
    small = tmp_path / "small"
    machine.run("mkdir", small)
    machine.run("mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", small)
    assert "GiB free, the cluster needs" in up(machine, small / "state")
