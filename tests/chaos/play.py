"""Let a fault strike a run, judge what became of it, and put the platform right again."""

import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ci.errors import CiError
from ci.paths import ROOT
from tests.chaos.airflow_faults import wait_rolled_out
from tests.chaos.catalogue import Fault
from tests.chaos.ground import Ground
from tests.chaos.judging import Expected, Kind, TaskSeen, judge
from tests.chaos.sweeping import sweep
from tests.live import measurements
from tests.live.killing import count_restarts, forgive_restarts
from tests.live.scratch_dag import delete_jobs

SETTLE_SECONDS = 30
FINDINGS_KEPT = 40


@dataclass
class Outcome:
    """What a fault did; a row of the table.

    Attributes:
        title: Of the fault.
        tasks: How many it struck.
        job_seconds: What each Job takes undisturbed.
        date: When.
        commit: Of this repo, with a plus when the tree was changed.
        counts: Findings by kind, in tasks.
        findings: The first of them, in words.
        orphans_before_sweep: Jobs of ended tasks that lived until the sweeper came.
        taken_over: How many tasks another triggerer took over.
        take_over_seconds: From the fault until the last of these went on.
        late_seconds: The longest time from the end of a Job to the end of its task.
        run_seconds: From the start of the run to its end.
        restarts: Component -> containers that restarted.
        error: Why it could not be judged at all.
    """

    title: str
    tasks: int
    job_seconds: int
    date: str
    commit: str
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    orphans_before_sweep: int = 0
    taken_over: int = 0
    take_over_seconds: float | None = None
    late_seconds: float | None = None
    run_seconds: float | None = None
    restarts: dict[str, int] = field(default_factory=dict)
    error: str | None = None

    @property
    def is_well(self) -> bool:
        """Whether it was judged and nothing was found."""
        return self.error is None and not self.findings

    def line(self) -> str:
        """Return it as a line of progress."""
        if self.error is not None:
            return f"✗ {self.title}: {self.error}"
        counts = ", ".join(f"{count} {kind}" for kind, count in self.counts.items() if count)
        took = f"{self.taken_over} taken over within {self.take_over_seconds:.0f} s, " if self.taken_over else ""
        late = f"last end seen after {self.late_seconds:.1f} s, " if self.late_seconds is not None else ""
        mark, words = ("✓", "none wrong") if self.is_well else ("✗", f"wrong: {counts}")
        return f"{mark} {self.title}: {self.tasks} tasks, {words}; {took}{late}run {self.run_seconds or 0:.0f} s"


def play(fault: Fault, ground: Ground) -> Outcome:
    """Let a fault strike a run of its DAG and judge it."""
    outcome = Outcome(
        fault.title, fault.shape.tasks, fault.shape.seconds, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", commit()
    )
    restarts = count_restarts()
    try:
        changes = fault.strike(ground)
        ground.wait_end()
        _judge(outcome, ground, changes)
    except (AssertionError, CiError, subprocess.SubprocessError) as error:
        outcome.error = str(error)
        ground.give_up()
    finally:
        wait_rolled_out()
        outcome.restarts = forgive_restarts(restarts)
        delete_jobs(ground.dag.dag_id)
    return outcome


def _judge(outcome: Outcome, ground: Ground, changes: Mapping[str, Expected]) -> None:
    ground.wait_settled(SETTLE_SECONDS)
    outcome.orphans_before_sweep = len(ground.live_jobs())
    if outcome.orphans_before_sweep:
        sweep()
        ground.wait_settled(SETTLE_SECONDS)
    seen = ground.observe()
    judgement = judge(seen.tasks, ground.plan(changes), ground.shape.seconds)
    outcome.counts = {kind.value: judgement.count(kind) for kind in Kind}
    outcome.findings = list(map(str, judgement.findings[:FINDINGS_KEPT]))
    _keep_logs(outcome.title, seen.tasks, {finding.task_id for finding in judgement.findings})
    outcome.taken_over, outcome.take_over_seconds = seen.taken_over, _rounded(seen.take_over_seconds)
    outcome.late_seconds, outcome.run_seconds = _rounded(seen.late_seconds), _rounded(seen.run_seconds)


def _keep_logs(title: str, tasks: Sequence[TaskSeen], task_ids: Collection[str]) -> None:
    """Keep what explains a finding: the logs of its tasks, as the UI shows them, and what was seen of their Jobs."""
    folder = measurements.BUILD / "chaos" / title.replace(" ", "-")
    for task in tasks:
        if task.task_id in task_ids:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{task.task_id}.log").write_text("\n".join([*map(repr, task.jobs), *task.log, ""]))


def commit() -> str:
    """Return the commit of the tree, with a plus when what runs was changed since."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "plugins", "charts", "images")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def from_json(row: dict[str, Any]) -> Outcome:
    """Return an outcome that was written as JSON."""
    return Outcome(**row)
