"""From a crontab to a run: what the importer writes into a manifest is what cronrun reads."""

import os
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from cronlift.cli.main import main
from tests.unit.legacy.cronrun_folder import Ran, cronrun

TAB = """\
SHELL=/bin/bash
GREETING = "hello  there"
MAILTO=""
* * * * * echo "$GREETING" '{{ ds }} $(HOME) $$' ${#BASH_VERSINFO[@]}; echo to stderr >&2; exit 3
* * * * * cat; echo end%one%two \\%%
* * * * * mysql -pgeheim shop
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Import the tab and mount each line's Pod annotations as its manifest says."""
    repo = tmp_path_factory.mktemp("repo")
    (repo / "teams.yaml").write_text("teams: {demo: {}}\n")
    (repo / "tab").write_text(TAB)
    done = CliRunner().invoke(
        main,
        ["import", str(repo / "tab"), "--flavour", "debian", "--format", "user", "--timezone", "Europe/Paris",
         "--team", "demo", "--repo", str(repo), "--live"],
    )  # fmt: skip
    assert done.exit_code in (0, 1), done.output
    found = []
    for path in sorted((repo / "dags/demo/jobs").rglob("*.yaml")):
        template = yaml.safe_load(path.read_text())["spec"]["template"]
        annotations = template["metadata"]["annotations"] | {"cronlift.dev/run-id": "manual__2026-01-01T00:00:00+00:00"}
        folder = tmp_path_factory.mktemp("job")
        (mounted,) = [volume["downwardAPI"] for volume in template["spec"]["volumes"] if "downwardAPI" in volume]
        for item in mounted["items"]:
            name = item["fieldRef"]["fieldPath"].removeprefix("metadata.annotations['").removesuffix("']")
            (folder / item["path"]).write_text(annotations[name])
        found.append(folder)
    return found


def run(folders: list[Path], part: str) -> Ran:
    (folder,) = [each for each in folders if part in (each / "command").read_text()]
    return cronrun(folder, {**os.environ, "MYSQL_PWD": "from the Secret"})


def test_command_variables_and_exit_code_arrive_as_they_were(folders: list[Path]) -> None:
    ran = run(folders, "GREETING")
    assert ran.lines[:2] == ["hello  there {{ ds }} $(HOME) $$ 6", "to stderr"]
    assert ran.code == 3
    assert ":4) ran: exit 3" in ran.last


def test_input_arrives_with_its_line_feeds(folders: list[Path]) -> None:
    assert run(folders, "cat; echo").lines[:-1] == ["one", "two %", "end"]


def test_password_is_nowhere_but_in_the_secret(folders: list[Path]) -> None:
    assert len(folders) == 3
    for folder in folders:
        for path in folder.iterdir():
            assert "geheim" not in path.read_text()
