"""From the bytes of a crontab to its lines, without losing one byte."""

import re

from cronlift.crontab.model import Source
from cronlift.errors import CrontabFileError

SIZE_LIMIT_BYTES = 4 * 1024 * 1024
"""Debian reads at most 10,000 lines and the largest tabs in the wild have some hundred kilobytes. What is larger is no
crontab, but a log or a dump that was named by mistake."""

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile(rb"[\x01-\x06\x0e-\x1a\x1c-\x1f]")
BYTE_ORDER_MARK = "\ufeff"


def split_lines(source: Source) -> tuple[list[str], bool]:
    r"""Split a file into its lines at line feeds alone, as the daemons do.

    Bytes that are no UTF-8 become lone surrogates (`surrogateescape`): "\n".join() of the lines, with a line feed at
    the end where there was one, encodes to the very bytes again.

    Args:
        source: The file.

    Returns:
        The lines without their line feeds, and whether the last one had one. An empty file has no lines.

    Raises:
        CrontabFileError: The file is too large, is UTF-16, or is no text; names the line.
    """
    check_text(source)
    if not source.content:
        return [], True
    lines = source.content.decode("utf-8", "surrogateescape").split("\n")
    ended = lines[-1] == ""
    return (lines[:-1] if ended else lines), ended


def check_text(source: Source) -> None:
    """Refuse what is no text.

    Raises:
        CrontabFileError: See `split_lines`.
    """
    content = source.content
    if len(content) > SIZE_LIMIT_BYTES:
        raise CrontabFileError(
            f"The file has more than {SIZE_LIMIT_BYTES:,} bytes, which is too much for a crontab",
            where=f"{source.path}:1",
            cure="Hand over the crontab itself, for example the output of `crontab -l`.",
        )
    if content.startswith(_UTF16_MARKS) or _is_utf16_without_mark(content):
        raise CrontabFileError(
            "The file is UTF-16, which no cron reads",
            where=f"{source.path}:1",
            cure="Convert it: iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8",
        )
    if (at := content.find(b"\0")) >= 0:
        raise CrontabFileError(
            "The line has a NUL byte, so this is no crontab, or a damaged one",
            where=f"{source.path}:{_line_of(content, at)}",
            cure="Export it again with `crontab -l`, or remove the byte: tr -d '\\000' < FILE > FILE.clean",
        )
    if found := _CONTROL.search(content):
        raise CrontabFileError(
            f"The line has the control character 0x{found[0][0]:02x}, so this is no crontab, or a damaged one",
            where=f"{source.path}:{_line_of(content, found.start())}",
            cure="Export it again with `crontab -l`, or remove the character.",
        )


def printable(text: str) -> str:
    r"""Return the text for people and for UTF-8 files: bytes that are no UTF-8 are written as `\xNN`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def byte_length(text: str) -> int:
    """Return how many bytes the text had in the file."""
    return len(text.encode("utf-8", "surrogateescape"))


def _is_utf16_without_mark(content: bytes) -> bool:
    """Tell text of two bytes a character: every second byte of its beginning is NUL, and the others are not."""
    start = content[:64]
    if len(start) < 4:
        return False
    return any(not any(start[zero::2]) and all(start[1 - zero :: 2]) for zero in (0, 1))


def _line_of(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1
