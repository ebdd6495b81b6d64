"""Removing arguments leaves a call that parses, and all else as it was."""

import ast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cronlift.migrate.edits import Edits


def call_in(source: str) -> ast.Call:
    return next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))


def removed(source: str, *gone: int) -> str:
    edits = Edits(source)
    edits.remove_arguments(call_in(source), set(gone))
    return edits.result()


SPREAD = """x = f(  # é
    a=1,  # one
    # two
    b=[
        2,
    ],
    c=3, d=4,
    e=5  # five
)  # end
"""


@pytest.mark.parametrize(
    ("gone", "lines"),
    [
        ((0,), "x = f(  # é|    # two|    b=[|        2,|    ],|    c=3, d=4,|    e=5  # five|)"),
        ((1,), "x = f(  # é|    a=1,  # one|    # two|    c=3, d=4,|    e=5  # five|)"),
        ((2,), "x = f(  # é|    a=1,  # one|    # two|    b=[|        2,|    ],|    d=4,|    e=5  # five|)"),
        ((1, 2, 3, 4), "x = f(  # é|    a=1,  # one|    # two|)"),
        ((3, 4), "x = f(  # é|    a=1,  # one|    # two|    b=[|        2,|    ],|    c=3  # five|)"),
    ],
)
def test_arguments_go_with_their_lines_and_the_rest_stays(gone: tuple[int, ...], lines: str) -> None:
    assert removed(SPREAD, *gone) == lines.replace("|", "\n") + "  # end\n"


@pytest.mark.parametrize(
    ("gone", "left"),
    [((0,), "f(b=2, c=3)"), ((1,), "f(a=1, c=3)"), ((2,), "f(a=1, b=2)"), ((0, 1), "f(c=3)"), ((1, 2), "f(a=1)")],
)
def test_arguments_on_one_line_go_with_a_comma(gone: tuple[int, ...], left: str) -> None:
    assert removed("f(a=1, b=2, c=3)", *gone) == left


def test_line_ends_of_windows_stay() -> None:
    assert removed("f(\r\n    a=1,\r\n    b=2,\r\n)\r\n", 1) == "f(\r\n    a=1,\r\n)\r\n"


@given(
    gaps=st.lists(
        st.sampled_from([", ", ",", ",\n    ", ",  # why\n    ", ",\n\n    # why\n    ", "\n    , "]), max_size=6
    ),
    first=st.sampled_from(["", " ", "\n    ", "  # why\n    "]),
    last=st.sampled_from(["", ",", ",\n", "\n", ",  # why\n", " # why\n"]),
    gone=st.sets(st.integers(0, 6)),
)
@example(gaps=[", "], first="", last=",", gone={1})
@example(gaps=["\n    , "], first="", last="", gone={0})
def test_whatever_the_format_only_the_named_arguments_go(
    gaps: list[str], first: str, last: str, gone: set[int]
) -> None:
    names = "abcdefg"[: len(gaps) + 1]
    source = (
        f"f({first}a=0" + "".join(f"{gap}{name}=0" for gap, name in zip(gaps, names[1:], strict=True)) + f"{last})\n"
    )
    gone = {each for each in gone if each < len(names)}
    if len(gone) == len(names):
        gone.pop()
    left = [keyword.arg for keyword in call_in(removed(source, *gone)).keywords]
    assert left == [name for index, name in enumerate(names) if index not in gone]
