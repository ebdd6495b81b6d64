"""Make a comment of text that nobody is to trust: pure.

The text was written by a job that ran a pull request's code, so it may be anything. It stays readable Markdown
(headings, tables, code), but can link to nothing, load nothing, call nobody and say nothing in the platform's name.
"""

import re
import unicodedata

MARK = "<!-- cronlift: summary of a pull request -->"
"""By which the next run finds its comment again."""

MAX_BYTES = 256 * 1024
"""Of the artifact's text; more is refused before it is decoded."""

MAX_CHARACTERS = 60_000
"""GitHub takes 65,536 in a comment."""

BREAK = "\u200b"
"""Zero width: shows nothing and parts what would be read as one, in code as well as outside."""

ACTIVE = (
    (re.compile(r"<"), f"<{BREAK}"),  # tags and comments, our own mark among them
    (re.compile(r"&(?=[#\w]+;)"), f"&{BREAK}"),  # entities, which could spell the others
    (re.compile(r"@"), f"@{BREAK}"),  # mentions
    (re.compile(r"\](?=[(\[:])"), f"]{BREAK}"),  # links, images, references
    (re.compile(r"(?i)\b(https?|ftp|mailto|javascript|data):"), rf"\1{BREAK}:"),  # bare addresses
    (re.compile(r"(?i)\bwww\."), f"www{BREAK}."),
    (re.compile(r"#(?=\d)"), f"#{BREAK}"),  # other issues would be told
    (re.compile(r"(?i)\b(GH)-(?=\d)"), rf"\1{BREAK}-"),
    (re.compile(r":(?=[A-Za-z+-][\w+-]*:)"), f":{BREAK}"),  # emoji and their pictures
    (re.compile(r"\$(?=[`$])|(?<=[`$])\$"), f"{BREAK}${BREAK}"),  # formulas
)

HEAD = "What this pull request changes, as its own run has told. Text only: links and mentions in it are switched off."


class UntrustedTextError(ValueError):
    """The artifact is nothing that a comment can be made of."""


def comment(raw: bytes, run_url: str) -> str:
    """Return the comment's body.

    Args:
        raw: The artifact's text, as it came.
        run_url: Address of the run, as the event has it.

    Raises:
        UntrustedTextError: It is too large, or no UTF-8.
    """
    if len(raw) > MAX_BYTES:
        raise UntrustedTextError(f"The summary has {len(raw)} bytes; more than {MAX_BYTES} are not read")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise UntrustedTextError(f"The summary is no UTF-8: {error}") from error
    body = defuse(text).strip()
    if len(body) > MAX_CHARACTERS:
        body = _close_fence(body[:MAX_CHARACTERS].rpartition("\n")[0]) + "\n\nThe rest is in the run's own summary."
    return f"{MARK}\n{HEAD} [The run]({run_url})\n\n{body}\n"


def defuse(text: str) -> str:
    """Return the text with everything active in it parted, and without characters that nobody sees."""
    kept = "".join(each for each in text.replace("\r\n", "\n") if each in "\n\t" or not _is_unseen(each))
    for pattern, replacement in ACTIVE:
        kept = pattern.sub(replacement, kept)
    return kept


def _is_unseen(character: str) -> bool:
    """Control characters, and those that turn the direction of a text or join and part letters."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def _close_fence(text: str) -> str:
    fence = ""
    for line in text.splitlines():
        found = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if found and not fence:
            fence = found[1]
        elif found and fence and found[1].startswith(fence) and line.strip() == found[1]:
            fence = ""
    return f"{text}\n{fence}" if fence else text
