"""Text of a pull request that is shown to others: it must not act, neither on a terminal nor on a page."""

import re

LONGEST = 160
"""A value longer than this is cut: whoever wants all of it reads the file."""


def plain(text: str) -> str:
    """Return text without line ends, escape codes and whatever else a terminal obeys, cut to LONGEST.

    Args:
        text: Whatever an author wrote.
    """
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def code(text: str) -> str:
    """Return text as a Markdown code span, in which no Markdown, HTML, mention or link counts.

    Source:
        https://spec.commonmark.org/0.31.2/#code-spans: the fence is longer than any run of backticks inside, and one
        blank on both sides is not shown.
    """
    return _span(plain(text))


def cell(text: str) -> str:
    r"""Return text as a code span for a table's cell, which it cannot leave.

    GitHub's tables look for bars before they look for code: `\|` is none, but in `\\|` the second backslash belongs to
    the first. So a backslash of the text never stands right before a bar.
    """
    return _span(re.sub(r"\\(?=\|)", r"\\ ", plain(text)).replace("|", "\\|"))


def _span(shown: str) -> str:
    if not shown.strip():
        return ""
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {shown} {fence}" if longest or shown != shown.strip() else f"{fence}{shown}{fence}"
