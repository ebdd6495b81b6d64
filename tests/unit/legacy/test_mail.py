"""When a mail goes out, to whom, and what it says."""

import os
from pathlib import Path

import pytest

from images.legacy.cronrun import mail
from images.legacy.cronrun.environment import User, tab_environment
from images.legacy.cronrun.job import Job
from images.legacy.cronrun.mail import Spool

USER = User("www", "/var/www")


@pytest.mark.parametrize(
    ("mode", "code", "size", "due"),
    [
        ("output", 0, 1, True),
        ("output", 1, 0, False),
        ("output", 1, 1, True),
        ("failure", 0, 1, False),
        ("failure", 1, 0, True),
        ("failure", 3, 1, False),
        ("off", 1, 1, False),
    ],
)
def test_mail_is_due(mode: str, code: int, size: int, due: bool) -> None:
    assert mail.is_due(Job(b"", mail_mode=mode, ok_exit_codes=(0, 3)), code, size) is due


@pytest.mark.parametrize(
    ("tab", "to", "expected"),
    [
        ({}, "", "www"),
        ({"MAILTO": "ops@example.org"}, "", "ops@example.org"),
        ({"MAILTO": ""}, "", ""),
        ({"MAILTO": "ops@example.org"}, "new@example.org", "new@example.org"),
        ({"MAILTO": "a@x.org,b@x.org"}, "", "a@x.org,b@x.org"),
        ({"MAILTO": "x; rm -rf /"}, "", ""),
        ({"MAILTO": "-oQ/tmp"}, "", ""),
    ],
)
def test_recipient_is_what_the_daemon_would_take(tab: dict[str, str], to: str, expected: str) -> None:
    assert mail.recipient(Job(b"", environment=tab, mail_to=to), USER) == expected


def test_headers_are_debians(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "old.example.org")
    job = Job(b"run --all", environment={"MAILTO": "ops"})
    assert mail.headers(job, USER, tab_environment(job, USER), "ops").decode().splitlines() == [
        "From: root (Cron Daemon)",
        "To: ops",
        "Subject: Cron <www@old> run --all",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=UTF-8",
        "Content-Transfer-Encoding: 8bit",
        "X-Cron-Env: <MAILTO=ops>",
        "X-Cron-Env: <SHELL=/bin/sh>",
        "X-Cron-Env: <HOME=/var/www>",
        "X-Cron-Env: <PATH=/usr/bin:/bin>",
        "X-Cron-Env: <LOGNAME=www>",
        "",
    ]


def test_headers_are_cronies() -> None:
    job = Job(b"x", flavour="cronie", environment={"MAILFROM": "cron@example.org"})
    head = mail.headers(job, USER, {}, "ops").decode()
    assert 'From: "(Cron Daemon)" <cron@example.org>\n' in head
    assert "Auto-Submitted: auto-generated\nPrecedence: bulk\n" in head


def test_no_value_can_add_a_header() -> None:
    job = Job(b"a\nBcc: all", environment={"CONTENT_TYPE": "text/plain\nBcc: all"})
    head = mail.headers(job, USER, tab_environment(job, USER), "ops").decode()
    assert not [line for line in head.splitlines() if line.startswith("Bcc")]


def test_spool_keeps_the_first_part_and_counts_all(tmp_path: Path) -> None:
    spool = Spool(10, (str(tmp_path / "none"), str(tmp_path)))
    spool.add(b"12345678")
    spool.add(b"abcdefgh")
    handle = spool.rewind()
    assert handle is not None
    assert os.read(handle, 100) == b"12345678ab"
    assert (spool.size, spool.kept) == (16, 10)
    assert list(tmp_path.iterdir()) == []


def test_spool_without_a_writable_folder_only_counts(tmp_path: Path) -> None:
    spool = Spool(10, (str(tmp_path / "none"),))
    spool.add(b"12345678")
    assert (spool.size, spool.kept, spool.rewind()) == (8, 0, None)


def sendmail(folder: Path, script: str) -> str:
    program = folder / "sendmail"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_mail_reaches_sendmail_with_the_daemons_arguments(tmp_path: Path) -> None:
    program = sendmail(tmp_path, f'printf "%s|" "$@" > {tmp_path}/words; cat > {tmp_path}/text')
    spool = Spool(5, (str(tmp_path),))
    spool.add(b"hello world\n")
    assert mail.send(b"To: a\n\n", spool, mail.sendmail_arguments(Job(b""), USER, "a,b"), USER, program) == "sent"
    assert (tmp_path / "words").read_text() == "-FCronDaemon|-i|-B8BITMIME|-oem|a|b|"
    assert (tmp_path / "text").read_text() == "To: a\n\nhello\n[7 more bytes are in the task's log]\n"


def test_failing_sendmail_is_named_with_its_words(tmp_path: Path) -> None:
    program = sendmail(tmp_path, "echo relay refused; exit 75")
    assert mail.send(b"\n", Spool(), ["a"], USER, program) == f"failed: {program} exited 75: relay refused"
    assert mail.send(b"\n", Spool(), ["a"], USER, f"{program}.none").startswith(f"failed: {program}.none: No such file")
