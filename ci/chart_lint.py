"""Lint the chart as chart-testing does, with every `ci/*-values.yaml`: `python -m ci.chart_lint`."""

import os
import sys
from pathlib import Path

from ci.paths import ROOT
from ci.process import run
from ci.stages import exit_with_words
from ci.tools import tool

OPTIONS = (
    "--charts=charts/cronlift",
    "--lint-conf=.yamllint.yaml",
    # The chart's maintainers are the repo's, and versions are the release workflow's matter.
    "--validate-maintainers=false",
    "--check-version-increment=false",
    # Needs yamale; `helm lint` reads Chart.yaml as well.
    "--validate-chart-schema=false",
)


def main() -> None:
    """Run `ct lint`; it finds helm and yamllint on PATH.

    Raises:
        CommandError: It found something; with its words.
    """
    folders = [str(tool("helm").parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    print(run(tool("ct"), "lint", *OPTIONS, cwd=ROOT, env={"PATH": os.pathsep.join(folders)}, timeout_seconds=120))


if __name__ == "__main__":
    with exit_with_words():
        main()
