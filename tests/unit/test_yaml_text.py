"""Values of a YAML text change, and every other byte stays."""

import pytest

from cronlift.yaml_text import add_entries

ENTRY = "  c:\n    x: 1\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("# 1\nt:\n  a: 1  # 2\n# 3\n", "# 1\nt:\n  a: 1  # 2\n  c:\n    x: 1\n# 3\n", id="comments"),
        pytest.param("t:\n    a:\n        x: 1\n", "t:\n    a:\n        x: 1\n    c:\n      x: 1\n", id="four blanks"),
        pytest.param("t:\n  a: 1", "t:\n  a: 1\n  c:\n    x: 1\n", id="no last line end"),
        pytest.param("t: {}\nu: 1\n", "t:\n  c:\n    x: 1\nu: 1\n", id="empty braces"),
        pytest.param("t:\n", "t:\n  c:\n    x: 1\n", id="nothing yet"),
        pytest.param("u: 1\n", "u: 1\nt:\n  c:\n    x: 1\n", id="no key"),
        pytest.param("t: {a: 1}\n", None, id="braces"),
    ],
)  # fmt: skip
def test_an_entry_is_added_as_the_others_are_written(before: str, after: str | None) -> None:
    assert add_entries(before, "t", ENTRY) == after
