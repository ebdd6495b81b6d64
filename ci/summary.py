"""What a change does to DAGs and environments, in Markdown: `python -m ci.summary [--base REF]`.

Goes to build/summary/summary.md, and in a workflow to the job's summary. The DAG diff is `cronlift diff`, the chart
diff that of `make diff`, for those environments that the plan names.
"""

import argparse
import os
import sys
from pathlib import Path

from ci import environment, plan
from ci.merge_base import merge_base
from ci.paths import ROOT
from ci.process import run
from ci.stages import Stage, exit_with_words

TARGET = ROOT / "build/summary/summary.md"
MAX_DIFF_LINES = 2000
"""Of one environment. A job's summary may have 1 MiB."""


def render(dag_diff: str, chart_diffs: dict[str, str]) -> str:
    """Return the page.

    Args:
        dag_diff: Markdown of `cronlift diff`; empty when no DAG can have changed.
        chart_diffs: Environment -> unified diff; empty when it renders as before.
    """
    parts = [dag_diff.strip()] if dag_diff.strip() else []
    if chart_diffs:
        parts.append("## What changes in the cluster")
    for name, text in chart_diffs.items():
        lines = text.splitlines()
        if not lines:
            parts.append(f"`{name}` renders as before.")
            continue
        changed = sum(line[:1] in "+-" and line[:3] not in ("+++", "---") for line in lines)
        shown = lines[:MAX_DIFF_LINES]
        if len(lines) > len(shown):
            shown.append(f"... {len(lines) - len(shown)} further lines: make diff ENV={name}")
        fence = "`" * max(3, longest_run("`", text) + 1)
        parts += [f"`{name}`: {changed} lines", "\n".join([f"{fence}diff", *shown, fence])]
    return "\n\n".join(parts or ["Nothing changes for DAGs and environments."]) + "\n"


def longest_run(character: str, text: str) -> int:
    """Return how often a character stands behind itself at most."""
    longest = count = 0
    for each in text:
        count = count + 1 if each == character else 0
        longest = max(longest, count)
    return longest


def main() -> None:
    """Write the page, and print it."""
    parser = argparse.ArgumentParser(prog="make summary", description=__doc__)
    parser.add_argument("--base", default="origin/main", help="the commit to compare with (origin/main)")
    base = merge_base(parser.parse_args().base)
    found = plan.for_change(base)
    dag_diff, chart_diffs = "", {}
    if found.dag_diff:
        with Stage("Compare the DAGs"):
            dag_diff = run(Path(sys.executable).parent / "cronlift", "diff", "--markdown", f"--base={base}", cwd=ROOT)
    for name in found.environments:
        with Stage(f"Compare environment {name}"):
            chart_diffs[name] = environment.diff(name, base)
    text = render(dag_diff, chart_diffs)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text)
    if sink := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(sink).open("a") as file:
            file.write(text)
    print(text)


if __name__ == "__main__":
    with exit_with_words():
        main()
