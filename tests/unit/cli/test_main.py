"""The `cronlift` command: output, messages and exit codes."""

import pytest
import yaml
from click.testing import CliRunner

from cronlift.cli.main import main
from tests.unit.airflow.conftest import MANIFEST


@pytest.fixture
def team(tmp_path, monkeypatch):
    monkeypatch.delenv("CRONLIFT_JOB_IMAGES", raising=False)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.yaml").write_text(MANIFEST)
    (tmp_path / "jobs" / "fragment.yaml").write_text("name: main\n")
    return tmp_path


def run(*words) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [str(word) for word in words])
    return done.exit_code, done.stdout, done.stderr


def test_render_prints_the_job_that_would_be_created(team):
    path = team / "jobs" / "a.yaml"
    code, out, _ = run("render", path, "--image", "legacy=r/l:1", "--dag", "demo__a", "--date", "2026-01-02")
    job = yaml.safe_load(out)
    assert code == 0
    assert job["metadata"]["name"].startswith("a-task-")
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "r/l:1"
    assert container["command"][2] == "echo manual__2026-01-02T00:00:00+00:00"


def test_render_takes_the_images_of_the_deployment(team, monkeypatch):
    monkeypatch.setenv("CRONLIFT_JOB_IMAGES", '{"legacy": "from/values:2"}')
    assert "from/values:2" in run("render", team / "jobs" / "a.yaml")[1]


def test_render_follows_includes_from_the_dags_folder(team):
    (team / "jobs" / "b.yaml").write_text("{% include 'jobs/a.yaml' %}")
    assert run("render", team / "jobs" / "b.yaml", "--image", "legacy=x")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("render", "jobs/a.yaml"), 1, "no job image is called 'legacy'"),
        (("render", "jobs/none.yaml"), 2, "does not exist"),
        (("render", "jobs/a.yaml", "--image", "legacy"), 2, "is not NAME=VALUE"),
        (("validate",), 2, "Missing argument"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_wrong_input_is_said_on_stderr_with_its_exit_code(team, monkeypatch, words, code, message):
    monkeypatch.chdir(team)
    done, out, err = run(*words)
    assert (done, out) == (code, "")
    assert message in err


def test_validate_checks_every_job_of_a_folder(team):
    (team / "jobs" / "bad.yaml").write_text(MANIFEST.replace("- name: main", "- nam: main"))
    code, out, err = run("validate", team)
    assert code == 1
    assert f"✓ {team}/jobs/a.yaml" in out
    assert "jobs/bad.yaml:7" in err
    assert "1 of 2 manifests have faults" in err


def test_validate_of_good_manifests_is_0(team):
    assert run("validate", team)[0] == 0


def test_validate_of_nothing_is_wrong_usage(tmp_path):
    assert run("validate", tmp_path)[0] == 2
