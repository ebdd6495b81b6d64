import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import undo
from tests.live.undo import Undoing
from tests.live.waiting import wait_for

VICTIM = """
import sys, time
from tests.live.undo import Undoing
with Undoing(["touch", sys.argv[1]]):
    print("inside", flush=True)
    time.sleep(60)
"""


def test_what_a_block_did_is_undone_in_order_at_its_end(tmp_path: Path) -> None:
    file = tmp_path / "done"
    with Undoing(["sh", "-c", f"echo first >> '{file}'"], ["sh", "-c", f"echo second >> '{file}'"]):
        assert not file.exists()
    assert file.read_text().split() == ["first", "second"]


def test_what_a_block_did_is_undone_when_it_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="in the middle"), Undoing(["touch", str(tmp_path / "done")]):
        raise ValueError("in the middle")
    assert (tmp_path / "done").exists()


def test_what_a_block_did_is_undone_when_its_process_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "done"
    with subprocess.Popen([sys.executable, "-c", VICTIM, str(file)], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout
        assert victim.stdout.readline() == "inside\n"
        assert not file.exists()
        victim.send_signal(signal.SIGKILL)
    wait_for(file.exists, "undoing after the death of its process", 10)


def test_a_command_that_fails_is_tried_again_and_then_the_test_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "ATTEMPTS", 3)
    monkeypatch.setattr(undo, "PAUSE_SECONDS", 0)
    file = tmp_path / "tries"
    with (
        pytest.raises(AssertionError, match="could not be undone"),
        Undoing(["sh", "-c", f"echo try >> '{file}'; false"]),
    ):
        pass
    assert file.read_text().split() == ["try"] * 3
