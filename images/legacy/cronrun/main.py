"""`cronrun <job id>`: the entrypoint of an imported line's container."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Sequence
from datetime import datetime, timezone

from . import freshness, report
from .environment import SYSTEM_FILES, User, build_environment, tab_environment
from .job import CRONIE, FOLDER, Job, JobError, read_job
from .process import Shell, Sink
from .report import REFUSED, Report

USAGE = "usage: cronrun [--folder DIR] JOB-ID"
USAGE_ERROR = 2
NO_SHELL = {"debian": "{shell}: execle: {cause}\n", "cronie": "execl: couldn't exec `{shell}'\nexecl: {cause}\n"}
"""What the daemons write where the output would be, when there is no such shell."""

SPOOL_FOLDER = "/var/spool/cron"
"""Where Debian's daemon sits, and a job stays when its home is missing."""


def main(arguments: Sequence[str]) -> int:
    """Run a job and return the container's exit code: the job's own, or 125 when it could not be run."""
    folder = FOLDER
    words = list(arguments)
    if words[:1] == ["--folder"] and len(words) > 1:
        folder, words = words[1], words[2:]
    if len(words) != 1 or words[0].startswith("-"):
        print(USAGE, file=sys.stderr)
        return USAGE_ERROR
    log = Log()
    try:
        done = _run(words[0], read_job(folder), log)
    except JobError as error:
        done = Report(words[0], "", "refused", REFUSED, reason=str(error))
    log.line(report.last_line(done))
    report.write_termination_message(done)
    return done.code


class Log:
    """The container's stdout: the job's bytes as they come, and lines of our own between its lines."""

    def __init__(self) -> None:
        self.size = 0
        self._in_line = False

    def write(self, data: bytes) -> None:
        """Copy a piece of the job's output."""
        self.size += len(data)
        self._in_line = not data.endswith(b"\n")
        _write_all(1, data)

    def line(self, text: str) -> None:
        """Write a line of our own; it never hangs on an unfinished one of the job."""
        _write_all(1, (b"\n" if self._in_line else b"") + os.fsencode(text.replace("\n", " ")) + b"\n")
        self._in_line = False


def _run(name: str, job: Job, log: Log) -> Report:
    user = find_user(job)
    if job.shadow:
        return _shadow(name, job, user, log)
    environment = build_environment(job, user, _system_texts(), os.environ)
    planned = freshness.planned_time(job.planned)
    late = freshness.seconds_late(planned, datetime.now(timezone.utc))  # noqa: UP017 - old bases have no datetime.UTC
    if job.late_seconds is not None and late > job.late_seconds:
        why = f"{late:.0f} s after the planned time: the run before it held the lock {job.lock}".rstrip()
        return Report(name, job.line, "skipped", 0, reason=f"{why}, so the old host would not have run it either")
    shell = Shell(
        [os.fsencode(environment["SHELL"]), b"-c", job.command],
        environment,
        _folders(job, environment),
        job.stdin,
        NO_SHELL[job.flavour],
    )
    spool = None
    if job.mail_mode != "off":
        from .mail import Spool

        spool = Spool()
    out, err = _sinks(job, log, spool.add if spool else lambda data: None)
    ending = shell.run(out, err, lambda text: log.line(f"cronrun: {text}"))
    accepted = ending.signal is None and ending.code in job.ok_exit_codes
    code = 0 if accepted else ending.code
    mailed = ""
    if spool is not None:
        from . import mail

        if mail.is_due(job, ending.code, spool.size) and (to := mail.recipient(job, user)):
            shown = tab_environment(job, user) if job.flavour != CRONIE else environment
            shown = {key: value for key, value in shown.items() if key not in job.secrets}
            head = mail.headers(job, user, shown, to, failed=job.mail_mode == "failure")
            mailed = mail.send(head, spool, mail.sendmail_arguments(job, user, to), user)
            mailed = f"sent to {to}" if mailed == "sent" else mailed
    reason = f"exit {ending.code} counts as success" if accepted and ending.code else ""
    return Report(name, job.line, "ran", code, ending, log.size, mailed, reason)


