"""What authors wrote is shown in code spans that it cannot leave, on a page and on a terminal."""

import re

import pytest

from cronlift.diff.clean import cell, code, plain
from cronlift.diff.markdown import LIMIT, as_markdown
from cronlift.diff.text import as_text
from tests.unit.diff.conftest import Compare, dag, task

HOSTILE = [
    pytest.param("<img src=x onerror=alert(1)>", id="HTML"),
    pytest.param("@everyone", id="mention"),
    pytest.param("`` ` ``` @x", id="backticks"),
    pytest.param("a | b", id="bar"),
    pytest.param("a \\| @x", id="backslash before a bar"),
    pytest.param("a \\\\\\| @x", id="more of them"),
    pytest.param("a\n\n# @x\r\n| b |", id="lines"),
    pytest.param("\x1b[2J\x07", id="escape codes"),
    pytest.param("‮drawkcab", id="right to left"),
    pytest.param("`", id="one backtick"),
    pytest.param("[x](javascript:alert(1)) ![](http://x/y)", id="links"),
]


def outside_of_code(line: str) -> str:
    """Return what is left of a line of Markdown when its code spans are taken out, as CommonMark finds them."""
    left, at = "", 0
    while at < len(line):
        fence = re.match("`+", line[at:])
        if fence is None:
            left, at = left + line[at], at + 1
            continue
        end = re.search(rf"(?<!`){fence[0]}(?!`)", line[at + len(fence[0]) :])
        if end is None:
            left, at = left + fence[0], at + len(fence[0])
        else:
            at += len(fence[0]) + end.end()
    return left


def cells_of(line: str) -> list[str]:
    """Split a table's row as GitHub does: a backslash and the character behind it belong together."""
    return re.findall(r"(?:\\.|[^|\\]|\\$)+", line.strip().strip("|"))


@pytest.mark.parametrize("text", HOSTILE)
def test_code_holds_whatever_it_is_given(text: str) -> None:
    assert outside_of_code(code(text)) == ""
    assert "\n" not in code(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_is_one_cell_whatever_is_in_it(text: str) -> None:
    cells = cells_of(f"| {cell(text)} | end |")
    assert len(cells) == 2
    assert outside_of_code(cells[0].strip()) == ""


@pytest.mark.parametrize("text", HOSTILE)
def test_a_whole_diff_shows_nothing_outside_of_code(diff: Compare, text: str) -> None:
    found = diff(
        [dag(tasks=(task("gone" + text, images=(text,)),))],
        [dag(owners=(text,), tags=(text,), schedule=text, tasks=(task(text, manifest=text),)), dag(text, file=text)],
    )
    page = as_markdown(found)
    parts = [part for line in page.splitlines() for part in (cells_of(line) if line.startswith("|") else [line])]
    words = " ".join(outside_of_code(part) for part in parts)
    assert [sign for sign in ("@", "<img", "](", "javascript", "everyone", "drawkcab", "\x1b") if sign in words] == []
    assert "\x1b" not in as_text(found)


def test_text_for_a_terminal_is_cut_and_has_no_line_ends() -> None:
    assert plain("a\tb\n\x1b") == "a\\tb\\n\\x1b"
    assert len(plain("x" * 500)) == 160


def test_a_comment_is_never_longer_than_the_server_takes(diff: Compare) -> None:
    page = as_markdown(diff([], [dag(f"demo__{number}", tags=("x" * 150,)) for number in range(900)]))
    assert len(page) < LIMIT
    assert re.search(r"\*\d+ more lines: run `cronlift diff` for all of them\.\*\n$", page)
