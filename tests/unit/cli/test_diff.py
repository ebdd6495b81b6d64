"""`cronlift diff` on a real repository: the base is read from git, and only what the change can affect is parsed."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from cronlift.authoring.new_dag import NewDag
from cronlift.cli import diff
from cronlift.cli.main import main

AT = ("--at", "2026-11-28T00:00:00+00:00")
TEAMS = "teams:\n" + "".join(
    f"  {name}: {{namespace: team-{name}, path: dags/{name}, owners: ['@{name}']}}\n" for name in ("a", "b")
)


def git(repo: Path, *words: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    subprocess.run(["git", *identity, *words], cwd=repo, check=True, capture_output=True)


@pytest.fixture
def repo(platform: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with a DAG of each of two teams, committed on main."""
    monkeypatch.chdir(platform)
    (platform / "teams.yaml").write_text(TEAMS)
    for team in ("a", "b"):
        for name, text in NewDag(team, f"dags/{team}", "mail", "15 5 * * *", "Europe/Paris", "legacy").files().items():
            (platform / name).parent.mkdir(parents=True, exist_ok=True)
            (platform / name).write_text(text)
    git(platform, "init", "-q", "--initial-branch=main")
    git(platform, "add", "--all")
    git(platform, "commit", "-q", "-m", "Begin")
    return platform


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return which teams would be parsed on each side; parsing them takes seconds."""
    from cronlift.airflow import facts_pool

    found: list[list[str]] = []

    def load(root: Path, bundles: list[facts_pool.Bundle], **more: object) -> list[object]:
        found.append([each.name for each in bundles])
        return []

    monkeypatch.setattr(facts_pool, "load_facts", load)
    return found


def edit(repo: Path, file: str, before: str, after: str) -> None:
    text = (repo / file).read_text()
    assert before in text
    (repo / file).write_text(text.replace(before, after))


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["diff", "--base", "main", *AT, *words])
    return done.exit_code, done.stdout, done.stderr


def test_what_changes_is_told_before_and_after(repo: Path) -> None:
    edit(repo, "dags/a/mail.py", "15 5", "0 6")
    edit(repo, "dags/a/jobs/mail.yaml", "cpu: 50m", "cpu: 500m")
    edit(repo, "charts/environments/production.yaml", "8d1e44a09b7c", "1.10")
    code, out, err = run("--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["teams"] == ["a", "b"]
    images = "registry.example.com/cronlift/legacy:8d1e44a09b7c", "registry.example.com/cronlift/legacy:1.10"
    assert [(each["image"], each["before"], each["after"]) for each in found["images"]] == [
        (images[1], 0, 2),
        (images[0], 2, 0),
    ]
    changed, other = found["dags"]
    assert {each["name"]: (each["before"], each["after"]) for each in changed["fields"]} == {
        "schedule": ("15 5 * * * Europe/Paris", "0 6 * * * Europe/Paris"),
        "task mail: images": images,
        "task mail: requests": ("cpu 0.05, memory 32Mi", "cpu 0.5, memory 32Mi"),
    }
    assert [each["name"] for each in other["fields"]] == ["task mail: images"]
    assert (changed["runs_before"][0], changed["runs_after"][0]) == (
        "2026-11-28T04:15:00+00:00",
        "2026-11-28T05:00:00+00:00",
    )
    assert [hour["hour"] for hour in found["hours"] if hour["cpu_before"] != hour["cpu_after"]] == [4, 5]
    (warning,) = found["warnings"]
    assert "has its next run at Sat 2026-11-28 05:00 UTC" in warning["text"]


def test_a_team_with_a_repository_of_its_own_says_who_it_is(
    repo: Path, parsed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo / "dags/a")
    (repo / "teams.yaml").unlink()
    (repo / "dags/b/mail.py").unlink()
    assert run("--team", "a") == (0, "No DAG differs from main.\n", "")
    edit(repo, "dags/a/mail.py", "15 5", "0 6")
    assert run("--team", "a")[0] == 0
    assert parsed == [["a"], ["a"]]


def test_only_the_folder_of_the_team_that_changes_is_parsed(repo: Path, parsed: list[list[str]]) -> None:
    edit(repo, "dags/a/mail.py", "15 5", "0 6")
    (repo / "README.md").write_text("new and not committed\n")
    assert run()[0] == 0
    assert parsed == [["a"], ["a"]]


def test_a_new_image_of_production_concerns_all_teams_whose_files_are_parsed_once(
    repo: Path, parsed: list[list[str]]
) -> None:
    edit(repo, "charts/environments/production.yaml", "8d1e44a09b7c", "1.10")
    assert run()[0] == 0
    assert parsed == [["a", "b"]]


def test_a_page_of_the_docs_parses_nothing(repo: Path, parsed: list[list[str]]) -> None:
    (repo / "README.md").write_text("new\n")
    assert run() == (0, "No DAG differs from main.\n", "")
    assert parsed == []


def test_an_environment_that_is_no_yaml_is_said_with_its_line(repo: Path) -> None:
    (repo / "charts/environments/production.yaml").write_text("jobImages: {legacy: [\n")
    done = CliRunner().invoke(main, ["diff", "--base", "main"])
    assert done.exit_code == 1
    assert "charts/environments/production.yaml:2: is no YAML: while parsing a flow node" in done.stderr


@pytest.mark.parametrize("base", ["nope", "--upload-pack=x"])
def test_a_base_that_is_not_there_is_said_with_its_cure(repo: Path, base: str) -> None:
    done = CliRunner().invoke(main, ["diff", f"--base={base}"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert repr(base) in done.stderr
    assert "Name a " in done.stderr


def test_one_team_of_fifty_is_affected_by_its_own_files_alone() -> None:
    teams = {
        name: diff.TeamEntry(name, name, f"dags/{name}", ("@x",)) for name in (f"team{number}" for number in range(50))
    }
    assert diff.affected(["dags/team7/x.py", "docs/x.md", "dags/team70/x.py"], teams, teams) == ["team7"]
    assert len(diff.affected(["docs/x.md"], teams, teams, all_of_them=True)) == 50
    assert diff.affected([], {}, {"new": teams["team1"]}) == ["new"]
