"""Run at home, in order, what the pull request's workflow runs: `make pr BASE=origin/main`.

Reads .github/workflows/pull-request.yaml itself, so the two cannot drift: the plan decides which jobs run, each `run`
step runs in the working tree, a job that calls another workflow runs that one's steps. Actions (checkout, cache,
upload) have nothing to do here.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ci.cluster.docker import why_docker_is_silent
from ci.errors import UserError
from ci.merge_base import merge_base
from ci.paths import ROOT
from ci.stages import exit_with_words
from ci.workflow import Job, Step, fill, holds, read_jobs

WORKFLOW = ".github/workflows/pull-request.yaml"
NOTHING_TO_DO = {"actions/checkout", "actions/cache", "actions/cache/restore", "actions/upload-artifact"}
"""The tree is here, the tools are cached, and what a run leaves behind stays in build/."""


@dataclass
class Outcome:
    """What became of a job, in GitHub's words: `success`, `failure` or `skipped`."""

    result: str
    outputs: dict[str, str]
    seconds: float = 0.0
    reason: str = ""


def run_workflow(root: Path, base: str, left_out: Mapping[str, str]) -> dict[str, Outcome]:
    """Run the jobs of the pull request's workflow and return what became of each.

    Args:
        root: The repo.
        base: What the change is compared with. On GitHub it is the first parent of the merge commit that is checked
            out; here nothing has been merged.
        left_out: Job -> why it does not run here.
    """
    outcomes: dict[str, Outcome] = {}
    for job in read_jobs((root / WORKFLOW).read_text()):
        needs = {name: {"result": outcomes[name].result, "outputs": outcomes[name].outputs} for name in job.needs}
        # As on GitHub: a job behind one that did not succeed does not run, unless it says always().
        blocked = any(outcomes[name].result != "success" for name in job.needs)
        context = {"needs": needs, "github": {"event_name": "pull_request"}, "vars": {}, "inputs": {}}
        if job.id in left_out:
            outcomes[job.id] = Outcome("skipped", {}, reason=left_out[job.id])
        elif not holds(job.condition, context, failed=blocked):
            outcomes[job.id] = Outcome("skipped", {}, reason="not needed" if not blocked else "a job before it")
        else:
            print(f"\n=== {job.id}", flush=True)
            started = time.monotonic()
            outcomes[job.id] = _run_job(replace(job, env={**job.env, "BASE": base}), context, root)
            outcomes[job.id].seconds = time.monotonic() - started
    return outcomes


def _run_job(job: Job, context: Mapping[str, Any], root: Path) -> Outcome:
    if job.calls:
        text = (root / job.calls).read_text()
        given = {name: fill(value, context) for name, value in job.inputs.items()}
        inner = {**context, "inputs": {**_defaults(text), **given}}
        results = [_run_job(each, inner, root).result for each in read_jobs(text)]
        return Outcome("failure" if "failure" in results else "success", {})
    steps: dict[str, Any] = {}
    failed = False
    for step in job.steps:
        inner = {**context, "steps": steps}
        if not holds(step.condition, inner, failed=failed):
            continue
        code, outputs = _run_step(step, {**job.env, **step.env}, inner, root)
        steps[step.id or step.name] = {"outputs": outputs}
        failed = failed or code != 0
    filled = {name: fill(text, {**context, "steps": steps}) for name, text in job.outputs.items()}
    return Outcome("failure" if failed else "success", filled)


def _defaults(text: str) -> dict[str, str]:
    # YAML 1.1 reads the key `on` as true.
    given = yaml.safe_load(text).get(True, {}).get("workflow_call") or {}
    return {name: str(entry.get("default", "")) for name, entry in (given.get("inputs") or {}).items()}


def _run_step(step: Step, env: Mapping[str, str], context: Mapping[str, Any], root: Path) -> tuple[int, dict[str, str]]:
    if step.action:
        if step.action not in NOTHING_TO_DO:
            raise UserError(f"The action {step.action} is not known at home", cure="Teach ci/pull_request.py.")
        return 0, {}
    print(f"$ {step.run}", flush=True)
    with tempfile.TemporaryDirectory(prefix="cronlift-pr-") as folder:
        files = {"GITHUB_OUTPUT": f"{folder}/output", "GITHUB_STEP_SUMMARY": f"{folder}/summary"}
        given = {name: fill(value, context) for name, value in env.items()}
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.run]
        done = subprocess.run(command, cwd=root, env={**_own_environment(), **given, **files}, check=False)
        output = Path(files["GITHUB_OUTPUT"])
        lines = output.read_text().splitlines() if output.exists() else []
    return done.returncode, dict(line.split("=", 1) for line in lines)


def _own_environment() -> dict[str, str]:
    """What make adds for its children would reach the makes that the steps call."""
    private = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "ARGS", "IMAGES", "TESTS")
    return {name: value for name, value in os.environ.items() if name not in private}


def report(outcomes: Mapping[str, Outcome]) -> str:
    """Return a line for each job."""
    mark = {"success": "✓", "failure": "✗", "skipped": "-"}
    lines = []
    for name, each in outcomes.items():
        reason = f": {each.reason}" if each.reason else ""
        lines.append(f"{mark[each.result]} {name:<10} {each.result:<8} {each.seconds:6.0f} s{reason}")
    return "\n".join(lines)


def jobs_that_cannot_run(skipped: Sequence[str]) -> dict[str, str]:
    """Return which jobs do not run here, and why."""
    found = {name: "left out by --skip" for name in skipped}
    if (why := why_docker_is_silent()) and "live" not in found:
        found["live"] = f"it brings up kind, and no Docker engine answers ({why}); make test runs the live tiers"
    return found


def main() -> None:
    """Run the jobs, print what became of each; exit 1 when one failed."""
    parser = argparse.ArgumentParser(prog="make pr", description=__doc__)
    parser.add_argument("--base", default="origin/main", help="what the pull request would be merged into")
    parser.add_argument("--skip", action="append", default=[], metavar="JOB", help="leave this job out")
    options = parser.parse_args()
    jobs = {job.id for job in read_jobs((ROOT / WORKFLOW).read_text())}
    if unknown := sorted(set(options.skip) - jobs):
        raise UserError(f"There is no job {', '.join(unknown)}", cure=f"The jobs are: {', '.join(sorted(jobs))}.")
    outcomes = run_workflow(ROOT, merge_base(options.base), jobs_that_cannot_run(options.skip))
    print(f"\n{report(outcomes)}")
    if any(each.result == "failure" for each in outcomes.values()):
        sys.exit(1)


if __name__ == "__main__":
    with exit_with_words():
        main()
