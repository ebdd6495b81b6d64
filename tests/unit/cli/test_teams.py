"""`cronlift teams`: what it checks, writes and returns."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cronlift.cli.main import main


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["teams", *words])
    return done.exit_code, done.stdout, done.stderr


def test_it_writes_codeowners_once_from_any_folder_of_the_repository(platform: Path) -> None:
    assert run() == (0, "✓ Wrote .github/CODEOWNERS\n✓ teams.yaml: 1 team, nothing differs from it\n", "")
    assert "/dags/demo/ @platform\n" in (platform / ".github/CODEOWNERS").read_text()
    assert run() == (0, "✓ teams.yaml: 1 team, nothing differs from it\n", "")


def test_a_file_in_the_root_is_written_there(platform: Path) -> None:
    (platform / "CODEOWNERS").write_text("* @infra\n")
    assert json.loads(run("--json")[1])["written"] == ["CODEOWNERS"]
    assert not (platform / ".github").exists()


def test_check_changes_nothing_and_names_the_first_line_that_differs(platform: Path) -> None:
    run()
    file = platform / ".github/CODEOWNERS"
    file.write_text(file.read_text() + "/charts/ @demo\n")
    lines = len(file.read_text().splitlines())
    code, out, err = run("--check")
    assert (code, out) == (1, "")
    assert err == (f"cronlift: .github/CODEOWNERS:{lines}: differs from teams.yaml. Run `cronlift teams`; commit.\n")
    assert file.read_text().endswith("/charts/ @demo\n")


def test_a_team_without_its_folder_is_a_fault_with_its_line(platform: Path) -> None:
    (platform / "dags/demo").rename(platform / "dags/moved")
    code, out, _ = run("--json", "--root", str(platform))
    assert code == 1
    (fault,) = json.loads(out)["faults"]
    assert fault["where"] == "teams.yaml:3: teams.demo.path"
    assert "'dags/demo'" in fault["what"]


def test_outside_of_a_repository_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run()
    assert code == 1
    assert "there is no teams.yaml in this folder or above it" in err
