"""The whole program: what a job sees, what its log says, and the exit code."""

import getpass
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.legacy.cronrun_folder import LEGACY, START, cronrun, words, write_job

ME = {"user": getpass.getuser()}
OF_GLIBC = 0b11 << (32 - 1)
"""Signals 32 and 33, which glibc keeps for itself: they stay as they were inherited, and no program notices."""


def test_job_sees_the_daemons_world_and_nothing_of_the_container(tmp_path: Path) -> None:
    folder = write_job(
        tmp_path / "job",
        "env; pwd; umask; cat",
        environment={"HOME": str(tmp_path), "TEAM": "x y"},
        options=ME,
        stdin="one\ntwo\n",
    )
    ran = cronrun(folder, {**os.environ, "LEAK": "1"})
    assert ran.code == 0
    assert not [line for line in ran.lines if line.startswith("LEAK")]
    assert {f"HOME={tmp_path}", "TEAM=x y", "PATH=/usr/bin:/bin", f"LOGNAME={ME['user']}"} <= set(ran.lines)
    assert ran.lines[-5:-1] == [str(tmp_path), "0022", "one", "two"]


def test_stdin_is_empty_without_a_file(tmp_path: Path) -> None:
    assert cronrun(write_job(tmp_path, "cat; tty", options=ME)).lines[0] == "not a tty"


def test_shell_leads_a_session_with_default_signals_and_three_handles(tmp_path: Path) -> None:
    script = "read -r pid _ _ _ group session _ < /proc/self/stat; echo $((pid == group)) $((pid == session))"
    ran = cronrun(write_job(tmp_path, f"{script}; grep SigIgn /proc/self/status; ls /proc/$$/fd"))
    assert ran.lines[0] == "1 1"
    assert int(ran.lines[1].split()[1], 16) & ~OF_GLIBC == 0
    assert ran.lines[2:-1] == ["0", "1", "2"]


def test_both_streams_keep_their_order(tmp_path: Path) -> None:
    script = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done"
    expected = [f"{stream}{number}" for number in range(200) for stream in "oe"]
    assert cronrun(write_job(tmp_path, script)).lines[:-1] == expected


@pytest.mark.parametrize(
    ("command", "options", "code", "says"),
    [
        ("exit 3", {}, 3, "exit 3, signal none"),
        ("exit 3", {"ok_exit_codes": [3]}, 0, "exit 3 counts as success"),
        ("kill -TERM $$", {}, 143, "exit none, signal SIGTERM"),
        ("printf x", {}, 0, "exit 0"),
    ],
    ids=["exit code", "accepted exit code", "signal", "no line feed at the end"],
)
def test_exit_code_and_last_line(tmp_path: Path, command: str, options: dict, code: int, says: str) -> None:
    ran = cronrun(write_job(tmp_path, command, options=options, line="etc/crontab:12"))
    assert ran.code == code
    assert ran.last.startswith("cronrun: demo__job (etc/crontab:12) ran: ")
    assert says in ran.last


def test_missing_shell_is_said_as_the_daemon_says_it(tmp_path: Path) -> None:
    ran = cronrun(write_job(tmp_path, "true", environment={"SHELL": "/bin/nosuch"}))
    assert (ran.code, ran.lines[0]) == (1, "/bin/nosuch: execle: No such file or directory")


def test_command_reaches_the_shell_byte_by_byte(tmp_path: Path) -> None:
    command = b"printf '%s' '\xff$(A) $$ {{ x }} ${#a[@]}' | od -An -tx1"
    ran = cronrun(write_job(tmp_path, command))
    wanted = b"\xff$(A) $$ {{ x }} ${#a[@]}".hex()
    assert "".join("".join(ran.lines[:-1]).split()) == wanted


