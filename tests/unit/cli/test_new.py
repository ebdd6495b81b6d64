"""`cronlift new team` and `new dag`: what they write, and what they refuse."""

import ast
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from cronlift.cli.main import main
from tests.unit.cli.conftest import TEAMS

BILLING = """\
  billing:
    namespace: team-billing
    path: dags/billing
    owners: ["@org/billing", "b@example.com"]
"""


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["new", *words])
    return done.exit_code, done.stdout, done.stderr


def tree(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_a_new_team_is_added_to_teams_yaml_with_its_folder_and_reviewers(platform: Path) -> None:
    code, out, err = run("team", "billing", "--owner", "@org/billing", "--owner", "b@example.com")
    assert (code, err) == (0, "")
    assert out.endswith("Next: make new-dag TEAM=billing NAME=send_invoices\n")
    assert (platform / "teams.yaml").read_text() == TEAMS + BILLING
    assert "`team-billing`" in (platform / "dags/billing/README.md").read_text()
    assert "/dags/billing/ @org/billing b@example.com\n" in (platform / ".github/CODEOWNERS").read_text()
    assert CliRunner().invoke(main, ["teams", "--check"]).exit_code == 0


def test_a_new_team_changes_codeowners_that_is_there(platform: Path) -> None:
    CliRunner().invoke(main, ["teams"])
    code, out, _ = run("team", "billing", "--json")
    assert (code, json.loads(out)["written"]) == (0, ["dags/billing/README.md"])
    assert json.loads(out)["changed"] == ["teams.yaml", ".github/CODEOWNERS"]


@pytest.mark.parametrize(
    ("words", "faults"),
    [
        pytest.param(
            ("Bad_Team-", "--owner", "#x"),
            ["holds 'B' 'T' '_'", "does not begin", "does not end", "'#x' is no reviewer"],
            id="name",
        ),
        pytest.param(("demo",), ["teams.yaml:3: the team 'demo' is there already"], id="known"),
        pytest.param(("billing", "--namespace", "team-demo"), ["also that of team 'demo'"], id="namespace of another"),
        pytest.param(
            ("billing", "--namespace", "A b"), ["teams.billing.namespace: 'A b' does not match"], id="no name"
        ),
        pytest.param(("",), ["the name of a team is empty"], id="empty"),
    ],
)
def test_a_wrong_team_is_refused_with_every_fault_and_nothing_is_written(
    platform: Path, words: tuple[str, ...], faults: list[str]
) -> None:
    before = tree(platform)
    code, out, err = run("team", *words)
    assert (code, out) == (1, "")
    assert [each for each in faults if each not in err] == []
    assert tree(platform) == before


def test_a_new_dag_is_a_dag_a_job_and_a_test(platform: Path) -> None:
    words = ("--schedule", "15  5 * * 1-5", "--timezone", "Europe/Paris")
    code, out, err = run("dag", "demo", "send_invoices", *words)
    assert (code, err) == (0, "")
    assert out.splitlines()[:3] == [
        "✓ Wrote dags/demo/send_invoices.py",
        "✓ Wrote dags/demo/jobs/send_invoices.yaml",
        "✓ Wrote tests/dags/demo/test_send_invoices.py",
    ]
    source = (platform / "dags/demo/send_invoices.py").read_text()
    assert 'CronTriggerTimetable("15 5 * * 1-5", timezone="Europe/Paris")' in source
    statements = [type(each).__name__ for each in ast.parse(source).body]
    assert statements == ["Expr", "ImportFrom", "ImportFrom", "With"]
    job = yaml.safe_load((platform / "dags/demo/jobs/send_invoices.yaml").read_text())
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "{{ images.legacy }}"
    assert '"demo__send_invoices"' in (platform / "tests/dags/demo/test_send_invoices.py").read_text()


def test_an_image_with_a_hyphen_is_no_subtraction(platform: Path) -> None:
    (platform / "images/invoice-mailer").mkdir(parents=True)
    (platform / "images/invoice-mailer/Dockerfile").write_text("FROM scratch\n")
    assert run("dag", "demo", "mail", "--image", "invoice-mailer")[0] == 0
    assert "\"{{ images['invoice-mailer'] }}\"" in (platform / "dags/demo/jobs/mail.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "faults"),
    [
        pytest.param(
            ("x", "My-Dag!", "--schedule", "99 * * *", "--timezone", "Mars", "--image", "nope"),
            [
                "6 faults:",
                "'My-Dag!', holds '!' '-' 'D' 'M'",
                "does not begin with a lower-case",
                "no team 'x'. Known: demo.",
                "4 fields instead of five",
                "no time zone 'Mars'",
                "has a job image 'nope'",
            ],
            id="all at once",
        ),
        pytest.param(("demo", "a" * 61), ["has 61 characters, more than 60"], id="long"),
        pytest.param(("demo", ""), ["the name of a DAG is empty"], id="empty"),
        pytest.param(("demo", "../x"), ["holds '.' '/'"], id="another folder"),
    ],
)
def test_a_wrong_dag_is_refused_with_every_fault_and_nothing_is_written(
    platform: Path, words: tuple[str, ...], faults: list[str]
) -> None:
    before = tree(platform)
    code, out, err = run("dag", *words)
    assert (code, out) == (1, "")
    assert [each for each in faults if each not in err] == []
    assert tree(platform) == before


def test_no_file_is_ever_overwritten_and_each_one_in_the_way_is_named(platform: Path) -> None:
    assert run("dag", "demo", "mail")[0] == 0
    (platform / "dags/demo/mail.py").unlink()
    before = tree(platform)
    code, out, _ = run("dag", "demo", "mail", "--json")
    assert code == 1
    assert [each["where"] for each in json.loads(out)["faults"]] == [
        "dags/demo/jobs/mail.yaml",
        "tests/dags/demo/test_mail.py",
    ]
    assert tree(platform) == before


def test_a_team_with_its_own_repository_is_told_where_its_dags_belong(platform: Path) -> None:
    text = TEAMS + "  away: {namespace: away, path: dags, owners: ['@a'], repo: finance}\n"
    (platform / "teams.yaml").write_text(text)
    assert "has a repository of its own, 'finance'" in run("dag", "away", "mail")[2]
