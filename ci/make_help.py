"""Print the Makefile's targets: `##@ Section` lines and `target: ## Verb phrase.` lines."""

import re
import sys
from pathlib import Path


def render(makefile: str) -> str:
    """Return the help text of a Makefile, with its variables' defaults at the end."""
    lines = ["Usage: make TARGET [NAME=value ...]"]
    variables: list[str] = []
    for line in makefile.splitlines():
        if line.startswith("##@ "):
            lines += ["", line[4:]]
        elif target := re.match(r"([a-z-]+):[^#]*## (.*)", line):
            lines.append(f"  {target[1]:<10} {target[2]}")
        elif variable := re.match(r"(\w+) \?= ?([^#]*)# +(.*)", line):
            variables.append(f"  {variable[1]:<10} {variable[3]}{f' [{variable[2]}]' if variable[2] else ''}")
    return "\n".join([*lines, "", "Variables", *variables])


if __name__ == "__main__":
    print(render(Path(sys.argv[1]).read_text()))
