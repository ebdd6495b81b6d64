"""What a change needs follows from its files alone, and what no rule knows needs everything."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ci import check
from ci import plan as planning
from ci.errors import UserError
from ci.paths import ROOT
from ci.plan import Facts, plan
from ci.repo_files import repo_files

FACTS = Facts(
    checks=(*planning.SELECTED, "lint", "yaml"),
    images=("airflow", "invoices", "legacy"),
    environments=("local", "production"),
    teams={f"dags/team{number}": f"team{number}" for number in range(50)},
)
ALWAYS = {"lint", "yaml"}


@pytest.mark.parametrize(
    ("file", "checks", "images", "dag_diff", "chart_diff", "live"),
    [
        ("docs/faults.md", set(), (), False, False, False),
        ("README.md", set(), (), False, False, False),
        ("dags/team7/x.py", {"DAG tests"}, (), True, False, False),
        ("dags/team7/jobs/x.yaml", {"DAG tests"}, (), True, False, False),
        ("images/legacy/rootfs/opt/x.sh", {"package tests", "tests of ci"}, ("legacy",), False, False, True),
        ("images/legacy/README.md", {"package tests", "tests of ci"}, (), False, False, True),
        ("charts/cronlift/values.yaml", {"chart tests", "package tests"}, (), False, True, True),
        ("tests/unit/ci/test_x.py", {"tests of ci", "package tests"}, (), False, False, False),
        ("tests/e2e/test_x.py", set(), (), False, False, True),
        ("plugins/src/cronlift/errors.py", {"package tests", "chart tests", "DAG tests", "types", "imports"},
         ("airflow",), True, False, True),
    ],
)  # fmt: skip
def test_only_what_a_file_can_affect_runs(file, checks, images, dag_diff, chart_diff, live):
    found = plan([file], FACTS)
    assert set(found.checks) == checks | ALWAYS
    assert (found.images, found.dag_diff, bool(found.environments), found.live) == (images, dag_diff, chart_diff, live)


@pytest.mark.parametrize("file", ["ci/check.py", "versions.env", "Makefile", "pyproject.toml", "a-new-folder/x"])
def test_what_no_rule_knows_needs_everything(file):
    found = plan(["README.md", file], FACTS)
    assert (found.checks, found.images) == (FACTS.checks, FACTS.images)
    assert found.environments == FACTS.environments
    assert found.dag_diff
    assert found.live
    assert len(found.teams) == 50


@pytest.mark.parametrize(
    "text", ["teams: [", "teams: {billing: }", "teams: [billing]", "teams: {billing: {}}", "", "[]", "- x\n\t- y", None]
)
def test_a_teams_file_that_cannot_be_read_needs_everything_and_ends_nothing(tmp_path, monkeypatch, text):
    if text is not None:
        (tmp_path / "teams.yaml").write_text(text)
    monkeypatch.setattr(check, "checks", lambda root: [check.Check(name, ()) for name in FACTS.checks])
    (tmp_path / "charts/environments").mkdir(parents=True)
    found = plan(["teams.yaml"], planning.facts(tmp_path))
    assert (found.checks, found.teams) == (FACTS.checks, ())
    assert found.live
    assert "(teams.yaml cannot be read)" in planning.words(found, ["teams.yaml"])


def test_pages_that_the_rules_name_are_there():
    named = [name for patterns, _ in planning.RULES for name in patterns if "*" not in name and name.endswith(".md")]
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_lock_is_an_input_of_one_image_but_may_change_every_check():
    assert plan(["uv.lock"], FACTS).checks == FACTS.checks


def test_a_change_of_one_team_of_fifty_is_a_matter_of_that_team():
    assert plan(["dags/team7/x.py", "docs/faults.md"], FACTS).teams == ("team7",)
    assert len(plan(["teams.yaml"], FACTS).teams) == 50


def test_files_add_up_and_the_first_one_is_the_reason():
    found = plan(["dags/team1/b.py", "dags/team1/a.py", "charts/cronlift/values.yaml"], FACTS)
    assert {"DAG tests", "chart tests"} <= set(found.checks)
    assert found.reasons["DAG tests"] == "dags/team1/a.py"


def test_the_checks_that_may_be_left_out_are_checks_of_this_repo():
    facts = planning.facts()
    assert set(planning.SELECTED) <= set(facts.checks)
    assert facts.images == ("airflow", "invoices", "legacy")
    assert facts.teams["dags/demo"] == "demo"


@pytest.mark.parametrize(("tier", "name"), [("unit", "package tests"), ("chart", "chart tests"),
                                             ("dags", "DAG tests"), ("unit/ci", "tests of ci")])  # fmt: skip
def test_a_page_that_tests_read_runs_these_tests(tier, name):
    for path in sorted((ROOT / "tests" / tier).rglob("test_*.py")):
        if (tier == "unit" and "unit/ci" in path.as_posix()) or path.name == Path(__file__).name:
            continue
        for page in re.findall(r'ROOT / "(docs/[a-z-]+\.md)"', path.read_text()):
            assert name in plan([page], planning.facts()).checks, f"{path.name} reads {page}: add it to ci/plan.py"


@pytest.mark.parametrize(("actions", "form"), [("true", ["--format=github"]), ("", [])])
def test_the_dags_check_of_a_change_looks_at_what_it_can_affect_and_marks_its_lines(monkeypatch, actions, form):
    monkeypatch.setenv("GITHUB_ACTIONS", actions)
    [dags] = [each for each in check.checks(ROOT, "main") if each.name == "DAGs"]
    assert list(dags.command[1:]) == ["check", "--base=main", *form]
    [dags] = [each for each in check.checks(ROOT) if each.name == "DAGs"]
    assert list(dags.command[1:]) == ["check", *form]


def test_every_file_of_the_repo_has_a_rule_but_the_machinery():
    without = {name.partition("/")[0] for name in repo_files(ROOT) if planning._needs(name) == [planning.EVERYTHING]}
    assert without == {
        ".ci", ".hadolint.yaml", ".pre-commit-config.yaml", ".yamllint.yaml", "Makefile", "ci", "pyproject.toml",
        "tests", "uv.lock", "versions.env",
    }  # fmt: skip


@pytest.fixture
def repo(tmp_path):
    """A repo with one commit on main and a branch."""

    def git(*words):
        done = subprocess.run(["git", "-C", tmp_path, "-c", "user.name=x", "-c", "user.email=x@x", *words],
                              check=True, capture_output=True, text=True)  # fmt: skip
        return done.stdout

    git("init", "-q", "-b", "main")
    for name in ("kept", "gone", "renamed"):
        (tmp_path / name).write_text(name)
    git("add", ".")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "work")
    return tmp_path, git


def test_deleted_renamed_uncommitted_and_new_files_are_changes(repo):
    folder, git = repo
    git("rm", "-q", "gone")
    git("mv", "renamed", "now")
    git("commit", "-qm", "two")
    (folder / "kept").write_text("edited")
    (folder / "new").write_text("")
    assert planning.changed_files("main", folder) == ["gone", "kept", "new", "now", "renamed"]


def test_what_happened_on_the_base_meanwhile_is_no_change(repo):
    folder, git = repo
    (folder / "mine").write_text("")
    git("add", ".")
    git("commit", "-qm", "mine")
    git("checkout", "-q", "main")
    (folder / "theirs").write_text("")
    git("add", ".")
    git("commit", "-qm", "theirs")
    git("checkout", "-q", "work")
    assert planning.changed_files("main", folder) == ["mine"]


def test_a_pull_request_is_compared_with_what_it_was_merged_into(repo):
    folder, git = repo
    (folder / "mine").write_text("")
    git("add", ".")
    git("commit", "-qm", "mine")
    git("checkout", "-q", "main")
    (folder / "theirs").write_text("")
    git("add", ".")
    git("commit", "-qm", "theirs")
    git("merge", "-q", "--no-ff", "-m", "What GitHub checks out", "work")
    base = yaml.safe_load((ROOT / ".github/workflows/pull-request.yaml").read_text())["env"]["BASE"]
    assert planning.changed_files(base, folder) == ["mine"]


@pytest.mark.parametrize("base", ["nothing", "--output=/tmp/x", ""])
def test_a_base_that_is_not_there_is_refused_with_the_cure(repo, base):
    with pytest.raises(UserError, match="make plan BASE=main"):
        planning.changed_files(base, repo[0])


def test_a_workflow_gets_the_plan_as_outputs(tmp_path, monkeypatch, capsys):
    sink = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(sink))
    monkeypatch.setattr(planning, "changed_files", lambda base: ["images/legacy/Dockerfile"])
    monkeypatch.setattr("sys.argv", ["make plan", "--json"])
    planning.main()
    assert sink.read_text() == "images=legacy\nsummary=false\nlive=true\n"
    assert json.loads(capsys.readouterr().out)["images"] == ["legacy"]


def test_a_folder_that_can_be_no_image_is_refused_before_it_becomes_an_output():
    found = plan(["Makefile"], Facts(("lint",), ("x y",), (), {}))
    with pytest.raises(UserError, match="x y"):
        planning.outputs(found)
