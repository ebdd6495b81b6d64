"""Keep the outcomes in build/, and the table of docs/faults.md equal to them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ci.paths import ROOT
from tests.chaos.play import Outcome, from_json
from tests.live import measurements

PAGE = ROOT / "docs/faults.md"
BEGIN, END = "<!-- `make chaos` writes from here -->", "<!-- to here -->"
HEAD = (
    "| fault | wrong verdict | run twice | log not whole | orphans before, after the sweeper | taken over | "
    "last end seen after | result |"
)


def keep(name: str, machine: dict[str, Any], outcome: Outcome, titles: Sequence[str]) -> list[Outcome]:
    """Write an outcome to build/<name>.json beside those of the other faults; return all.

    Args:
        name: Of the file.
        machine: What `measurements.machine` said.
        outcome: The new one.
        titles: Of every fault there is, in their order: outcomes of others are dropped.
    """
    path = measurements.BUILD / f"{name}.json"
    former = [from_json(row) for row in json.loads(path.read_text())["faults"]] if path.exists() else []
    by_title = {each.title: each for each in [*former, outcome]}
    kept = [by_title[title] for title in titles if title in by_title]
    measurements.write(name, machine, {"faults": [asdict(each) for each in kept]})
    return kept


def write_page(outcomes: Sequence[Outcome], machine: dict[str, Any], page: Path = PAGE) -> None:
    """Put the table of the outcomes between the page's marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{render(outcomes, machine)}\n\n{END}{after}")


def render(outcomes: Sequence[Outcome], machine: dict[str, Any]) -> str:
    """Return a paragraph on the machine, and the table."""
    days = sorted({outcome.date[:10] for outcome in outcomes})
    commits = sorted({outcome.commit for outcome in outcomes})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    where = (
        f"{span}, commit {', '.join(commits)}, {machine['cpus']} cores ({machine['cpu']}), "
        f"{machine['memory_gib']} GiB, kernel {machine['kernel']}. "
        f"{sum(outcome.is_well for outcome in outcomes)} of {len(outcomes)} faults passed."
    )
    return "\n".join([where, "", HEAD, "| --- " * HEAD.count(" | ") + "| --- |", *map(_row, outcomes)])


def _row(outcome: Outcome) -> str:
    if outcome.error is not None:
        return f"| {outcome.title} |  |  |  |  |  |  | not judged: {' '.join(outcome.error.split())[:160]} |"
    counts = outcome.counts
    took = f"{outcome.taken_over}, within {outcome.take_over_seconds:.0f} s" if outcome.taken_over else ""
    late = "" if outcome.late_seconds is None else f"{max(outcome.late_seconds, 0):.1f} s"
    cells: Iterable[object] = (
        outcome.title, counts["verdict"], counts["twice"], counts["log"],
        f"{outcome.orphans_before_sweep}, {counts['orphan']}", took, late, "passed" if outcome.is_well else "failed",
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"
