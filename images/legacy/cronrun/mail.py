"""The mail that the old daemon sent about a job's output."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping

from .environment import User
from .job import CRONIE, Job

SENDMAIL = "/usr/sbin/sendmail"
KEPT_BYTES = 10 * 2**20
"""Of a job's output; mail servers refuse much more."""

SEND_SECONDS = 60
SPOOL_FOLDERS = ("/tmp", "/dev/shm")
_SAFE = frozenset("@!:%-.,_+")


class Spool:
    """Keeps the first part of an output in a file without a name, never in memory.

    Args:
        limit: Bytes to keep.
        folders: Where to try, in order.
    """

    def __init__(self, limit: int = KEPT_BYTES, folders: tuple[str, ...] = SPOOL_FOLDERS) -> None:
        self.size = 0
        self._room = limit
        self._folders = folders
        self._handle = -1

    def add(self, data: bytes) -> None:
        """Count all of it, and keep what there is room for."""
        self.size += len(data)
        if self._room > 0 and (self._handle >= 0 or self._open()):
            kept = memoryview(data)[: self._room]
            self._room -= len(kept)
            while kept:
                try:
                    kept = kept[os.write(self._handle, kept) :]
                except OSError:  # the disk is full: the mail ends here
                    self._room = 0
                    return

    def rewind(self) -> int | None:
        """Return a file to read what was kept from; None when nothing was."""
        if self._handle < 0:
            return None
        os.lseek(self._handle, 0, os.SEEK_SET)
        return self._handle

    @property
    def kept(self) -> int:
        """Return how many bytes were kept."""
        return os.fstat(self._handle).st_size if self._handle >= 0 else 0

    def _open(self) -> bool:
        for folder in self._folders:
            path = f"{folder}/.cronrun-{os.getpid()}"
            try:
                self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                os.unlink(path)
            except OSError:
                continue
            return True
        self._room = 0
        return False


def is_due(job: Job, code: int, size: int) -> bool:
    """Say whether a mail goes out: under cron iff there was output; by `failure`, iff the job failed."""
    if job.mail_mode == "output":
        return size > 0
    return job.mail_mode == "failure" and code not in {0, *job.ok_exit_codes}


def recipient(job: Job, user: User) -> str:
    """Return whom to mail to: the options, else the tab's MAILTO, else the user; empty for nobody.

    Source:
        do_command.c of both daemons: an empty MAILTO means no mail, and so does one with unusual characters.
    """
    found = job.mail_to or job.environment.get("MAILTO", user.name)
    return found if _is_safe(found) else ""


def headers(job: Job, user: User, tab: Mapping[str, str], to: str, *, failed: bool = False) -> bytes:
    """Return the head of the mail, with its empty line.

    Args:
        job: The line.
        user: Whom it runs as.
        tab: The variables to list; none of them may be a secret.
        to: The recipients.
        failed: Whether to say so in the subject, for mails that are sent for that reason.
    """
    cronie = job.flavour == CRONIE
    sender = _sender(job)
    shown = f'"(Cron Daemon)" <{sender or user.name}>' if cronie else sender or "root (Cron Daemon)"
    host = socket.gethostname().partition(".")[0]
    command = os.fsdecode(job.command).replace("\n", " ")
    lines = [
        f"From: {shown}",
        f"To: {to}",
        f"Subject: Cron <{user.name}@{host}> {command}{' (failed)' if failed else ''}",
        "MIME-Version: 1.0",
        f"Content-Type: {_one_line(tab.get('CONTENT_TYPE', 'text/plain; charset=UTF-8'))}",
        f"Content-Transfer-Encoding: {_one_line(tab.get('CONTENT_TRANSFER_ENCODING', '8bit'))}",
    ]
    lines += ["Auto-Submitted: auto-generated", "Precedence: bulk"] if cronie else []
    lines += [f"X-Cron-Env: <{name}={_one_line(value)}>" for name, value in tab.items()]
    return os.fsencode("\n".join(lines) + "\n\n")


def sendmail_arguments(job: Job, user: User, to: str) -> list[str]:
    """Return the words that the daemon gives to sendmail; cronie lets it read the recipients from the mail."""
    if job.flavour == CRONIE:
        return ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", _sender(job) or user.name]
    return ["-FCronDaemon", "-i", "-B8BITMIME", "-oem", *_addresses(to)]


def send(head: bytes, spool: Spool, arguments: list[str], user: User, sendmail: str = SENDMAIL) -> str:
    """Hand the mail to the system's sendmail.

    Args:
        head: See `headers`.
        spool: The job's output.
        arguments: See `sendmail_arguments`.
        user: Whose settings sendmail may read.
        sendmail: The program.

    Returns:
        What became of it: "sent", or "failed" and the cause.
    """
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": user.home, "LOGNAME": user.name}
    text = _letter(head, spool)
    if text is None:
        return f"failed: no room for it in {' or '.join(SPOOL_FOLDERS)}; mount an emptyDir at /tmp"
    try:
        done = subprocess.run(
            [sendmail, *arguments], stdin=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
            timeout=SEND_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"failed: {sendmail} did not end in {SEND_SECONDS} s"
    except OSError as error:
        return f"failed: {sendmail}: {error.strerror}"
    if done.returncode:
        return f"failed: {sendmail} exited {done.returncode}: {done.stdout.decode(errors='replace').strip()[-300:]}"
    return "sent"


def _letter(head: bytes, spool: Spool) -> int | None:
    """Return a file with the whole mail, to be read from its start; None where there is no room for one."""
    letter = Spool(2 * KEPT_BYTES)
    letter.add(head)
    body = spool.rewind()
    while body is not None and (data := os.read(body, 65536)):
        letter.add(data)
    if missing := spool.size - spool.kept:
        letter.add(f"\n[{missing} more bytes are in the task's log]\n".encode())
    return letter.rewind()


def _sender(job: Job) -> str:
    found = job.environment.get("MAILFROM", "")
    return found if found and _is_safe(found) else ""


def _addresses(to: str) -> list[str]:
    return [each for each in to.split(",") if each]


def _is_safe(text: str) -> bool:
    """Say whether the daemons would take this for an address (their `safe_p`)."""
    return all(each.isascii() and (each.isalnum() or (index > 0 and each in _SAFE)) for index, each in enumerate(text))


def _one_line(text: str) -> str:
    return text.replace("\n", " ")
