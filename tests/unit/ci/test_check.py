"""Each check is run for real on a small repo with one planted fault, and on the same repo without it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ci import foreign_paths, paths
from ci.check import BIN, Check, checks, choose, render_failure, render_line, run_all, run_check
from ci.errors import UserError
from cronlift.teams.codeowners import codeowners

GOOD = {
    ".yamllint.yaml": (paths.ROOT / ".yamllint.yaml").read_text(),
    ".hadolint.yaml": (paths.ROOT / ".hadolint.yaml").read_text(),
    ".importlinter": "[importlinter]\nroot_package = pack\n"
    "[importlinter:contract:1]\nname = inwards\ntype = layers\nlayers =\n    pack.outer\n    pack.inner\n",
    "pyproject.toml": '[tool.mypy]\nstrict = true\npackages = ["pack"]\nmypy_path = "plugins/src"\n'
    '[tool.ruff.lint]\nselect = ["F"]\n[project]\nname = "small"\nversion = "1"\nrequires-python = ">=3.11"\n',
    "uv.lock": 'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n'
    '[[package]]\nname = "small"\nversion = "1"\nsource = { virtual = "." }\n',
    "plugins/src/pack/__init__.py": "",
    "plugins/src/pack/inner.py": "ONE: int = 1\n",
    "plugins/src/pack/outer.py": "from pack.inner import ONE\n\nTWO = ONE + 1\n",
    "teams.yaml": "teams: {}\n",
    "charts/cronlift/values.schema.json": '{"type": "object", "properties": {"teams": {"type": "object"}}}\n',
    ".github/CODEOWNERS": codeowners({}, None),
    "scripts/run": '#!/usr/bin/env bash\necho "$1"\n',
    "images/x/Dockerfile": "ARG BASE=docker.io/library/debian:trixie-slim\nFROM ${BASE}\nUSER 1000\n",
    ".github/workflows/check.yaml": "name: check\non: push\npermissions: {}\n"
    "concurrency: {group: check, cancel-in-progress: true}\njobs:\n  check:\n    name: check\n"
    "    runs-on: ubuntu-24.04\n    timeout-minutes: 5\n    steps:\n      - run: make check\n",
    "tests/unit/test_one.py": "def test_one() -> None:\n    assert 1 == 1\n",
    "tests/unit/ci/test_four.py": "def test_four() -> None:\n    assert 4 == 4\n",
    "tests/dags/test_two.py": "def test_two() -> None:\n    assert 2 == 2\n",
    "tests/chart/test_three.py": "def test_three() -> None:\n    assert 3 == 3\n",
}

PLANTED = [
    ("package tests", "tests/unit/test_one.py", "1 == 1", "1 == 0", "test_one"),
    ("tests of ci", "tests/unit/ci/test_four.py", "4 == 4", "4 == 0", "test_four"),
    ("DAG tests", "tests/dags/test_two.py", "2 == 2", "2 == 0", "test_two"),
    ("chart tests", "tests/chart/test_three.py", "3 == 3", "3 == 0", "test_three"),
    ("types", "plugins/src/pack/inner.py", "= 1", '= "one"', "Incompatible types"),
    (
        "imports",
        "plugins/src/pack/inner.py",
        "ONE",
        "from pack import outer as outer\n\nONE",
        "pack.inner -> pack.outer",
    ),
    ("lint", "plugins/src/pack/inner.py", "ONE", "import os\n\nONE", "`os` imported but unused"),
    ("format", "plugins/src/pack/inner.py", " = 1", "=1", "inner.py"),
    ("yaml", "teams.yaml", "{}", "{}   ", "trailing spaces"),
    ("shell", "scripts/run", '"$1"', "$1", "SC2086"),
    ("dockerfiles", "images/x/Dockerfile", "USER 1000", "RUN cd /tmp", "DL3003"),
    ("teams", ".github/CODEOWNERS", "# Below", "# below", ".github/CODEOWNERS:6: differs from teams.yaml"),
    ("workflows", ".github/workflows/check.yaml", "ubuntu-24.04", "${{ matrix.nothing }}", '"nothing" is not defined'),
    ("workflow security", ".github/workflows/check.yaml", "make check", "echo ${{ github.head_ref }}", "template"),
    ("lock", "pyproject.toml", "requires-python", 'dependencies = ["nothing==1"]\nrequires-python', "nothing"),
    ("secrets", "scripts/run", 'echo "$1"', "mysql -uroot -ps3cret shop", "scripts/run:2: s... looks like a password"),
]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    for name, text in GOOD.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def find(repo: Path, name: str) -> Check:
    (check,) = choose(checks(repo), [name])
    return check


@pytest.mark.parametrize(("name", "file", "good", "bad", "words"), PLANTED, ids=[row[0] for row in PLANTED])
def test_check_passes_the_good_repo_and_fails_the_planted_fault(
    repo: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str, good: str, bad: str, words: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", "plugins/src")
    monkeypatch.setenv(
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"
    )  # they take seconds to import, and nothing here needs them
    if name == "secrets":  # a step of ci, where the small repo has none
        monkeypatch.setenv("PYTHONPATH", f"{paths.ROOT}:{paths.ROOT / 'plugins/src'}")
    if name == "lock":
        monkeypatch.setenv("UV_OFFLINE", "1")
    good_result = run_check(find(repo, name), repo)
    assert good_result.verdict == "passed", good_result.output
    text = (repo / file).read_text()
    assert good in text
    (repo / file).write_text(text.replace(good, bad, 1))
    result = run_check(find(repo, name), repo)
    assert result.verdict == "failed"
    assert words in result.output


def test_every_check_is_planted_here_or_tested_elsewhere(repo: Path) -> None:
    elsewhere = {"pins", "foreign paths", "DAGs", "admission policy"}
    assert {check.name for check in checks(repo)} == {row[0] for row in PLANTED} | elsewhere


def test_a_file_that_git_ignores_is_not_checked(repo: Path) -> None:
    (repo / ".gitignore").write_text("scripts/\n")
    assert find(repo, "shell").command == ()


def test_scripts_of_the_old_server_are_not_linted(repo: Path) -> None:
    before = find(repo, "shell").command
    old = repo / "images/legacy/rootfs/opt/jobs/rotate.sh"
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\necho $1\n")
    assert find(repo, "shell").command == before


def test_a_check_without_files_says_so_and_does_not_fail(repo: Path) -> None:
    shutil.rmtree(repo / "scripts")
    result = run_check(find(repo, "shell"), repo)
    assert result.verdict == "nothing to check"
    assert render_line(result, colour=False) == "· shell nothing to check"


def test_all_faults_are_reported_at_once_with_pasteable_commands(repo: Path, capsys: pytest.CaptureFixture) -> None:
    false = Check("one", ("bash", "-c", "echo 'a fault'; exit 3"))
    results = run_all([false, Check("two", ("true",)), Check("three", ("no-such-program",))], repo, quiet=False)
    assert [result.verdict for result in results] == ["failed", "passed", "failed"]
    assert sorted(line[:5] for line in capsys.readouterr().out.splitlines()) == ["✓ two", "✗ one", "✗ thr"]
    assert render_failure(results[0]) == "✗ one:\n  bash -c 'echo '\"'\"'a fault'\"'\"'; exit 3'\n  a fault"
    assert "no-such-program" in render_failure(results[2])


def test_unknown_check_is_refused_with_the_known_ones(repo: Path) -> None:
    with pytest.raises(UserError, match=r"(?s)No such check: spelling.*'lint'"):
        choose(checks(repo), ["spelling", "lint"])


def test_json_has_a_line_for_each_check() -> None:
    done = subprocess.run(
        [BIN / "python", "-m", "ci.check", "--json", "--only", "foreign paths"],
        capture_output=True,
        text=True,
        cwd=paths.ROOT,
        timeout=60,
        check=False,
    )
    (result,) = json.loads(done.stdout)
    assert result["name"] == "foreign paths"
    assert result["verdict"] == ("failed" if done.returncode else "passed")


def test_a_path_of_the_writers_machine_is_found(repo: Path) -> None:
    (repo / "scripts/run").write_text(
        '#!/bin/sh\ncd /srv/clone/of-anna\ncat "/srv/clone"/x /srv/cloned /data/srv/clone\n'
    )
    found = foreign_paths.foreign_paths(repo, ["/srv/clone", "/root"])
    assert [line.split(": ")[0] for line in found] == ["scripts/run:2", "scripts/run:3"]
