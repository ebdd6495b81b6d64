"""A crontab, read line by line as its daemon reads it.

Every input line becomes one `Line`. What a daemon would throw away, a bad line or (Debian) the whole file, is read all
the same, so that people see what it was meant to do.
"""

from dataclasses import dataclass, field, replace

from cronlift.crontab import advice
from cronlift.crontab.anacrontab import parse_anacrontab
from cronlift.crontab.assignment import parse_assignment
from cronlift.crontab.entry import Entry, Reading, read_entry
from cronlift.crontab.formats import guess_format, known_format, spool_user
from cronlift.crontab.model import Crontab, Flavour, Format, Line, LineKind, Source
from cronlift.crontab.names import is_known_user, looks_like_command
from cronlift.crontab.percent import split_percent
from cronlift.crontab.text import BYTE_ORDER_MARK, printable, split_lines
from cronlift.crontab.whole_file import file_warnings, refusal, unread_reason
from cronlift.errors import CrontabError

_TEMPLATE_COMMANDS = ("command to be executed", "tar -zcf /var/backups/home.tgz /home/")
"""The examples in the comments of Debian's and Red Hat's own crontabs."""


def parse_crontab(
    source: Source,
    flavour: Flavour,
    format: Format | None = None,
    user: str | None = None,
    strict: bool = False,
    users: frozenset[str] | None = None,
) -> Crontab:
    """Read a crontab as its daemon does.

    Args:
        source: The file; its path says the format where it is one of the host's places.
        flavour: The daemon.
        format: Whether there is a column with the user; None to find out from the path, then from the lines: all must
            have it beyond doubt where `user` is given.
        user: Whose tab it is, for a tab without that column; None to take the name of a file of the spool.
        strict: Treat a missing line feed at the end, CRLF and a byte order mark as the daemon does. Otherwise they are
            taken for what an export or an editor did to the file, with a warning.
        users: The host's users; None when they are not known. A job of another user is rejected.

    Returns:
        Every line, with what the daemon makes of it.

    Raises:
        CrontabFileError: The file is too large, is UTF-16 or is no text.
        CrontabError: The file is no crontab by its kind.
    """
    if source.kind == "anacrontab":
        return parse_anacrontab(source, flavour)
    if source.kind == "run-parts":
        raise CrontabError(
            "A script of a run-parts directory is no crontab",
            where=source.path,
            cure="Hand over the directory; its scripts run one after the other.",
        )
    flavour = Flavour(flavour)
    raws, ended = split_lines(source)
    texts = [_text_of(raw, number, strict) for number, raw in enumerate(raws, start=1)]
    chosen = Format(format) if format else known_format(source) or _guessed(texts, flavour, user, users)
    reading = Reading(flavour, chosen, user or spool_user(source.path), users)
    walk = _Walk(source, reading, strict)
    for raw, text in zip(raws, texts, strict=True):
        walk.take(raw, text)
    if not ended:
        walk.lose_last_line()
    warnings = file_warnings(source, flavour, raws, ended, walk.lines)
    if format is None and known_format(source) is None and chosen is Format.SYSTEM:
        warnings += _guess_warning(walk.lines, users)
    return Crontab(
        source,
        flavour,
        chosen,
        tuple(walk.finish()),
        rejected=refusal(reading, walk.lines, ended=ended or not strict),
        warnings=tuple(warnings),
        unread=unread_reason(source, flavour),
    )


def _guessed(texts: list[str], flavour: Flavour, user: str | None, users: frozenset[str] | None) -> Format:
    """Find the format out from the lines; whoever says whose tab it is most likely speaks of one without the column."""
    return guess_format(texts, flavour, users, needs_all=user is not None)


def _text_of(raw: str, number: int, strict: bool) -> str:
    """Return what is read of a line: without what Windows left in it, unless strict."""
    if strict:
        return raw
    if number == 1:
        raw = raw.removeprefix(BYTE_ORDER_MARK)
    return raw.removesuffix("\r")


def _guess_warning(lines: list[Line], users: frozenset[str] | None) -> list[str]:
    jobs = [line for line in lines if line.kind is LineKind.JOB and line.user]
    if not jobs or any(is_known_user(line.user or "", users) for line in jobs):
        return []
    return [
        f"Read with a column for the user, since {jobs[0].user!r} seems to be one; "
        "if it is the command, read the file with --format user."
    ]


