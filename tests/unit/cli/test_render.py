"""`cronlift render`: what a manifest becomes."""

import json

import pytest
import yaml
from click.testing import CliRunner

from cronlift.cli.main import main
from tests.unit.airflow.conftest import MANIFEST
from tests.unit.job.manifests import CONFIG, FIXTURES, SECRET

ENV = "          env: [{name: TOKEN, value: hunter2}]\n"


@pytest.fixture
def team(tmp_path, monkeypatch):
    monkeypatch.delenv("CRONLIFT_JOB_IMAGES", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs").mkdir()
    write(tmp_path, MANIFEST)
    return tmp_path


def write(team, text, name="a"):
    (team / "jobs" / f"{name}.yaml").write_text(text)


def run(*words) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["render", *(str(word) for word in words)])
    return done.exit_code, done.stdout, done.stderr


def documents(*words) -> list[dict]:
    code, out, err = run("jobs/a.yaml", "--image", "legacy=r/l:1", *words)
    assert (code, err) == (0, "")
    return list(yaml.safe_load_all(out))


def shell_line(*words) -> str:
    return documents(*words)[-1]["spec"]["template"]["spec"]["containers"][0]["command"][2]


def test_it_prints_the_job_that_would_be_created(team):
    (job,) = documents("--dag", "demo__a", "--task", "export", "--date", "2026-01-02", "--namespace", "team-demo")
    assert job["metadata"]["name"].startswith("a-export-")
    assert job["metadata"]["namespace"] == "team-demo"
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "r/l:1"
    assert container["command"][2] == "echo manual__2026-01-02T00:00:00+00:00"


def test_it_prints_every_object_with_the_name_of_the_job(team):
    write(team, MANIFEST + CONFIG + SECRET % '"{{ conn.demo__db.password }}"')
    config, secret, job = documents()
    assert config["metadata"]["name"] == f"{job['metadata']['name']}-config"
    assert secret["stringData"] == {"password": "***"}


def test_values_of_the_environment_and_of_secrets_are_masked_unless_asked_for(team):
    write(team, MANIFEST + ENV + SECRET % '"{{ conn.demo__db.password }}"')
    assert "hunter2" not in run("jobs/a.yaml", "--image", "legacy=x")[1]
    shown = run("jobs/a.yaml", "--image", "legacy=x", "--show-secrets")[1]
    assert "hunter2" in shown
    assert "<conn.demo__db.password>" in shown


@pytest.mark.parametrize(
    ("expression", "words", "expected"),
    [
        ("{{ ds }} {{ ts_nodash }}", (), "2026-01-02 20260102T000000"),
        ("{{ logical_date.year }} {{ data_interval_end | ds }}", (), "2026 2026-01-02"),
        ("{{ params.n + 1 }} {{ params.s }}", ("--param", "n=3", "--param", "s=text"), "4 text"),
        ("{{ shard }} {{ all[1] }}", ("--value", "shard=7", "--value", "all=[1, 2]"), "7 2"),
        ("{{ var.value.demo__a }} {{ conn.demo__b.host }}", (), "<var.value.demo__a> <conn.demo__b.host>"),
        ("{{ ti.xcom_pull('up', key='k') }} {{ ti.try_number }}", (), "<ti.xcom_pull(up, key=k)> 1"),
        ("{{ macros.ds_add(ds, 2) }}", (), "2026-01-04"),
        ("{{ dag.dag_id }} {{ task.task_id }} {{ dag_run.run_after | ds }}", (), "team__dag task 2026-01-02"),
    ],
    ids=["dates", "logical date", "params", "values", "variables", "results", "macros", "ids"],
)  # fmt: skip
def test_airflows_names_mean_something(team, expression, words, expected):
    write(team, MANIFEST.replace("{{ run_id }}", expression))
    assert shell_line("--date", "2026-01-02", *words) == f"echo {expected}"


def test_it_takes_the_images_of_the_deployment(team, monkeypatch):
    monkeypatch.setenv("CRONLIFT_JOB_IMAGES", '{"legacy": "from/values:2"}')
    assert "from/values:2" in run("jobs/a.yaml")[1]


def test_it_follows_includes_from_the_dags_folder_and_the_searchpath(team, tmp_path_factory):
    shared = tmp_path_factory.mktemp("shared")
    (shared / "base.yaml").write_text(MANIFEST)
    write(team, "{% include 'jobs/a.yaml' %}", "b")
    assert run("jobs/b.yaml", "--image", "legacy=x")[0] == 0
    write(team, "{% extends 'base.yaml' %}", "c")
    assert run("jobs/c.yaml", "--image", "legacy=x", "--folder", team, "--folder", shared)[0] == 0


def test_json_is_a_list_that_kubectl_reads(team):
    write(team, MANIFEST + CONFIG)
    code, out, _ = run("jobs/a.yaml", "--image", "legacy=x", "--json")
    found = json.loads(out)
    assert (code, found["apiVersion"], found["kind"]) == (0, "v1", "List")
    assert [each["kind"] for each in found["items"]] == ["ConfigMap", "Job"]


def test_output_goes_to_a_file(team):
    assert run("jobs/a.yaml", "--image", "legacy=x", "-o", "out.yaml") == (0, "", "Wrote out.yaml\n")
    assert yaml.safe_load((team / "out.yaml").read_text())["kind"] == "Job"
    assert run("jobs/a.yaml", "--image", "legacy=x", "-o", "none/out.yaml")[0] == 2


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.yaml")), ids=lambda file: file.stem)
def test_documented_jobs_are_rendered(file):
    assert run(file, "--image", "legacy=x")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("jobs/a.yaml",), 1, "no job image is called 'legacy'"),
        (("jobs/b.yaml",), 1, "jobs/b.yaml:1: nothing is called 'shrad'"),
        (("jobs/none.yaml",), 2, "does not exist"),
        (("jobs/a.yaml", "--image", "legacy"), 2, "is not NAME=VALUE"),
        (("jobs/a.yaml", "--value", "ds=1"), 2, "Airflow's own"),
        (("jobs/a.yaml", "--folder", "elsewhere"), 2, "is not below elsewhere"),
    ],
    ids=["image", "name", "missing", "pair", "value", "folder"],
)  # fmt: skip
def test_wrong_input_is_said_on_stderr_with_its_exit_code(team, words, code, message):
    write(team, "{{ shrad }}", "b")
    done, out, err = run(*words)
    assert (done, out) == (code, "")
    assert message in err


def test_malformed_settings_are_wrong_usage(team, monkeypatch):
    monkeypatch.setenv("CRONLIFT_JOB_IMAGES", "[1]")
    code, _, err = run("jobs/a.yaml")
    assert code == 2
    assert "CRONLIFT_JOB_IMAGES is malformed" in err
