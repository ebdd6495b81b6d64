"""What the docs say about Airflow is held by tests, and by tests that exist."""

import re

import pytest

from ci.paths import ROOT

PAGE = ROOT / "docs/airflow-facts.md"
ROWS = [line.split(" | ") for line in PAGE.read_text().splitlines() if re.match(r"\| \d+ \|", line)]
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))


def test_facts_are_numbered() -> None:
    assert [int(row[0].strip("| ")) for row in ROWS] == list(range(1, 26))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip("| "))
def test_each_fact_is_held_by_a_test(row: list[str]) -> None:
    names = re.findall(r"`(test_\w+)`", row[-1])
    assert names
    assert [name for name in names if f"def {name}(" not in TESTS] == []
