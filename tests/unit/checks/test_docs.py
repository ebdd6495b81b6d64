"""The page of the checks."""

from ci.checks_page import PAGE, replaced
from cronlift.checks.catalogue import CHECKS


def test_the_page_lists_every_check_and_rule_as_they_are() -> None:
    assert PAGE.read_text() == replaced(PAGE.read_text()), "run: python -m ci.checks_page"


def test_every_check_is_described_in_whole_sentences() -> None:
    for check in CHECKS:
        for text in (check.what, check.why, check.cure):
            assert text.endswith("."), check.id
    assert len({check.id for check in CHECKS}) == len(CHECKS)
