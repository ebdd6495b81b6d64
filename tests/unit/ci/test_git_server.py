import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ci import up
from ci.daemons import Daemon
from ci.errors import CiError
from ci.git_server import PORT, Snapshots, watched_folders
from ci.paths import ROOT


def git(*words: str, cwd: Path) -> str:
    return subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    tree = tmp_path / "checkout"
    (tree / "dags").mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=feature", cwd=tree)
    (tree / ".gitignore").write_text("/secret\n/build/\n")
    (tree / "dags/a.py").write_text("a = 1\n")
    return tree


@pytest.fixture
def snapshots(checkout: Path, tmp_path: Path) -> Snapshots:
    return Snapshots(checkout, tmp_path / "served.git")


def files(snapshots: Snapshots) -> list[str]:
    return git("ls-tree", "-r", "--name-only", "main", cwd=snapshots.repository).splitlines()


def test_snapshot_holds_uncommitted_edits(snapshots: Snapshots) -> None:
    assert snapshots.take()
    (snapshots.tree / "dags/a.py").write_text("a = 2\n")
    assert snapshots.take()
    assert git("show", "main:dags/a.py", cwd=snapshots.repository) == "a = 2"


def test_snapshot_leaves_out_what_gitignore_names(snapshots: Snapshots) -> None:
    (snapshots.tree / "secret").write_text("hunter2")
    (snapshots.tree / ".git/info").mkdir(exist_ok=True)
    (snapshots.tree / ".git/info/exclude").write_text("/private\n")
    (snapshots.tree / "private").write_text("hunter3")
    snapshots.take()
    assert files(snapshots) == [".gitignore", "dags/a.py"]


def test_snapshot_without_a_change_makes_no_commit(snapshots: Snapshots) -> None:
    first = snapshots.take()
    assert first
    assert snapshots.take() is None
    assert git("rev-parse", "main", cwd=snapshots.repository) == first


def test_commit_that_a_test_put_on_top_stays_until_the_next_edit(snapshots: Snapshots) -> None:
    first = snapshots.take()
    assert first
    assert snapshots.take() is None
    tree = snapshots._git("rev-parse", f"{first}^{{tree}}")
    empty = snapshots._git("hash-object", "-t", "tree", "-w", "/dev/null")
    assert tree != empty
    on_top = snapshots._git("commit-tree", empty, "-p", first, "-m", "On top")
    snapshots._git("update-ref", "refs/heads/main", on_top)
    assert snapshots.take() is None, "a change of an ignored file, such as bytecode, makes no snapshot"
    (snapshots.tree / "edited.txt").write_text("edited")
    assert snapshots.take()


def test_deleted_file_leaves_the_next_snapshot(snapshots: Snapshots) -> None:
    snapshots.take()
    (snapshots.tree / "dags/a.py").unlink()
    snapshots.take()
    assert files(snapshots) == [".gitignore"]


def test_snapshot_does_not_write_to_the_users_repository(snapshots: Snapshots) -> None:
    before = sorted(path for path in (snapshots.tree / ".git").rglob("*"))
    snapshots.take()
    assert sorted(path for path in (snapshots.tree / ".git").rglob("*")) == before


def test_snapshot_goes_on_after_git_was_killed_in_the_middle(snapshots: Snapshots) -> None:
    snapshots.take()
    (snapshots.repository / "index.lock").touch()
    (snapshots.tree / "dags/b.py").write_text("b = 1\n")
    assert snapshots.take()
    assert "dags/b.py" in files(snapshots)


def test_ignored_folders_and_git_are_not_watched(checkout: Path) -> None:
    (checkout / "build").mkdir()
    assert [path.name for path in watched_folders(checkout)] == ["dags"]


def test_taken_port_is_named_with_the_way_to_find_its_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", PORT)):
        done = subprocess.run(
            [sys.executable, "-m", "ci.git_server", "--listen", "127.0.0.1"],
            cwd=ROOT,
            env={**os.environ, "CRONLIFT_STATE": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{PORT}" in done.stderr
    assert f"ss -ltnp 'sport = :{PORT}'" in done.stderr


def test_up_shows_the_last_words_of_a_git_server_that_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = Daemon("git-server", tmp_path, tmp_path / "log")
    ended.log.write_text("The git server cannot listen on 10.0.0.1:9418\n")
    monkeypatch.setattr(up, "GIT_SERVER", ended)
    with pytest.raises(CiError, match="cannot listen on"):
        up.why_silent("127.0.0.1")
