"""What a daemon makes of a crontab as a whole: whether it looks into it, and whether it throws it away."""

import re
from collections.abc import Sequence

from cronlift.crontab.entry import Reading
from cronlift.crontab.model import Flavour, Format, Line, LineKind, Source
from cronlift.crontab.places import place_of
from cronlift.crontab.text import BYTE_ORDER_MARK

DEBIAN_LINE_LIMIT = 10_003
"""MAX_TAB_LINES and the three lines that `crontab` once put on top."""
CRONIE_ENTRY_LIMIT, CRONIE_SETTING_LIMIT, CRONIE_COMMENT_LIMIT_BYTES = 10_000, 1_000, 32_768
"""Of a user's tab: job lines, settings, and bytes of comments and blank lines between two of them."""

_EFFECTIVE = (LineKind.JOB, LineKind.SETTING, LineKind.BAD)


def unread_reason(source: Source, flavour: Flavour) -> str | None:
    """Say why the daemon never looks into a file of /etc/cron.d: its name.

    Source: `valid_name` in database.c of cron 3.0pl1-162 (Debian), `not_a_crontab` in database.c of cronie 1.7.2.
    """
    place = place_of(source.path)
    if source.kind != "cron.d" and (place is None or place.kind != "cron.d"):
        return None
    name = source.path.rsplit("/", 1)[-1]
    if flavour is Flavour.DEBIAN:
        if re.fullmatch(r"[A-Za-z0-9_-]+", name):
            return None
        return f"Debian's cron reads only names of letters, digits, `_` and `-` in cron.d, and not {name!r}"
    if name.startswith((".", "#")) or name.endswith(("~", ".rpmsave", ".rpmorig", ".rpmnew")):
        return f"cronie skips names in cron.d that begin with `.` or `#`, or end in `~` or `.rpm*`, such as {name!r}"
    return None


def refusal(reading: Reading, lines: Sequence[Line], *, ended: bool) -> str | None:
    """Say why the daemon throws the whole file away; None when it does not.

    Args:
        reading: How the file was read.
        lines: Its lines.
        ended: Whether the last line has a line feed, or is to be treated so.
    """
    if reading.flavour is Flavour.CRONIE:
        return _cronie_refusal(reading, lines)
    if bad := next((line for line in lines if line.kind is LineKind.BAD and not line.daemon_accepts), None):
        if not ended and bad is lines[-1]:
            return "the last line has no line feed, and Debian's cron then ignores the whole file"
        return f"line {bad.number} is wrong ({bad.error}), and Debian's cron then ignores the whole file"
    last = max((line.number for line in lines if line.kind in _EFFECTIVE), default=0)
    if last > DEBIAN_LINE_LIMIT:
        return f"it has more than {DEBIAN_LINE_LIMIT:,} lines, and Debian's cron then ignores the whole file"
    return None


def _cronie_refusal(reading: Reading, lines: Sequence[Line]) -> str | None:
    if reading.format is Format.SYSTEM:
        return None
    settings = sum(line.kind is LineKind.SETTING for line in lines)
    entries = sum(line.kind in (LineKind.JOB, LineKind.BAD) for line in lines)
    between = 0
    for line in lines:
        between = 0 if line.kind in _EFFECTIVE else between + len(line.raw) + 1
        if between > CRONIE_COMMENT_LIMIT_BYTES:
            return f"line {line.number} ends more than {CRONIE_COMMENT_LIMIT_BYTES:,} bytes of comments, cronie's limit"
    if entries > CRONIE_ENTRY_LIMIT:
        return f"it has {entries:,} jobs, and cronie takes {CRONIE_ENTRY_LIMIT:,} of a user at most"
    if settings > CRONIE_SETTING_LIMIT:
        return f"it has {settings:,} variables, and cronie takes {CRONIE_SETTING_LIMIT:,} of a user at most"
    return None


def file_warnings(
    source: Source, flavour: Flavour, raws: Sequence[str], ended: bool, lines: Sequence[Line]
) -> list[str]:
    """Return what to know of the file as a whole, a sentence each."""
    found = []
    if not ended and lines[-1].kind in _EFFECTIVE:
        does = "ignores the whole file" if flavour is Flavour.DEBIAN else "does not read that line"
        found.append(
            f"The last line has no line feed at its end: the daemon {does}. "
            "Most such files lost it when they were exported; --strict follows the daemon."
        )
    carriage = [number for number, raw in enumerate(raws, start=1) if raw.endswith("\r")]
    if carriage:
        does = (
            "Debian's cron rejects a blank line with one"
            if flavour is Flavour.DEBIAN
            else "cronie rejects such blank lines"
        )
        found.append(
            f"{len(carriage)} lines end in CRLF, the first is line {carriage[0]}: the carriage return becomes part of "
            f"the command, and {does}. Convert the file with dos2unix; --strict follows the daemon."
        )
    if raws and raws[0].startswith(BYTE_ORDER_MARK):
        found.append("The file begins with a byte order mark, which makes its first line a bad one for the daemon.")
    return found + _mode_warnings(source, flavour)


def _mode_warnings(source: Source, flavour: Flavour) -> list[str]:
    """Say what the daemon minds of mode and owner; a copied tree rarely has the host's, so it is no verdict.

    Source: `process_crontab` in database.c of cron 3.0pl1-162 (Debian), `check_open` in database.c of cronie 1.7.2.
    """
    found = []
    of_system = source.kind in ("system", "cron.d")
    if source.mode is not None:
        if flavour is Flavour.CRONIE:
            wrong, good = (source.mode & 0o7533) != 0o400, "0600 or 0644"
        elif of_system:
            wrong, good = bool(source.mode & 0o022), "0644"
        else:
            wrong, good = (source.mode & 0o7777) != 0o600, "0600"
        if wrong:
            found.append(
                f"Its mode is {source.mode:04o}: with that on the host, the daemon ignores it ({good} is well)."
            )
    if of_system and source.owner not in (None, "root", "0"):
        found.append(f"It belongs to {source.owner}: with that on the host, the daemon ignores it (root must own it).")
    return found
