"""One job line, taken apart as the daemon takes it apart."""

import re
from dataclasses import dataclass, replace

from cronlift.crontab.dialects import NICKNAMES, dialect_of, looks_like_time, placeholder_fault
from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.model import Flavour, Format
from cronlift.crontab.names import can_be_user, looks_like_command
from cronlift.crontab.text import byte_length, printable
from cronlift.errors import ScheduleError

COMMAND_LIMITS_BYTES = {Flavour.DEBIAN: 998, Flavour.CRONIE: 131_070}
"""Debian refuses what fills its 1000 bytes; cronie cuts at 131,071 without a word."""

_BLANKS = " \t"
_FIELDS = re.compile(r"(?:[^ \t]+[ \t]+){4}[^ \t]+")


@dataclass(frozen=True)
class Entry:
    """What could be read of a job line.

    Args:
        schedule: The time fields, one space between them; None when there are none.
        user: The column with the user; None without one.
        text: The command before the rule of `%`; None when the line ends before it.
        error: Why the daemon rejects the line; None when it does not.
        warnings: What works, but probably not as meant.
        daemon_accepts: Whether the daemon takes the line in spite of `error`, with a command that cannot exist.
        mails_failures: Whether cronie's `-n` stands before the command: mail goes out only when the job fails.
    """

    schedule: str | None = None
    user: str | None = None
    text: str | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    daemon_accepts: bool = False
    mails_failures: bool = False


@dataclass(frozen=True)
class Reading:
    """How lines are read: the same for a whole file.

    Args:
        flavour: The daemon.
        format: Whether there is a column with the user.
        user: Whose tab it is, for a tab without that column; None when it is not known.
        users: The host's users; None when they are not known.
    """

    flavour: Flavour
    format: Format
    user: str | None = None
    users: frozenset[str] | None = None


def read_entry(text: str, reading: Reading) -> Entry:
    """Take a job line apart.

    Args:
        text: The line from its first character that is no blank.
        reading: How.

    Returns:
        What could be read, with `error` when the daemon would reject the line.

    Source: `load_entry` in entry.c of cron 3.0pl1-162 (Debian) and of cronie 1.7.2.
    """
    undashed, entry = _read_dash(text, reading)
    schedule, rest = split_schedule(undashed)
    fault, advice = _check_schedule(undashed, schedule, reading)
    entry = replace(entry, schedule=schedule, error=entry.error or fault, warnings=entry.warnings + advice)
    if rest is None:
        return replace(entry, error=entry.error or "the command is missing after the time fields")
    if reading.format is Format.SYSTEM:
        return _read_user(entry, text, rest, reading)
    if rest.startswith("*"):
        fault = dialect_of(text) or "a sixth time field stands where the command should be; cron has five"
        return replace(entry, error=entry.error or fault, text=rest)
    if entry.error is None and (dialect := _dialect_in_command(text, rest)):
        return replace(entry, error=dialect, text=rest, daemon_accepts=True)
    return _read_command(entry, rest, reading)


def _dialect_in_command(text: str, rest: str) -> str | None:
    """Name the dialect of a line whose sixth time field the daemon takes for the command."""
    word = re.split(r"[ \t]", rest, maxsplit=1)[0]
    if text.startswith("@") or not re.fullmatch(r"[0-9*?/,-]+", word):
        return None
    dialect = dialect_of(text)
    return f"{dialect}. The daemon takes {word!r} for the command, which there is not" if dialect else None


def _read_dash(text: str, reading: Reading) -> tuple[str, Entry]:
    """Read cronie's `-` in front of the minute, which keeps the job out of cron's log."""
    if not text.startswith("-") or reading.flavour is Flavour.DEBIAN:
        return text, Entry()
    if reading.format is Format.USER and reading.user not in (None, "root"):
        return text[1:], Entry(error="a `-` before the minute is for root alone; remove it")
    return text[1:], Entry(warnings=("The `-` before the minute only kept the job out of cron's log.",))


def split_schedule(text: str) -> tuple[str | None, str | None]:
    """Return the time fields of a line, and what follows them; None for what is missing.

    Args:
        text: The line from its first character that is no blank, without cronie's `-` in front of the minute.
    """
    if text.startswith("@"):
        word = re.split(r"[ \t]", text, maxsplit=1)[0]
        return word, text[len(word) :].lstrip(_BLANKS)
    found = _FIELDS.match(text)
    if found is None:
        return " ".join(re.split(r"[ \t]+", text.strip(_BLANKS))) or None, None
    return " ".join(re.split(r"[ \t]+", found[0])), text[found.end() :].lstrip(_BLANKS)


