import io
import re
import threading
from pathlib import Path

import pytest

from ci import stages
from ci.errors import CiError, UserError
from ci.stages import Stage, exit_with_words, wait_until


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show_on(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stages write to the stream, often. Not a fixture: pytest sets sys.stderr anew before each test's body."""
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(stages, "FRAME_SECONDS", 0.01)
    monkeypatch.setattr(stages, "QUIET_REPORT_SECONDS", 0.01)


def until(condition: threading.Event, stream: io.StringIO, pattern: str) -> None:
    """Wait, without a fixed pause, until the stream matches."""
    for _ in range(1000):
        if re.search(pattern, stream.getvalue()):
            return
        condition.wait(0.01)
    raise AssertionError(f"{pattern!r} never appeared in {stream.getvalue()!r}")


def test_stage_ends_with_a_tick_its_note_and_its_time(capsys: pytest.CaptureFixture) -> None:
    with Stage("Build it") as stage:
        stage.note = "cached"
    assert re.fullmatch(r"✓ Build it \(cached\) \d+\.\d s\n", capsys.readouterr().err)


def test_failed_stage_ends_with_a_cross_and_raises_on(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(ValueError, match="broken"), Stage("Build it"):
        raise ValueError("broken")
    assert re.fullmatch(r"✗ Build it \d+\.\d s\n", capsys.readouterr().err)


def test_terminal_shows_a_bar_and_what_happens_now(monkeypatch: pytest.MonkeyPatch) -> None:
    show_on(terminal := Terminal(), monkeypatch)
    with Stage("Build it", expected_seconds=100) as stage:
        stage.say("package 7")
        until(threading.Event(), terminal, r"Build it 0 s \[ +\] of about 100 s package 7")
    assert terminal.getvalue().endswith(" s\n")
    assert "\033[32m✓\033[0m Build it" in terminal.getvalue()


def test_terminal_shows_the_last_line_of_the_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    show_on(terminal := Terminal(), monkeypatch)
    log = tmp_path / "build.log"
    log.write_text("compiling a\ncompiling b\n\n")
    with Stage("Build it", log=log):
        until(threading.Event(), terminal, "compiling b")
    assert "compiling a" not in terminal.getvalue()


def test_without_a_terminal_a_long_stage_reports_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    show_on(stream := io.StringIO(), monkeypatch)
    with Stage("Build it"):
        until(threading.Event(), stream, "… Build it 0 s")
    assert all(line.startswith(("… Build it", "✓ Build it")) for line in stream.getvalue().splitlines())
    assert "\r" not in stream.getvalue()
    assert "\033" not in stream.getvalue()


def test_wait_until_returns_when_nothing_is_missing() -> None:
    answers = iter(["the node", "the pods", None])
    with Stage("Start") as stage:
        wait_until(stage, lambda: next(answers), timeout_seconds=60, pause_seconds=0)
    assert next(answers, "exhausted") == "exhausted"


def test_wait_until_names_what_was_missing_when_it_gives_up() -> None:
    with pytest.raises(CiError, match="Start: not done after 0 s; still waiting for the node"), Stage("Start") as stage:
        wait_until(stage, lambda: "the node", timeout_seconds=0, pause_seconds=0)


def test_error_of_a_step_is_words_and_exit_code_1(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended, exit_with_words():
        raise UserError("Port 30080 is in use", cure="Stop the other program.")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "\n✗ Port 30080 is in use\nStop the other program.\n"


def test_interrupt_says_how_to_go_on(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended, exit_with_words():
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert "Run the same command again" in capsys.readouterr().err


def test_a_programming_error_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_with_words():
        print(1 // 0)
