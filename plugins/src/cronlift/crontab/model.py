"""What a crontab is made of, line by line.

Every input line becomes one `Line`, whatever is wrong with it, so that nothing that the old server did, or was meant to
do, can get lost on the way.
"""

from dataclasses import dataclass
from enum import StrEnum


class Flavour(StrEnum):
    """The daemon that read the crontab."""

    DEBIAN = "debian"
    """Vixie cron 3.0pl1 with Debian's patches: Debian, Ubuntu."""
    CRONIE = "cronie"
    """Cronie: the RHEL family, Fedora, Arch, SUSE."""


class Format(StrEnum):
    """Whether a crontab has a column with the user."""

    USER = "user"
    """Five time fields, then the command: `crontab -l`, /var/spool/cron."""
    SYSTEM = "system"
    """Five time fields, the user, then the command: /etc/crontab, /etc/cron.d."""


class Verdict(StrEnum):
    """What becomes of an input line. Each line has exactly one."""

    EXACT = "exact"
    EQUIVALENT = "equivalent"
    CHANGED = "changed"
    NEEDS_DECISION = "needs-decision"
    HOST_ONLY = "host-only"
    NEVER_RAN = "never-ran"
    REJECTED = "rejected-by-daemon"
    DISABLED = "disabled"
    BLANK = "blank"
    COMMENT = "comment"
    SETTING = "setting"


class LineKind(StrEnum):
    """What the daemon takes a line for."""

    JOB = "job"
    DISABLED_JOB = "disabled-job"
    """A comment that would be a job without its `#`."""
    SETTING = "setting"
    BLANK = "blank"
    COMMENT = "comment"
    BAD = "bad"
    """The daemon rejects it; `Line.error` says why."""


@dataclass(frozen=True)
class Source:
    """One file that was handed over.

    Args:
        path: As shown to people, for example "etc/cron.d/backup".
        content: Its bytes, as found.
        mode: Permission bits, or None when they are not known.
        owner: Name of the owner, or the number in decimal; None when it is not known.
        kind: "user", "system", "cron.d", "run-parts" or "anacrontab".
    """

    path: str
    content: bytes
    mode: int | None = None
    owner: str | None = None
    kind: str = "user"


@dataclass(frozen=True)
class Line:
    """One input line.

    Args:
        file: The source's path.
        number: From 1.
        raw: The line as found, without its line feed. Bytes that are no UTF-8 are kept as lone surrogates
            (`surrogateescape`), so that the lines joined by line feeds give the input back byte by byte.
        kind: What the daemon takes it for.
        schedule: The text of the time fields as written, for example "*/5 * * * *" or "@daily"; None without one.
        user: Whom the job runs as, where the tab or the caller says so.
        command: What `SHELL -c` gets, after the rule of `%`; None when the line is no job.
        stdin: What the command reads, after the rule of `%`; None when it reads an empty input.
        environment: The tab's variables that the job sees: those above it, the last of a name wins, values literal.
        timezone: The value of CRON_TZ above it, where the daemon honours it.
        comments: The comment lines directly above it, as written.
        warnings: What works, but probably not as meant; a sentence each.
        error: Why the daemon rejects the line, in words; None when it does not.
        daemon_accepts: Whether the daemon takes a bad line all the same: a schedule of Quartz whose sixth field it
            takes for the command, for example. Such a line does not spoil the file.
        mails_failures: Whether the daemon mails the output only when the job fails: cronie's `-n`.
    """

    file: str
    number: int
    raw: str
    kind: LineKind
    schedule: str | None = None
    user: str | None = None
    command: str | None = None
    stdin: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    timezone: str | None = None
    comments: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None
    daemon_accepts: bool = False
    mails_failures: bool = False

    @property
    def where(self) -> str:
        """Return `file:line`, for messages."""
        return f"{self.file}:{self.number}"


@dataclass(frozen=True)
class Crontab:
    """One file, read as a daemon reads it.

    Args:
        source: The file.
        flavour: The daemon.
        format: Whether there is a column with the user.
        lines: Every line of the file, in order.
        rejected: Why the daemon ignores the whole file, in words; None when it does not.
        warnings: What concerns the file as a whole; a sentence each.
        unread: Why the daemon never looks into the file (its name), in words; None when it does.
    """

    source: Source
    flavour: Flavour
    format: Format
    lines: tuple[Line, ...]
    rejected: str | None = None
    warnings: tuple[str, ...] = ()
    unread: str | None = None

    @property
    def jobs(self) -> tuple[Line, ...]:
        """Return the lines that are jobs."""
        return tuple(line for line in self.lines if line.kind is LineKind.JOB)
