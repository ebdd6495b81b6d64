"""Our workflows call make alone, with the least rights; and `make pr` runs the pull request's as GitHub does."""

import json
import re
import shlex
import subprocess

import pytest
import yaml

from ci import pull_request, verdict
from ci.errors import UserError
from ci.paths import ROOT
from ci.workflow import expressions, fill, holds, read_jobs

FOLDER = ROOT / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yaml"))
every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
WRITES = {
    ("comment", "pull-requests"), ("main", "packages"), ("main", "id-token"), ("main", "attestations"),
    ("release", "contents"), ("release", "packages"), ("release", "id-token"), ("release", "attestations"),
}  # fmt: skip
"""Every right to write that a workflow has."""

SECRETS = {("release", "CHART_SIGNING_KEY")}


def given(path):
    return yaml.safe_load(path.read_text())


def targets():
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@every_workflow
def test_every_command_of_a_workflow_is_a_make_target(path):
    for job in given(path)["jobs"].values():
        for step in job.get("steps", []):
            if "run" in step:
                words = [word for word in shlex.split(step["run"]) if not word.startswith("--preserve-env")]
                words = words[1:] if words[0] == "sudo" else words
                assert words[0] == "make", step["run"]
                assert words[1] in targets(), step["run"]
                assert all("=" in word for word in words[2:]), step["run"]


@every_workflow
def test_a_workflow_has_no_right_but_what_each_job_asks_for(path):
    assert given(path)["permissions"] == {}
    for name, job in given(path)["jobs"].items():
        writes = {(path.stem, right) for right, value in job["permissions"].items() if value != "read"}
        assert writes <= WRITES, name


@every_workflow
def test_only_the_release_sees_a_secret(path):
    secrets = {(path.stem, name) for name in re.findall(r"secrets\.(\w+)", path.read_text())}
    assert secrets <= SECRETS


def test_the_night_runs_the_live_tiers_in_their_long_form_with_the_charts_history():
    jobs = given(FOLDER / "nightly.yaml")["jobs"].values()
    [job] = [job for job in jobs if any("make test-live" in step.get("run", "") for step in job.get("steps", []))]
    [depth] = [step["with"]["fetch-depth"] for step in job["steps"] if "actions/checkout" in step.get("uses", "")]
    assert depth == 0  # ci.chart_install upgrades from the last commit with another chart
    assert 240 < job["timeout-minutes"] < 360


def test_a_pull_request_runs_without_secrets_on_a_token_that_only_reads():
    text = (FOLDER / "pull-request.yaml").read_text()
    assert set(given(FOLDER / "pull-request.yaml")[True]) == {"pull_request"}
    assert "pull_request_target" not in "".join(path.read_text() for path in WORKFLOWS)
    assert not re.search(r"secrets\.|github\.token|GITHUB_TOKEN", text + (FOLDER / "kind.yaml").read_text())
    for job in given(FOLDER / "pull-request.yaml")["jobs"].values():
        assert job["permissions"] == {"contents": "read"}


def test_jobs_that_compare_have_the_merge_commits_history():
    workflow = given(FOLDER / "pull-request.yaml")
    assert workflow["env"] == {"BASE": "HEAD^1"}
    for name in ("plan", "check", "summary"):
        assert workflow["jobs"][name]["steps"][0]["with"]["fetch-depth"] == 0, name


@every_workflow
def test_no_expression_stands_in_a_command_where_its_text_would_be_run(path):
    for job in given(path)["jobs"].values():
        for step in job.get("steps", []):
            assert list(expressions(step.get("run", ""))) == []


def test_the_comment_is_written_by_the_default_branchs_code_on_a_finished_run_alone():
    workflow = given(FOLDER / "comment.yaml")
    assert workflow[True] == {"workflow_run": {"workflows": ["pull request"], "types": ["completed"]}}
    [job] = workflow["jobs"].values()
    assert [step.get("run") for step in job["steps"]] == [None, "make comment"]
    assert set(job["steps"][0]["with"]) == {"persist-credentials"}


def test_the_verdict_waits_for_every_job_of_the_pull_request():
    jobs = {job.id: job for job in read_jobs((FOLDER / "pull-request.yaml").read_text())}
    assert set(jobs["verdict"].needs) == set(jobs) - {"verdict"}
    assert {job.id for job in jobs.values() if job.condition.startswith("needs.plan")} == verdict.MAY_BE_SKIPPED


@pytest.mark.parametrize(
    ("needs", "faults"),
    [
        ({"check": "success", "images": "skipped"}, []),
        ({"check": "failure", "images": "skipped"}, ["check: failure"]),
        ({"check": "skipped"}, ["check: skipped"]),
        ({"check": "success", "live": "cancelled", "images": "failure"}, ["live: cancelled", "images: failure"]),
        ({"check": "success", "live": ""}, ["live: "]),
    ],
)
def test_only_what_the_plan_may_leave_out_may_be_skipped(needs, faults):
    assert verdict.faults({name: {"result": result} for name, result in needs.items()}) == faults


CONTEXT = {"needs": {"plan": {"outputs": {"images": "a b", "live": "false"}}}, "github": {"sha": "1"}, "inputs": {}}


@pytest.mark.parametrize(
    ("condition", "failed", "runs"),
    [
        ("", False, True), ("", True, False), ("always()", True, True), ("failure()", True, True),
        ("failure()", False, False), ("needs.plan.outputs.images != ''", False, True),
        ("needs.plan.outputs.images != ''", True, False), ("needs.plan.outputs.live == 'true'", False, False),
        ("needs.plan.outputs.nothing != ''", False, False), ("${{ needs.plan.outputs.live == 'false' }}", False, True),
    ],
)  # fmt: skip
def test_conditions_are_judged_as_github_judges_them(condition, failed, runs):
    assert holds(condition, CONTEXT, failed=failed) is runs


