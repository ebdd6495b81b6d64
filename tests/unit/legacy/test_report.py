"""The last line and the termination message."""

import json
from pathlib import Path

import pytest

from images.legacy.cronrun.report import Ending, Report, last_line, termination_message, write_termination_message


@pytest.mark.parametrize(
    ("ending", "code"), [(Ending(3, None, 1.0, 0), 3), (Ending(None, 15, 1.0, 0), 143)], ids=["exit", "signal"]
)
def test_code_is_that_of_a_shell(ending: Ending, code: int) -> None:
    assert ending.code == code


def test_last_line_names_everything() -> None:
    report = Report("demo__x", "etc/crontab:12", "ran", 137, Ending(None, 9, 3.214, 41 * 2**20), 10, "sent to ops")
    assert last_line(report) == (
        "cronrun: demo__x (etc/crontab:12) ran: exit none, signal SIGKILL, 3.21 s, max RSS 41.0 MiB, mail sent to ops"
    )
    assert json.loads(termination_message(report)) == {
        "job": "demo__x",
        "line": "etc/crontab:12",
        "outcome": "ran",
        "code": 137,
        "exit": None,
        "signal": "SIGKILL",
        "seconds": 3.214,
        "max_rss_bytes": 41 * 2**20,
        "output_bytes": 10,
        "mail": "sent to ops",
    }


def test_last_line_of_what_did_not_run_is_the_reason() -> None:
    assert last_line(Report("x", "", "refused", 125, reason="no command")) == "cronrun: x refused: no command"


@pytest.mark.parametrize("letter", ["x", "é", "\n"])
def test_termination_message_stays_below_what_kubernetes_keeps(letter: str) -> None:
    report = Report("x", letter * 9000, "refused", 125, reason=letter * 90000)
    message = termination_message(report)
    assert len(message) < 4096
    assert json.loads(message)["outcome"] == "refused"


def test_termination_message_replaces_what_the_file_held(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old " * 1000)
    write_termination_message(Report("x", "", "ran", 0), str(path))
    assert json.loads(path.read_text())["job"] == "x"
    write_termination_message(Report("x", "", "ran", 0), str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
