"""Whether a crontab has the column with the user."""

import re
from collections.abc import Iterable

from cronlift.crontab.assignment import parse_assignment
from cronlift.crontab.entry import Entry, Reading, read_entry
from cronlift.crontab.model import Flavour, Format, Source
from cronlift.crontab.names import KNOWN_COMMANDS, can_be_user, is_known_user
from cronlift.crontab.places import place_of

_PROGRAM = re.compile(r"^/.*(/s?bin/|\.(sh|bash|py|php|pl|rb|jar)\Z)")


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
    return Format.USER if place is not None and place.user else None


def guess_format(lines: Iterable[str], flavour: Flavour, users: frozenset[str] | None = None) -> Format:
    """Find out from the lines whether there is a column with the user.

    It is there when the word after the time fields can be a user's name on every job line, and on at least one of
    them is surely one: a name of the host, a well-known one, or one that a command follows. A column that holds
    anything else even once is no column with users. Commented-out jobs count only when there are no others.

    Args:
        lines: The lines of the file.
        flavour: The daemon.
        users: The host's users; None when they are not known.
    """
    jobs: list[str] = []
    disabled: list[str] = []
    for line in lines:
        text = line.strip(" \t\r")
        if text.startswith("#"):
            disabled += _tail(text.lstrip("# \t"), flavour)
        elif text and parse_assignment(text, flavour) is None:
            jobs += _tail(text, flavour)
    tails = [tail.split(None, 2) for tail in jobs or disabled]
    if not tails or not all(len(words) > 1 and can_be_user(words[0], users) for words in tails):
        return Format.USER
    return Format.SYSTEM if any(_is_column(words, users) for words in tails) else Format.USER


def _is_column(words: list[str], users: frozenset[str] | None) -> bool:
    user, command = words[0], words[1]
    if is_known_user(user, users):
        return True
    return command in KNOWN_COMMANDS or bool(_PROGRAM.search(command))


def _tail(text: str, flavour: Flavour) -> list[str]:
    """Return what follows the time fields of a job line; nothing when it is none."""
    entry: Entry = read_entry(text, Reading(flavour, Format.USER))
    return [entry.text] if entry.text and entry.schedule and not _is_broken(entry) else []


def _is_broken(entry: Entry) -> bool:
    return entry.error is not None and entry.text is not None and entry.text.startswith("*")
