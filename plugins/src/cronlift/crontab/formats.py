"""Whether a crontab has the column with the user."""

import re
from collections.abc import Iterable

from cronlift.crontab.assignment import parse_assignment
from cronlift.crontab.entry import Entry, Reading, read_entry
from cronlift.crontab.model import Flavour, Format, Source
from cronlift.crontab.names import ALSO_PROGRAMS, can_be_user, is_known_user, is_program, looks_like_command
from cronlift.crontab.places import place_of

_HEAD = re.compile(
    r"\b(?:dow|wday|week-?day|day[- ]of[- ]week)\s+(?:user|who)(?:[-_ ]?name)?\s+(?:com+and|cmd)"
    r"|^#+\s*/etc/(?:crontab|cron\.d/[\w-]+):",
    re.IGNORECASE,
)
"""The remark above the columns of /etc/crontab, and the first line of such files, which names them."""

_ARGUMENT = re.compile(r"[-<>|&;]|\d+>")
"""What follows a program, and never a user."""

_SPOOL = re.compile(r"(?:^|/)(?:cron/(?:crontabs|tabs)|spool/cron|etc/crontabs)/[^/]+\Z")
"""Where a daemon looks for users' tabs; any other folder called crontabs may hold tabs of both formats."""

_PROGRAM = re.compile(r"^(?:[/~.]|\$\{?HOME\b).*(/s?bin/|\.(sh|bash|py|php|pl|rb|jar)\Z)")
_SHELL_WORD = re.compile(r"(?:\[\[?|\.|\(.*|\{|[A-Za-z_]\w*=.*)\Z")
"""What begins a command of the shell, and is hardly ever the first argument of a program."""


def spool_user(path: str) -> str | None:
    """Return whose tab a file of the spool is, by its name; None for other files."""
    place = place_of(path)
    return place.user if place else None


def known_format(source: Source) -> Format | None:
    """Return the format that a file has by its place on the host; None when the place does not tell."""
    place = place_of(source.path)
    kind = source.kind if place is None or source.kind != "user" else place.kind
    if kind in ("system", "cron.d"):
        return Format.SYSTEM
    return Format.USER if place is not None and place.user and _SPOOL.search(source.path) else None


def guess_format(
    lines: Iterable[str], flavour: Flavour, users: frozenset[str] | None = None, *, needs_all: bool = False
) -> Format:
    """Find out from the lines whether there is a column with the user.

    It is there when the word after the time fields can be a user's name on every job line, and on at least half of
    them is surely one: a name of the host, a well-known one that is no program, or one that a command follows. An
    option after it (`mysql -px`) makes it a command. A column that holds anything else even once is no column with
    users. Commented-out jobs count only when there are no others; the head of the columns (`dow user command`) counts
    for half of the lines.

    Args:
        lines: The lines of the file.
        flavour: The daemon.
        users: The host's users; None when they are not known.
        needs_all: Whether the column must be one beyond doubt on every line: a well-known user, and a command.
    """
    jobs: list[str] = []
    has_head = False
    disabled: list[str] = []
    for line in lines:
        text = line.strip(" \t\r")
        if text.startswith("#"):
            has_head = has_head or _HEAD.search(text) is not None
            disabled += _tail(text.lstrip("# \t"), flavour)
        elif text and parse_assignment(text, flavour) is None:
            jobs += _tail(text, flavour)
    tails = [_two_words(tail, flavour) for tail in jobs or disabled]
    if not all(_can_be_column(words, users) for words in tails) or max(map(len, tails), default=0) < 2:
        return Format.USER
    if needs_all:
        return Format.SYSTEM if all(_is_beyond_doubt(words, users) for words in tails) else Format.USER
    sure = sum(_is_column(words, users) for words in tails)
    return Format.SYSTEM if has_head or sure * 2 >= len(tails) else Format.USER


def _two_words(tail: str, flavour: Flavour) -> list[str]:
    """Return the first two words after the time fields, without cronie's `-n` before a command."""
    words = tail.split(None, 3)
    return words[:1] + words[2:3] if flavour is Flavour.CRONIE and words[1:2] == ["-n"] else words[:2]


def _can_be_column(words: list[str], users: frozenset[str] | None) -> bool:
    if len(words) == 1:  # the command is missing, which makes the line a bad one, and the column no less of one
        return is_known_user(words[0], users) and words[0] not in ALSO_PROGRAMS
    return bool(words) and can_be_user(words[0], users) and not _ARGUMENT.match(words[1])


def _is_beyond_doubt(words: list[str], users: frozenset[str] | None) -> bool:
    known = is_known_user(words[0], users) and words[0] not in ALSO_PROGRAMS
    return known and len(words) > 1 and looks_like_command(words[1])


def _is_column(words: list[str], users: frozenset[str] | None) -> bool:
    user, command = words[0], words[1] if len(words) > 1 else ""
    if is_known_user(user, users) and (users is not None or user not in ALSO_PROGRAMS):
        return True
    return is_program(command) or bool(_PROGRAM.search(command) or _SHELL_WORD.match(command))


def _tail(text: str, flavour: Flavour) -> list[str]:
    """Return what follows the time fields of a job line; nothing when it is none."""
    entry: Entry = read_entry(text, Reading(flavour, Format.USER))
    return [entry.text] if entry.text and entry.schedule and not _is_broken(entry) else []


def _is_broken(entry: Entry) -> bool:
    return entry.error is not None and entry.text is not None and entry.text.startswith("*")