def _check_schedule(text: str, schedule: str | None, reading: Reading) -> tuple[str | None, tuple[str, ...]]:
    """Say what is wrong with the time fields, by the name of a dialect where there is one, and what is odd in them."""
    if schedule is None:
        return "the time fields are missing", ()
    if schedule.startswith("@") and schedule not in NICKNAMES:
        return dialect_of(schedule) or f"{printable(schedule)!r} is no nickname of cron", ()
    if not schedule.startswith("@") and schedule.count(" ") < 4:
        return _too_few_fields(text, schedule, reading), ()
    try:
        parsed = parse_schedule(schedule, reading.flavour)
    except ScheduleError as error:
        return dialect_of(text) or f"{error.what}. {error.cure}", ()
    # The number that stands for cronie's a~b depends on the job's id, which is not known here.
    advice = () if "~" in schedule else tuple(f"{each[0].upper()}{each[1:]}." for each in parsed.warnings)
    return None, advice


def _too_few_fields(text: str, schedule: str, reading: Reading) -> str:
    if found := re.match(r"export[ \t]+([^ \t=]+)=", text):
        return f"`export` is for shells; in a crontab write {found[1]}=VALUE alone"
    if found := re.match(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t\r]*\Z", text):
        return f'Debian takes no empty value; write {found[1]}="" (with quotes)'
    if re.search(r"[$#>%][ \t]*(?:sudo[ \t]+)?crontab[ \t]+-", text):
        return "this is the prompt of a shell; hand over the output of `crontab -l` alone"
    if re.match(r"[A-Za-z_][A-Za-z0-9_]*[ \t]*=[ \t]*[\"']", text):
        return "the quotes of the value are not closed, or something follows them"
    if not text.strip():
        return "the line holds a carriage return alone, which is no blank to cron; convert the file with dos2unix"
    count = schedule.count(" ") + 1
    plural = "s" if count > 1 else ""
    return dialect_of(text) or (
        f"{printable(text.strip())[:60]!r} has {count} word{plural}, but a job has five time fields and a command, "
        "for example: 0 3 * * * /usr/local/bin/backup"
    )


def _read_user(entry: Entry, text: str, rest: str, reading: Reading) -> Entry:
    """Read the column with the user, then the command."""
    user = re.split(r"[ \t]", rest, maxsplit=1)[0]
    if not can_be_user(user, reading.users):
        fault = _user_fault(user, text, rest, reading)
        return replace(entry, error=entry.error or fault, text=rest or None)
    command: str | None = rest[len(user) :]
    if reading.flavour is Flavour.CRONIE:
        command = command.lstrip(_BLANKS) if command else None
    else:
        command = command[1:] if command else None
    entry = replace(entry, user=user)
    if command is None:
        return replace(entry, error=entry.error or f"the command is missing after the user {user!r}")
    return _read_command(entry, command, reading)


def _user_fault(user: str, text: str, rest: str, reading: Reading) -> str:
    if not rest:
        return "the user and the command are missing after the time fields"
    if looks_like_time(user) and not user.isalpha():
        return dialect_of(text) or f"a sixth time field {user!r} stands where the user should be; cron has five"
    word = printable(user)
    if not user.startswith("$") and (fault := placeholder_fault(rest)):
        return fault
    if reading.users is not None and not looks_like_command(user):
        return f"the host has no user {word!r}"
    return (
        f"the column with the user is missing: {word!r} stands there, which is no user; "
        "name the user between the time fields and the command, or read the file with --format user"
    )


def _read_command(entry: Entry, text: str, reading: Reading) -> Entry:
    warnings = list(entry.warnings)
    error = entry.error
    if reading.flavour is Flavour.CRONIE:
        entry = replace(entry, mails_failures=text.startswith("-n"))
        text, fault = _read_options(text, warnings)
        error = error or fault
        if not text and error is None:
            error = "the command is missing"
    elif text.lstrip(_BLANKS).startswith("-"):
        warnings.append("Debian has no options before the command: the `-` is part of the command, which then fails.")
    elif not text.strip(_BLANKS):
        warnings.append("The command is empty: Debian starts the shell with nothing to do.")
    limit = COMMAND_LIMITS_BYTES[reading.flavour]
    if (length := byte_length(text)) > limit and error is None:
        error = f"the command has {length:,} bytes, and the daemon takes {limit:,} at most; put it into a script"
    return replace(entry, text=text, error=error, warnings=tuple(warnings))


def _read_options(text: str, warnings: list[str]) -> tuple[str, str | None]:
    """Read cronie's `-n ` before the command: mail only when the job fails."""
    seen = False
    while text.startswith("-"):
        found = re.match(r"-n[ \t]+", text)
        if found is None or seen:
            return text, "a command cannot begin with `-`: cronie takes it for an option, and knows only `-n`, once"
        seen, text = True, text[found.end() :]
        warnings.append("`-n` before the command: cronie mails the output only when the job fails.")
    return text, None
