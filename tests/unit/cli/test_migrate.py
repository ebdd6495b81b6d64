"""`cronlift migrate`: what it prints, writes and returns."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cronlift.cli.main import main

SOURCE = """\
from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator

KubernetesJobOperator(task_id="a", image="i", wait_until_job_complete=True, backoff_limit=0, security_context={"a": 1})
"""
LEFT = SOURCE + "KubernetesJobOperator(task_id='b', image=IMAGE)\n"
AFTER = """\
from cronlift import KubernetesJobOperator

KubernetesJobOperator(task_id="a", manifest="jobs/a.yaml")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/x.py").write_text(SOURCE)
    return tmp_path / "dags"


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["migrate", *words])
    return done.exit_code, done.stdout, done.stderr


def test_without_write_it_shows_a_diff_and_changes_nothing(folder: Path) -> None:
    code, out, err = run("dags/x.py")
    assert code == 0
    assert "--- dags/x.py\n+++ dags/x.py\n" in out
    assert "--- /dev/null\n+++ dags/jobs/a.yaml\n" in out
    assert '+KubernetesJobOperator(task_id="a", manifest="jobs/a.yaml")\n' in out
    assert err == "2 files to write, 0 faults left for you.\nNext: the same with --write\n"
    assert [path.name for path in folder.rglob("*")] == ["x.py"]


def test_with_write_it_changes_the_file_and_writes_the_manifest(folder: Path) -> None:
    code, out, err = run("dags/x.py", "--write")
    assert (code, out) == (0, "")
    assert "2 files written, 0 faults left" in err
    assert (folder / "x.py").read_text() == AFTER
    assert (folder / "jobs/a.yaml").read_text().startswith("apiVersion: batch/v1\nkind: Job\n")
    assert run("dags/x.py") == (0, "", "0 files to write, 0 faults left for you.\n")


def test_what_is_left_is_listed_with_its_line_and_the_exit_code_says_so(folder: Path) -> None:
    (folder / "x.py").write_text(LEFT)
    code, _, err = run("dags/x.py")
    assert code == 1
    assert "✗ dags/x.py:4: left as it is: image is no literal (IMAGE)." in err
    assert "1 faults left for you" in err


def test_files_of_one_folder_do_not_overwrite_each_others_manifests(folder: Path) -> None:
    (folder / "y.py").write_text(SOURCE.replace('"i"', '"k"'))
    assert run("dags/x.py", "dags/y.py", "--write")[0] == 0
    assert sorted(path.name for path in (folder / "jobs").iterdir()) == ["a.yaml", "y_a.yaml"]


def test_json_holds_the_diff_and_the_notes(folder: Path) -> None:
    (folder / "x.py").write_text(LEFT)
    code, out, _ = run("dags/x.py", "--json")
    (report,) = json.loads(out)
    assert code == 1
    assert (report["file"], report["changed"], report["manifests"]) == ("dags/x.py", True, ["jobs/a.yaml"])
    assert [(note["line"], note["left"]) for note in report["notes"] if note["left"]] == [(4, True)]
    assert report["diff"].startswith("--- ")


def test_a_file_that_is_no_python_is_left_with_its_line(folder: Path) -> None:
    (folder / "x.py").write_text("\nwith DAG(:\n")
    code, out, err = run("dags/x.py", "--write")
    assert (code, out) == (1, "")
    assert "✗ dags/x.py:2: left as it is: " in err
    assert (folder / "x.py").read_text() == "\nwith DAG(:\n"


@pytest.mark.parametrize("words", [(), ("dags/none.py",), ("dags",)])
def test_wrong_usage_is_two(folder: Path, words: tuple[str, ...]) -> None:
    assert run(*words)[0] == 2
