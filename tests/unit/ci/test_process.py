import shutil
import time
from pathlib import Path

import pytest

from ci.errors import CommandError, UserError
from ci.process import run


def test_run_returns_what_the_program_printed() -> None:
    assert run("cat", stdin="Grüße") == "Grüße"


def test_run_without_stdin_gives_an_empty_one() -> None:
    assert run("cat", timeout_seconds=10) == ""


def test_run_adds_variables_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    assert run("sh", "-c", "echo $KEPT$ADDED", env={"ADDED": "2"}) == "12\n"


def test_run_works_in_the_given_folder(tmp_path: Path) -> None:
    assert Path(run("pwd", "-P", cwd=tmp_path).strip()) == tmp_path.resolve()


def test_failed_command_is_shown_pasteable_with_its_output() -> None:
    with pytest.raises(CommandError) as error:
        run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert error.value.code == 3
    assert "  sh -c 'echo out; echo err >&2; exit 3'\n" in str(error.value)
    assert "  out\n  err" in str(error.value)


def test_long_output_is_cut_to_its_end() -> None:
    with pytest.raises(CommandError) as error:
        run("sh", "-c", "seq 1000; exit 1")
    assert "  1000" in str(error.value)
    assert "\n  900\n" not in str(error.value)
    assert "\n900\n" in error.value.output


def test_log_is_appended_to_and_only_this_commands_part_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "build.log"
    assert run("echo", "first", log=log) == ""
    with pytest.raises(CommandError) as error:
        run("sh", "-c", "echo second >&2; exit 1", log=log)
    assert log.read_text() == "first\nsecond\n"
    assert error.value.output == "second\n"
    assert f"Whole log: {log}" in str(error.value)


def test_absent_program_is_a_command_error() -> None:
    with pytest.raises(CommandError, match="no-such-program") as error:
        run("no-such-program")
    assert error.value.code == 127


@pytest.mark.parametrize("logged", [False, True], ids=["captured", "logged"])
def test_timeout_is_a_failure_that_shows_what_was_printed_so_far(tmp_path: Path, logged: bool) -> None:
    started = time.monotonic()
    with pytest.raises(CommandError, match=r"(?s)begun.*Not finished after 0.5 s") as error:
        run("sh", "-c", "echo begun; exec sleep 60", timeout_seconds=0.5, log=tmp_path / "log" if logged else None)
    assert error.value.code == 124
    assert time.monotonic() - started < 30


def test_program_that_may_not_be_run_is_a_command_error(tmp_path: Path) -> None:
    script = tmp_path / "script"
    shutil.copy(__file__, script)
    script.chmod(0o644)
    with pytest.raises(CommandError, match="Permission denied") as error:
        run(script)
    assert error.value.code == 126


def test_user_error_lists_every_fault_and_ends_with_the_cure() -> None:
    error = UserError("It cannot start", ["a: wrong", "b: wrong"], cure="Correct both.")
    assert str(error) == "It cannot start:\n  a: wrong\n  b: wrong\nCorrect both."
    assert str(UserError("It cannot start", cure="Wait.")) == "It cannot start\nWait."
