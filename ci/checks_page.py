"""Write the lists of docs/checks.md from the checks and the policy's rules: `python -m ci.checks_page [--check]`."""

import argparse
import textwrap
from collections.abc import Iterator

from ci.errors import UserError
from ci.paths import ROOT
from ci.stages import exit_with_words
from cronlift.checks.catalogue import CHECKS
from cronlift.checks.model import Check
from cronlift.policy.admission import expression
from cronlift.policy.rule import Rule
from cronlift.policy.rules import RULES
from cronlift.policy.team import BASELINE, PRIVILEGED, RESTRICTED

WIDTH = 120
PAGE = ROOT / "docs/checks.md"
BEGIN, END = "<!-- written by `python -m ci.checks_page` -->", "<!-- end -->"
_FOR = {
    PRIVILEGED: "every team",
    BASELINE: "teams with `podSecurity: restricted` (the default) or `baseline`",
    RESTRICTED: "teams with `podSecurity: restricted` (the default)",
}
_LANGUAGES = {"DAG file": "python", "manifest": "yaml", "teams.yaml": "yaml"}


def main() -> None:
    """Write the lists, or with --check only say whether they are up to date."""
    parser = argparse.ArgumentParser(prog="python -m ci.checks_page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when they are not up to date")
    arguments = parser.parse_args()
    old = PAGE.read_text()
    new = replaced(old)
    if arguments.check and new != old:
        raise UserError("docs/checks.md differs from the checks", cure="Run: python -m ci.checks_page")
    PAGE.write_text(new)


def replaced(text: str) -> str:
    """Return the page with its lists as they should be.

    Raises:
        UserError: A marker is missing.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise UserError("docs/checks.md has lost the markers of its lists", cure=f"Put back {BEGIN}")
    lists = "\n".join([*_checks(), "## Rules for Jobs", "", *_rules()])
    return f"{head}{BEGIN}\n\n{lists}\n{END}{tail}"


def _checks() -> Iterator[str]:
    yield from ("## Checks", "")
    for check in CHECKS:
        yield from (f"### {check.id}", "", _wrapped(f"{check.what} {check.why}"), "", *_example(check))
        yield from (_wrapped(check.cure), "")


def _example(check: Check) -> Iterator[str]:
    language = _LANGUAGES.get(check.lines_of, "text")
    yield from (f"```{language}", check.bad, "```", "")


def _rules() -> Iterator[str]:
    for rule in RULES:
        yield from (f"### policy/{rule.id}", "", _wrapped(f"{rule.what} For {_FOR[rule.level]}."), "")
        yield from ("```yaml", rule.bad, "```", "", _wrapped(f"{rule.cure} {_server(rule)}"), "")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _server(rule: Rule) -> str:
    if not rule.cel:
        return "The API server cannot tell: it sees values that are filled in."
    return "" if len(expression(rule)) > 100 else f"At the API server: `{expression(rule)}`."


if __name__ == "__main__":
    with exit_with_words():
        main()
