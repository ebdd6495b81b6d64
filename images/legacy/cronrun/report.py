"""The last line of a job's log, and the same as the container's termination message."""

from __future__ import annotations

import json
import os
import signal
from typing import Any, NamedTuple

TERMINATION_LOG = "/dev/termination-log"
LIMIT_BYTES = 4000
"""Kubernetes keeps 4096 bytes of a termination message."""

REFUSED = 125
"""Exit code when it is cronrun that fails, and not the job; as env and docker do."""


class Ending(NamedTuple):
    """How the job's shell ended.

    Args:
        exit: Its exit code; None when a signal ended it.
        signal: The signal's number; None when it exited.
        seconds: From its start to its end.
        max_rss_bytes: The largest of its processes.
    """

    exit: int | None
    signal: int | None
    seconds: float
    max_rss_bytes: int

    @property
    def code(self) -> int:
        """Return the exit code as shells give it: 128 and the signal's number for a signal."""
        return 128 + self.signal if self.signal is not None else int(self.exit or 0)


class Report(NamedTuple):
    """What became of a run.

    Args:
        job: The job's id.
        line: `file:line` of the old crontab.
        outcome: "ran", "skipped", "shadow" or "refused".
        code: The exit code of the container.
        ending: How the shell ended; None when it did not run.
        output_bytes: What the job wrote.
        mail: What became of the mail.
        reason: Why it was skipped or refused, or what counts otherwise than it looks.
    """

    job: str
    line: str
    outcome: str
    code: int
    ending: Ending | None = None
    output_bytes: int = 0
    mail: str = ""
    reason: str = ""


def last_line(report: Report) -> str:
    """Return the report as one line of text."""
    name = f"{report.job} ({report.line})" if report.line else report.job
    if report.ending is None:
        return f"cronrun: {name} {report.outcome}: {report.reason}"
    end = report.ending
    words = [
        f"exit {'none' if end.exit is None else end.exit}",
        f"signal {'none' if end.signal is None else signal_name(end.signal)}",
        f"{end.seconds:.2f} s",
        f"max RSS {end.max_rss_bytes / 2**20:.1f} MiB",
    ]
    words += [f"mail {report.mail}"] if report.mail else []
    words += [report.reason] if report.reason else []
    return f"cronrun: {name} {report.outcome}: {', '.join(words)}"


def termination_message(report: Report) -> bytes:
    """Return the report as JSON that fits into a termination message."""
    found: dict[str, Any] = {"job": report.job, "line": report.line, "outcome": report.outcome, "code": report.code}
    if report.ending is not None:
        end = report.ending
        found |= {
            "exit": end.exit,
            "signal": None if end.signal is None else signal_name(end.signal),
            "seconds": round(end.seconds, 3),
            "max_rss_bytes": end.max_rss_bytes,
            "output_bytes": report.output_bytes,
        }
    found |= {key: value for key, value in (("mail", report.mail), ("reason", report.reason)) if value}
    longest = LIMIT_BYTES
    while len(text := json.dumps(found).encode()) > LIMIT_BYTES:
        longest //= 2
        found = {key: value[:longest] if isinstance(value, str) else value for key, value in found.items()}
    return text


def write_termination_message(report: Report, path: str = TERMINATION_LOG) -> None:
    """Write it where Kubernetes reads it; outside of a Pod there is no such file, and nothing to do."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_TRUNC)
    except OSError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write(termination_message(report))


def signal_name(number: int) -> str:
    """Return a signal's name, or its number where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