def find_user(job: Job) -> User:
    """Return the login name and home that the job sees.

    Raises:
        JobError: Neither the options nor the image know them.
    """
    try:
        entry = pwd.getpwnam(job.user) if job.user else pwd.getpwuid(os.getuid())
    except KeyError:
        if not job.user:
            raise JobError(
                f"uid {os.getuid()} has no entry in /etc/passwd, and the options name no user. Add it to USERS in the "
                "image's Dockerfile"
            ) from None
        return User(job.user, job.home or "/")
    return User(entry.pw_name, job.home or entry.pw_dir)


def _folders(job: Job, environment: dict[str, str]) -> list[str]:
    """Return where the job may start: its home; where that is missing, what the daemon does.

    Raises:
        JobError: Cronie does not run a job whose home is missing.
    """
    home = environment["HOME"]
    if job.flavour == CRONIE and not os.access(home, os.X_OK):
        raise JobError(f"HOME={home} cannot be entered; cronie does not run such a job. Make the folder in the image")
    return [home, SPOOL_FOLDER, "/"]


def _sinks(job: Job, log: Log, keep: Sink) -> tuple[Sink, Sink | None]:
    """Return where stdout and stderr go; None for stderr when the two are one stream."""
    redirect = job.redirect

    def mailed(data: bytes) -> None:
        log.write(data)
        keep(data)

    if redirect.mode == "keep":
        return mailed, None
    taken = log.write if redirect.mode == "stdout" else _tee(log, redirect.path, append=redirect.append)
    if redirect.streams == "both":
        return taken, None
    return (taken, mailed) if redirect.streams == "stdout" else (mailed, taken)


def _tee(log: Log, path: str, *, append: bool) -> Sink:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC), 0o644)
    except OSError as error:
        raise JobError(f"{path} cannot be written: {error.strerror}. Mount a volume there, or use stdout") from error

    def both(data: bytes) -> None:
        log.write(data)
        _write_all(handle, data)

    return both


def _shadow(name: str, job: Job, user: User, log: Log) -> Report:
    """Say what the job would run with, and what of it is missing."""
    from .shadow import Finding, look

    given = {secret: os.environ.get(secret, "") for secret in job.secrets}
    environment = build_environment(job, user, _system_texts(), given)
    home = environment["HOME"]
    in_home = os.access(home, os.X_OK)
    folder = home if in_home else "/"
    me = pwd.getpwuid(os.getuid()).pw_name if _has_entry(os.getuid()) else str(os.getuid())
    found = [
        Finding(me == user.name, f"user {user.name}" + ("" if me == user.name else f", but the Pod runs as {me}")),
        Finding(in_home, f"home {home}" + ("" if in_home else " cannot be entered. Make it in the image")),
        Finding(True, f"variables {' '.join(sorted(environment))}"),
        Finding(True, f"input of {os.path.getsize(job.stdin) if job.stdin else 0} bytes"),
        *(Finding(secret in os.environ, f"secret {secret}") for secret in job.secrets),
        *look(os.fsdecode(job.command), environment["SHELL"], environment, folder),
    ]
    marks = {True: "ok", False: "MISSING", None: "unknown"}
    log.line(f"cronrun: {name} is in shadow mode: nothing runs")
    for each in found:
        log.line(f"cronrun: {marks[each.well]:<8} {each.text}")
    missing = sum(each.well is False for each in found)
    reason = f"{missing} of {len(found)} things are missing" if missing else f"all of {len(found)} things are there"
    return Report(name, job.line, "shadow", 1 if missing else 0, reason=reason)


def _has_entry(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _system_texts() -> list[str]:
    found = []
    for path in SYSTEM_FILES:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                found.append(file.read())
        except OSError:
            continue
    return found


def _write_all(handle: int, data: bytes) -> None:
    """Write everything; a log that nobody reads any more must not stop the job."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(handle, rest) :]
        except BrokenPipeError:
            return
