"""Change parts of a Python source and leave every other byte as it is."""

import ast
import re
from collections.abc import Sequence, Set
from itertools import groupby

_REST_OF_LINE = re.compile(rb"[ \t]*(?P<comma>,?)[ \t]*(#[^\r\n]*)?\r?\n")

Place = ast.stmt | ast.expr | ast.keyword


class Edits:
    """Collects replacements of a source's parts; positions are those of the source as it was.

    Args:
        source: The file's text.
    """

    def __init__(self, source: str) -> None:
        self._source = source.encode()
        self._lines = [0]
        for line in self._source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._edits: list[tuple[int, int, bytes]] = []

    def text(self, place: Place) -> str:
        """Return the source of a statement, expression or argument."""
        start, end = self._span(place)
        return self._source[start:end].decode()

    def indent(self, place: Place) -> str | None:
        """Return what stands before a place that begins its line; None when something else does."""
        start, _ = self._span(place)
        before = self._source[self._line_start(start) : start]
        return before.decode() if not before.strip() else None

    def replace(self, place: Place, text: str) -> None:
        """Put a text in the place of a statement, expression or argument."""
        self._edits.append((*self._span(place), text.encode()))

    def remove_arguments(self, call: ast.Call, gone: Set[int]) -> None:
        """Remove a call's arguments, with their lines where they have lines of their own.

        Args:
            call: All of its arguments are keywords.
            gone: Indexes of those to remove; at least one stays.
        """
        for is_gone, group in groupby(range(len(call.keywords)), gone.__contains__):
            if is_gone:
                self._remove_run(call.keywords, list(group))

    def result(self) -> str:
        """Return the source with all edits done."""
        text = self._source
        for start, end, new in sorted(self._edits, reverse=True):
            text = text[:start] + new + text[end:]
        return text.decode()

    def _remove_run(self, arguments: Sequence[ast.keyword], run: Sequence[int]) -> None:
        first, last = arguments[run[0]], arguments[run[-1]]
        start, end = self._span(first)[0], self._span(last)[1]
        after = arguments[run[-1] + 1] if run[-1] + 1 < len(arguments) else None
        before = arguments[run[0] - 1] if run[0] else None
        rest = _REST_OF_LINE.match(self._source, end)
        own_lines = rest and self.indent(first) is not None and (rest["comma"] or after is None)
        if after is not None and after.lineno == last.end_lineno:
            end = self._span(after)[0]
        elif before is not None and before.end_lineno == first.lineno:
            start = self._span(before)[1]
        elif rest and own_lines:
            start, end = self._line_start(start), rest.end()
        elif before is not None:
            start = self._span(before)[1]
        elif after is not None:
            end = self._span(after)[0]
        self._edits.append((start, end, b""))

    def _line_start(self, position: int) -> int:
        return max(each for each in self._lines if each <= position)

    def _span(self, place: Place) -> tuple[int, int]:
        if place.end_lineno is None or place.end_col_offset is None:
            raise ValueError("the syntax tree has no positions; parse it from text")
        start = self._lines[place.lineno - 1] + place.col_offset
        return start, self._lines[place.end_lineno - 1] + place.end_col_offset
