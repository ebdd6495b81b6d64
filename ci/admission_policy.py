"""Write the rules of `cronlift.policy` into the chart: `python -m ci.admission_policy [--check]`."""

import argparse
from typing import Any

import yaml

from ci.errors import UserError
from ci.paths import ROOT
from ci.stages import exit_with_words
from cronlift.policy.admission import VARIABLES, validations

FILE = ROOT / "charts/cronlift/files/admission-policy.yaml"
HEAD = """\
# Written by `python -m ci.admission_policy` from plugins/src/cronlift/policy; `make check` compares.
# What the API server holds each team's Jobs to, over the variables that templates/teams/admission-policy.yaml sets.
# yamllint disable rule:line-length
"""


def main() -> None:
    """Write the file, or with --check fail when it is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when it would change")
    if parser.parse_args().check:
        if not FILE.exists() or FILE.read_text() != text():
            raise UserError(f"{FILE.relative_to(ROOT)} is not up to date", cure="Run: python -m ci.admission_policy")
        return
    FILE.write_text(text())


def text() -> str:
    """Return what the file should hold."""
    content = {
        "variables": [{"name": name, "expression": expression} for name, expression in VARIABLES.items()],
        "validations": validations(),
    }
    return HEAD + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=1_000_000)


class _Dumper(yaml.SafeDumper):
    """Indents lists, as the repository's other files."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        """See PyYAML."""
        return super().increase_indent(flow, False)


if __name__ == "__main__":
    with exit_with_words():
        main()