@dataclass
class _Walk:
    """What is known at a line from the lines above it."""

    source: Source
    reading: Reading
    strict: bool
    lines: list[Line] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    frozen: tuple[tuple[str, str], ...] = ()
    comments: list[str] = field(default_factory=list)

    def take(self, raw: str, text: str) -> None:
        """Read the next line."""
        line = self._read(Line(self.source.path, len(self.lines) + 1, raw, LineKind.BLANK), text.lstrip(" \t"))
        self.lines.append(line)
        if line.kind is LineKind.COMMENT:
            self.comments.append(line.raw.removesuffix("\r"))
        else:
            self.comments.clear()

    def lose_last_line(self) -> None:
        """Treat the last line as one without a line feed; both daemons mind it when there is something on it."""
        last = self.lines[-1]
        if self.strict and last.kind in (LineKind.JOB, LineKind.SETTING, LineKind.BAD):
            fault = last.error or "the line has no line feed at its end, so the daemon does not read it"
            self.lines[-1] = replace(last, kind=LineKind.BAD, error=fault)

    def finish(self) -> list[Line]:
        """Return the lines, each setting that no job follows with a warning."""
        jobs = (LineKind.JOB, LineKind.BAD, LineKind.DISABLED_JOB)
        last = max((line.number for line in self.lines if line.kind in jobs), default=0)
        return [
            replace(line, warnings=(*line.warnings, advice.unused([line.raw.split("=")[0].strip()])))
            if line.kind is LineKind.SETTING and line.number > last
            else line
            for line in self.lines
        ]

    def _read(self, line: Line, text: str) -> Line:
        if not text:
            return line
        if text.startswith("#"):
            return self._read_comment(line, text)
        assignment = parse_assignment(text, self.reading.flavour)
        if assignment is not None:
            return self._read_setting(line, *assignment)
        return self._read_job(line, read_entry(text, self.reading))

    def _read_setting(self, line: Line, name: str, value: str) -> Line:
        if name:
            self.environment[name] = value
            self.frozen = tuple(self.environment.items())
        found = [
            *advice.setting_advice(name, value, self.reading.flavour),
            *advice.template_advice(printable(line.raw)),
        ]
        return replace(line, kind=LineKind.SETTING, environment=self.frozen, warnings=tuple(found))

    def _read_job(self, line: Line, entry: Entry) -> Line:
        flavour = self.reading.flavour
        command, stdin = split_percent(entry.text or "", flavour)
        placeholders = [] if entry.error else advice.template_advice(printable(line.raw))
        percents = [] if placeholders else advice.percent_advice(entry.text or "", stdin, flavour)
        warnings = [*entry.warnings, *placeholders, *percents]
        if line.raw.endswith("\r") and not self.strict:
            warnings.append(
                "The line ends in CRLF: the daemon hands the carriage return to the shell as part of the command; "
                "here it is left out."
            )
        return replace(
            line,
            kind=LineKind.BAD if entry.error else LineKind.JOB,
            schedule=entry.schedule,
            user=entry.user if self.reading.format is Format.SYSTEM else self.reading.user,
            command=None if entry.text is None else command,
            stdin=stdin,
            environment=self.frozen,
            timezone=self.environment.get("CRON_TZ") if flavour is Flavour.CRONIE else None,
            comments=tuple(self.comments),
            warnings=tuple(warnings),
            error=entry.error,
            daemon_accepts=entry.daemon_accepts,
            mails_failures=entry.mails_failures,
        )

    def _read_comment(self, line: Line, text: str) -> Line:
        """Tell a job that was commented out from a remark."""
        entry = read_disabled(text, self.reading)
        if entry is None:
            return replace(line, kind=LineKind.COMMENT)
        found = self._read_job(line, entry)
        extra: tuple[str, ...] = ()
        if entry.text and entry.text.strip().endswith(_TEMPLATE_COMMANDS):
            extra = ("This is the example of the crontab's template, and was no job of anybody's.",)
        return replace(found, kind=LineKind.DISABLED_JOB, warnings=(*found.warnings, *extra))


def read_disabled(text: str, reading: Reading) -> Entry | None:
    """Read a comment as a job: with the tab's columns, else with those of a user's tab; None for a remark.

    Sentences rarely begin with five time fields, so those decide by themselves when one of them has a `*`. Where all
    five are mere numbers, and after a nickname (`@daily reports are sent`), a command must follow that looks like one.

    Args:
        text: The comment, with its `#`.
        reading: How the lines of the file are read.
    """
    text = text.lstrip("# \t")
    if not text or not (text[0].isdigit() or text[0] in "*@"):
        return None
    for columns in dict.fromkeys((reading.format, Format.USER)):
        entry = read_entry(text, replace(reading, format=columns, users=None))
        if entry.error is None and entry.text and entry.schedule:
            command = entry.text.split()
            sure = "*" in entry.schedule
            if command and (sure or looks_like_command(command[0])):
                return entry
    return None
