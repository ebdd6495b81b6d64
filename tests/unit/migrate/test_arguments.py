"""Every argument of the operators that cronlift replaces has its place, in the code and on the page."""

import re
from pathlib import Path

import pytest

from ci.paths import ROOT
from cronlift.migrate import kube_job, stock_arguments

HERE = Path(__file__).parent
PAGE = (ROOT / "docs/migration.md").read_text()


def arguments_of(file: str) -> list[str]:
    lines = (HERE / file).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


STOCK = arguments_of("arguments_cncf_kubernetes_10.25.0.txt")
OLD = arguments_of("arguments_kube_job_operator_0.2.5.txt")


def section(title: str) -> str:
    _, _, rest = PAGE.partition(f"\n## {title}")
    assert rest, title
    return rest.partition("\n## ")[0]


def rows(title: str) -> dict[str, str]:
    """First column of a section's tables -> the rest of the row; a first column may name several arguments."""
    found = {}
    for line in section(title).splitlines():
        if cells := re.fullmatch(r"\| (`[^|]+`) \| (.+) \|", line):
            found |= dict.fromkeys(re.findall(r"`(\w+)`", cells[1]), cells[2])
    return found


@pytest.mark.parametrize(
    ("title", "names"),
    [
        pytest.param("From the stock operator", STOCK, id="stock 10.25.0"),
        pytest.param("From airflow-kube-job-operator", OLD, id="old 0.2.5"),
    ],
)
def test_page_has_a_row_for_each_argument_and_no_other(title: str, names: list[str]) -> None:
    assert sorted(rows(title)) == sorted(names)


def test_codemod_knows_each_argument_once() -> None:
    tables = (stock_arguments.FIELDS, stock_arguments.DROPPED, stock_arguments.BY_HAND, stock_arguments.SPECIAL)
    assert sorted(name for table in tables for name in table) == sorted(STOCK)
    tables = (kube_job.RENAMED, kube_job.DROPPED, kube_job.BY_HAND, kube_job.SPECIAL)
    assert sorted(name for table in tables for name in table) == sorted(OLD)


def test_page_names_the_field_that_the_codemod_writes() -> None:
    found = rows("From the stock operator")
    wrong = {name: found[name] for name, (_, field) in stock_arguments.FIELDS.items() if field not in found[name]}
    assert wrong == {}