def test_expressions_are_filled_in():
    assert fill("x ${{ needs.plan.outputs.images }} ${{github.sha}}", CONTEXT) == "x a b 1"
    assert json.loads(fill("${{ toJSON(needs) }}", CONTEXT))["plan"]["outputs"]["live"] == "false"


@pytest.mark.parametrize("text", ["${{ secrets.X }}", "${{ format('{0}', github.sha) }}", "${{ github.sha || '' }}"])
def test_an_expression_that_is_not_known_is_refused(text):
    with pytest.raises(UserError, match="cannot be filled in at home"):
        fill(text, CONTEXT)


@pytest.mark.parametrize("condition", ["github.actor == 'x' && true", "!cancelled()", "contains(github.ref, 'x')"])
def test_a_condition_that_is_not_known_is_refused(condition):
    with pytest.raises(UserError, match="cannot be judged at home"):
        holds(condition, CONTEXT, failed=False)


SMALL = """\
on: pull_request
env: {BASE: HEAD^1}
jobs:
  last:
    needs: [first, called, left, behind]
    if: always()
    env: {NEEDS: "${{ toJSON(needs) }}"}
    steps: [{run: 'echo "$NEEDS" > needs.json'}]
  first:
    outputs: {images: "${{ steps.plan.outputs.images }}", live: "${{ steps.plan.outputs.live }}"}
    steps:
      - uses: actions/checkout@1
      - {id: plan, run: 'echo "images=a b" >> "$GITHUB_OUTPUT"; echo live=false >> "$GITHUB_OUTPUT"; echo $BASE >> log'}
  built:
    needs: first
    if: needs.first.outputs.images != ''
    env: {IMAGES: "${{ needs.first.outputs.images }}"}
    steps:
      - {run: 'echo "built $IMAGES" >> log; false | true'}
      - {run: echo not reached >> log}
      - {if: failure(), run: 'echo "after the failure" >> log'}
  behind:
    needs: [built]
    steps: [{run: echo never >> log}]
  live:
    needs: [first]
    if: needs.first.outputs.live == 'true'
    steps: [{run: echo never >> log}]
  left:
    steps: [{run: echo never >> log}]
  called:
    needs: [first]
    uses: ./.github/workflows/other.yaml
    with: {words: "${{ needs.first.outputs.images }}"}
"""
OTHER = """\
on:
  workflow_call:
    inputs: {words: {type: string}, more: {type: string, default: by default}}
jobs:
  only:
    env: {WORDS: "${{ inputs.words }} ${{ inputs.more }}"}
    steps: [{run: 'echo "called $WORDS" >> log'}]
"""


@pytest.fixture
def repo(tmp_path):
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "pull-request.yaml").write_text(SMALL)
    (folder / "other.yaml").write_text(OTHER)
    return tmp_path


def test_the_workflows_own_steps_run_in_order_with_its_conditions_and_outputs(repo):
    outcomes = pull_request.run_workflow(repo, "0123", {"left": "not here"})
    assert {name: each.result for name, each in outcomes.items()} == {
        "first": "success", "built": "failure", "behind": "skipped", "live": "skipped", "left": "skipped",
        "called": "success", "last": "success",
    }  # fmt: skip
    assert sorted((repo / "log").read_text().splitlines()) == [
        "0123", "after the failure", "built a b", "called a b by default",
    ]  # fmt: skip
    needs = json.loads((repo / "needs.json").read_text())
    assert needs["first"] == {"result": "success", "outputs": {"images": "a b", "live": "false"}}
    assert needs["behind"]["result"] == "skipped"
    text = pull_request.report(outcomes)
    assert "- left       skipped       0 s: not here" in text
    assert "- live       skipped       0 s: not needed" in text
    assert "✗ built" in text


def test_an_action_that_nobody_knows_is_refused(repo):
    text = SMALL.replace("actions/checkout", "acme/deploy")
    (repo / ".github/workflows/pull-request.yaml").write_text(text)
    with pytest.raises(UserError, match="acme/deploy is not known at home"):
        pull_request.run_workflow(repo, "1", {"left": "x"})


def test_jobs_that_wait_for_each_other_are_refused():
    with pytest.raises(UserError, match="wait for what never comes"):
        read_jobs("jobs: {a: {needs: b, steps: []}, b: {needs: a, steps: []}}")


def test_everything_that_our_own_workflow_asks_for_is_understood():
    outputs = {"images": "a", "summary": "true", "live": "true"}
    needs = {name: {"result": "success", "outputs": outputs} for name in ("plan", "check", "summary", "images", "live")}
    context = {"needs": needs, "github": {}, "vars": {}, "inputs": {"tests": ""}, "steps": {"plan": {}}}
    for path in (FOLDER / "pull-request.yaml", FOLDER / "kind.yaml"):
        for job in read_jobs(path.read_text()):
            assert holds(job.condition, context, failed=False)
            for text in [*job.env.values(), *job.outputs.values(), *job.inputs.values()]:
                fill(text, context)
            for step in job.steps:
                holds(step.condition, context, failed=False)
                assert not step.action or step.action in pull_request.NOTHING_TO_DO


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["BASE=HEAD", "ARGS=--skip=nothing"], "There is no job nothing"),
        (["BASE=nothing"], "Name a commit that is here"),
    ],
)
def test_make_pr_refuses_a_job_and_a_base_that_are_not_there(words, told):
    command = ["make", "pr", *words, f"PYTHON={ROOT / '.venv/bin/python'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert told in done.stderr