def test_signal_reaches_the_whole_session(tmp_path: Path) -> None:
    inner = "(trap 'echo child got it; exit' TERM; echo up; sleep 60 & wait) & wait"
    folder = write_job(tmp_path, f"trap 'echo parent got it; wait; exit 7' TERM; {inner}")
    with subprocess.Popen(words(folder), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert process.returncode == 7
    assert "parent got it" in rest
    assert "child got it" in rest


def test_background_process_that_holds_the_output_is_waited_for(tmp_path: Path) -> None:
    ran = cronrun(write_job(tmp_path, "(sleep 2.5; echo late) & echo early"))
    assert ran.lines[0] == "early"
    assert "the shell has ended; waiting for what still holds its output: " in ran.lines[1]
    assert ran.lines[2] == "late"


def test_background_process_that_is_left_behind_is_named(tmp_path: Path) -> None:
    ran = cronrun(write_job(tmp_path, "sleep 5 > /dev/null 2>&1 & echo $!"))
    assert ran.lines[1].startswith("cronrun: left in the background, ends with the Pod: ")
    os.kill(int(ran.lines[0]), signal.SIGTERM)


@pytest.mark.parametrize(
    ("planned", "outcome"), [("scheduled", "skipped"), ("manual", "ran")], ids=["by the schedule", "by hand"]
)
def test_late_start_under_a_lock_is_skipped(tmp_path: Path, planned: str, outcome: str) -> None:
    at = (datetime.now(UTC) - timedelta(seconds=90)).isoformat()
    ran = cronrun(write_job(tmp_path, "echo did run", options={"lock": {"path": "/l"}}, run_id=f"{planned}__{at}"))
    assert ran.code == 0
    assert f" {outcome}: " in ran.last
    assert ("did run" in ran.lines) == (outcome == "ran")


def test_start_in_time_under_a_lock_runs(tmp_path: Path) -> None:
    at = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    assert (
        "did run"
        in cronrun(write_job(tmp_path, "echo did run", options={"lock": {"late_seconds": 60}}, scheduled=at)).lines
    )


def test_shadow_mode_runs_nothing_and_fails_when_something_is_missing(tmp_path: Path) -> None:
    touch = f"touch {tmp_path}/ran"
    well = cronrun(write_job(tmp_path / "a", touch, options={"shadow": True, **ME}))
    assert (well.code, "all of " in well.last) == (0, True)
    ill = cronrun(write_job(tmp_path / "b", f"{touch}; /opt/none/run.sh", options={"shadow": True, **ME}))
    assert ill.code == 1
    bare = cronrun(write_job(tmp_path / "c", "true", options={"shadow": True, "secrets": ["PASSWORD"], **ME}))
    assert (bare.code, "cronrun: MISSING  secret PASSWORD" in bare.lines) == (1, True)
    assert any("MISSING  program /opt/none/run.sh" in line for line in ill.lines)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("streams", "kept"), [("both", ["o", "e"]), ("stdout", ["o"]), ("stderr", ["e"])])
def test_tee_writes_the_redirected_streams_to_the_file_and_all_to_the_log(
    tmp_path: Path, streams: str, kept: list[str]
) -> None:
    file = tmp_path / "log"
    file.write_text("old\n")
    redirect = {"mode": "tee", "streams": streams, "path": str(file)}
    ran = cronrun(write_job(tmp_path / "job", "echo o; echo e >&2", options={"redirect": redirect}))
    assert sorted(ran.lines[:-1]) == ["e", "o"]
    assert file.read_text().split() == ["old", *kept]


def test_cronie_refuses_a_missing_home_and_debian_stays(tmp_path: Path) -> None:
    gone = {"HOME": str(tmp_path / "gone")}
    ran = cronrun(write_job(tmp_path / "a", "pwd", environment=gone, options={"flavour": "cronie"}))
    assert ran.code == 125
    assert "cronie does not run such a job" in ran.last
    ran = cronrun(write_job(tmp_path / "b", "pwd", environment=gone))
    assert ran.lines[0] in {"/", "/var/spool/cron"}


def test_usage_and_refusals_have_codes_of_their_own(tmp_path: Path) -> None:
    done = subprocess.run([*words(tmp_path), "more"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: cronrun [--folder DIR] JOB-ID\n")
    assert cronrun(tmp_path / "none").code == 125


def test_large_output_is_not_held_in_memory(tmp_path: Path) -> None:
    script = "head -c 30000000 /dev/zero"
    folder = write_job(tmp_path, script, options={"mail": {"mode": "failure"}})
    size = peak = 0
    with subprocess.Popen(words(folder), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while data := process.stdout.read(1 << 20):
            size += len(data)
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
    assert process.returncode == 0
    assert size > 30_000_000
    assert 0 < peak < 40_000


def test_start_imports_only_what_every_job_needs(tmp_path: Path) -> None:
    look = START.replace("sys.exit(main(sys.argv[1:]))", "main(sys.argv[1:]); print(*sys.modules)")
    command = [*words(write_job(tmp_path, "true"))]
    command[3] = look
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert LEGACY.exists()
    assert not {"subprocess", "shlex", "socket", "tempfile", "dataclasses"} & set(loaded)
