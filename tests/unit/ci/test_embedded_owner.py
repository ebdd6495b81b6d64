import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from ci.cluster.embedded import owner, preflight
from ci.cluster.embedded.owner import Owner, boot_id, folders_before, is_alive, read_owner, write_owner
from ci.daemons import Daemon
from ci.errors import UserError


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for /run/cronlift, where a live cluster of this host may have its records."""
    folder = tmp_path / "run"
    monkeypatch.setattr(owner, "RECORD", folder / "owner.json")
    monkeypatch.setattr(owner, "PIDS", folder / "pids")
    return folder


def record(tmp_path: Path, folder: Path | None = None) -> Owner:
    return Owner(str(folder or tmp_path), str(tmp_path / "state"), boot_id(), folders=["/var/lib/cni"])


def test_a_record_is_read_back(tmp_path: Path) -> None:
    write_owner(record(tmp_path), tmp_path / "copy.json")
    assert read_owner() == record(tmp_path)


def test_the_copy_serves_when_run_was_emptied(tmp_path: Path, run_folder: Path) -> None:
    write_owner(record(tmp_path), tmp_path / "copy.json")
    (run_folder / "owner.json").unlink()
    assert read_owner(tmp_path / "copy.json") == record(tmp_path)


def test_a_record_of_an_earlier_boot_counts_for_nothing_but_its_folders(tmp_path: Path) -> None:
    old = asdict(record(tmp_path)) | {"boot": "another"}
    (tmp_path / "copy.json").write_text(json.dumps(old))
    assert read_owner(tmp_path / "copy.json") is None
    assert folders_before(tmp_path / "copy.json") == ["/var/lib/cni"]


def test_a_recycled_pid_does_not_keep_a_dead_cluster_alive(run_folder: Path) -> None:
    part = Daemon("kubelet", run_folder / "pids", run_folder / "log")
    part.start([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert is_alive()
        text = json.loads(part.record.read_text())
        part.record.write_text(json.dumps(text | {"start_ticks": text["start_ticks"] - 1}))
        assert not is_alive()
        part.record.write_text(json.dumps(text))
    finally:
        part.stop()


def test_a_live_cluster_of_another_clone_is_named_with_the_way_to_end_it(tmp_path: Path, run_folder: Path) -> None:
    write_owner(record(tmp_path), tmp_path / "copy.json")
    part = Daemon("etcd", run_folder / "pids", run_folder / "log")
    part.start([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with pytest.raises(UserError, match=f"make -C {tmp_path} down"):
            preflight.check(tmp_path / "mine")
    finally:
        part.stop()


def test_another_user_is_told_what_to_run() -> None:
    with pytest.raises(UserError, match=r"Run: sudo .*pytest"):
        preflight.require_root(euid=1000)


def test_a_port_is_taken_while_a_program_listens_on_loopback() -> None:
    code = "import socket,sys; s=socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as program:
        port = int(program.stdout.readline())
        assert preflight.is_taken(port)
        program.communicate("\n")
    assert not preflight.is_taken(port)


def test_chains_of_another_kubernetes_are_a_fault_with_an_example() -> None:
    (fault,) = preflight.chain_faults(["ip nat KUBE-SERVICES", "ip nat DOCKER"])
    assert "1 chains, such as KUBE-SERVICES" in fault
    assert preflight.chain_faults(["ip nat DOCKER"]) == []
