"""The cutover of a group: its lines in the old crontab become `#MIGRATED` lines, and exactly those again.

A line that moved reads `#MIGRATED <dag_id> <date> <the line as it was>`. So the way back needs nothing but the file:
cut off what was put in front, and every byte is as before. Settings, comments, lines that stay and those that were left
out are not touched.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cronlift.errors import CrontabError

MARK = "#MIGRATED"
_MIGRATED = re.compile(rb"#MIGRATED (\S+) (\d{4}-\d\d-\d\d) ")


@dataclass(frozen=True)
class Rewritten:
    """A crontab with other lines.

    Args:
        content: Its bytes.
        lines: The numbers of the lines that are not as before.
    """

    content: bytes
    lines: tuple[int, ...]


def migrate_lines(content: bytes, wanted: Mapping[int, tuple[str, str]], day: str, name: str) -> Rewritten:
    """Put the mark in front of lines.

    Args:
        content: Of the old crontab.
        wanted: Number of each line -> its DAG id, and the line as it was imported, passwords masked or not.
        day: ISO date.
        name: Of the file, for messages.

    Returns:
        The crontab; lines that are migrated already stay as they are.

    Raises:
        CrontabError: A line is no longer what was imported; all faults at once.
    """
    lines = content.split(b"\n")
    faults, done = [], []
    for number, (dag_id, raw) in sorted(wanted.items()):
        line = lines[number - 1] if number <= len(lines) else None
        if line is not None and (found := _MIGRATED.match(line)) and found[1].decode() == dag_id:
            continue
        if line is None or not is_same_line(line, raw):
            faults.append(
                CrontabError(
                    f"the line is no longer the one that became {dag_id}",
                    where=f"{name}:{number}",
                    cure="Import the crontab as it is now, then cut over.",
                )
            )
            continue
        lines[number - 1] = f"{MARK} {dag_id} {day} ".encode() + line
        done.append(number)
    if faults:
        raise CrontabError.all_of(faults)
    return Rewritten(b"\n".join(lines), tuple(done))


def restore_lines(content: bytes, dag_ids: set[str] | None = None) -> Rewritten:
    """Take the mark off again.

    Args:
        content: Of a crontab with migrated lines.
        dag_ids: Of the lines to restore; None for all.

    Returns:
        The crontab, byte by byte as it was.
    """
    lines, done = content.split(b"\n"), []
    for index, line in enumerate(lines):
        found = _MIGRATED.match(line)
        if found and (dag_ids is None or found[1].decode() in dag_ids):
            lines[index] = line[found.end() :]
            done.append(index + 1)
    return Rewritten(b"\n".join(lines), tuple(done))


def is_same_line(line: bytes, raw: str) -> bool:
    """Tell whether a line is the one that a report shows, in which passwords are `***`.

    Args:
        line: Of the crontab.
        raw: Of the report.
    """
    shown = line.decode("utf-8", "backslashreplace")
    if shown == raw:
        return True
    pattern = ".+".join(re.escape(each) for each in raw.split("***"))
    return "***" in raw and re.fullmatch(pattern, shown, re.DOTALL) is not None
