"""`cronlift validate`: by itself, and by an API server's dry run."""

import asyncio
import json

import pytest
import yaml
from aiohttp import web
from click.testing import CliRunner

from cronlift.cli.dry_run import without_guesses
from cronlift.cli.main import main
from cronlift.cluster import config
from cronlift.cluster.config import ClusterConfig
from cronlift.errors import ClusterConfigError
from tests.unit.airflow.conftest import MANIFEST
from tests.unit.cluster.fake_api import status
from tests.unit.job.manifests import CONFIG, FIXTURES, SECRET

BAD = MANIFEST.replace("- name: main", "- nam: main")


@pytest.fixture
def team(tmp_path, monkeypatch):
    for variable in ("CRONLIFT_JOB_IMAGES", "CRONLIFT_TEAMS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs").mkdir()
    write(tmp_path, MANIFEST)
    write(tmp_path, "name: main\n", "fragment")
    return tmp_path


def write(team, text, name="a"):
    (team / "jobs" / f"{name}.yaml").write_text(text)


def run(*words) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["validate", *(str(word) for word in words)])
    return done.exit_code, done.stdout, done.stderr


def test_every_job_of_a_folder_is_checked(team):
    write(team, BAD, "bad")
    code, out, err = run("jobs")
    assert code == 1
    assert out == "✓ jobs/a.yaml\n"
    assert err.startswith(
        "✗ jobs/bad.yaml\n  jobs/bad.yaml:7: spec.template.spec.containers.0: a container has no name"
    )
    assert err.endswith("1 of 2 manifests have faults\n")


def test_good_manifests_give_0_and_nothing_on_stderr(team):
    assert run("jobs") == (0, "✓ jobs/a.yaml\n", "")


def test_what_others_are_made_from_is_no_manifest_of_its_own(team):
    write(team, MANIFEST.replace("- name: main", "{% block main %}{% endblock %}"), "base")
    write(team, "{% extends 'jobs/base.yaml' %}{% block main %}- name: main{% endblock %}", "child")
    code, out, _ = run("jobs")
    assert (code, out) == (0, "✓ jobs/a.yaml\n✓ jobs/child.yaml\n")
    assert run("jobs/base.yaml")[0] == 1


@pytest.mark.parametrize("kind", ["kind: Job", 'kind: "Job"', "kind: Job  # a comment", "{kind: Job}", '"kind": "Job"'])
def test_a_job_is_found_however_it_is_written(team, kind):
    (team / "jobs" / "a.yaml").unlink()
    write(team, f"{kind}\n", "b")
    assert "jobs/b.yaml" in run("jobs")[2]


@pytest.mark.parametrize("name", ["b.yml", "b.json", "b.yaml.j2"])
def test_a_job_is_found_in_every_kind_of_file_that_a_dag_may_name(team, name):
    text = json.dumps(yaml.safe_load(MANIFEST)) if name.endswith("json") else MANIFEST
    (team / "jobs" / name).write_text(text)
    assert run("jobs") == (0, f"✓ jobs/a.yaml\n✓ jobs/{name}\n", "")


def test_folder_without_a_manifest_is_wrong_usage(tmp_path):
    assert run(tmp_path)[0] == 2


def test_warnings_are_shown_and_fail_nothing(team):
    write(team, MANIFEST.replace("  template:", "  ttlSecondsAfterFinished: 0\n  template:", 1))
    code, out, err = run("jobs")
    assert (code, out) == (0, "✓ jobs/a.yaml\n")
    assert err.startswith("  · jobs/a.yaml:4: spec.ttlSecondsAfterFinished: ttlSecondsAfterFinished is 0")


def test_name_that_a_task_may_give_is_a_warning_until_it_is_given(team):
    write(team, MANIFEST.replace("{{ run_id }}", "{{ shard }}"))
    code, _, err = run("jobs")
    assert code == 0
    assert "nothing is called 'shard'" in err
    assert run("jobs", "--value", "shard=1") == (0, "✓ jobs/a.yaml\n", "")


def test_json_tells_each_fault_apart(team):
    write(team, BAD.replace("batch/v1", "v1"), "bad")
    code, out, _ = run("jobs", "--json")
    good, bad = json.loads(out)
    assert code == 1
    assert good == {"manifest": "jobs/a.yaml", "ok": True, "faults": [], "warnings": []}
    assert (bad["manifest"], bad["ok"], len(bad["faults"])) == ("jobs/bad.yaml", False, 3)
    for fault in bad["faults"]:
        assert sorted(fault) == ["cure", "what", "where"]
        assert fault["where"].startswith("jobs/bad.yaml:")


def test_json_holds_warnings_and_unreadable_files(team):
    write(team, MANIFEST.replace("  template:", "  suspend: true\n  template:", 1))
    write(team, "kind: Job\n{{ ds", "broken")
    code, out, _ = run("jobs", "--json")
    warned, broken = json.loads(out)
    assert code == 1
    assert [each["where"] for each in warned["warnings"]] == ["jobs/a.yaml:4: spec.suspend"]
    assert "Jinja syntax error" in broken["faults"][0]["what"]


def test_documented_jobs_are_valid():
    code, out, err = run(FIXTURES)
    assert (code, err) == (0, "")
    assert out.count("✓") == len(list(FIXTURES.glob("*.yaml")))


class FakeServer:
    """Answers dry runs: remembers what it was asked, and refuses what a test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict, dict, str | None]] = []
        self.refused: dict[str, web.Response] = {}

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append((request.path, dict(request.query), body, request.headers.get("Impersonate-User")))
        return self.refused.get(body["kind"]) or web.json_response(body, status=201)


@pytest.fixture
async def server(monkeypatch):
    fake, application = FakeServer(), web.Application()
    application.router.add_post("/{path:.*}", fake.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    monkeypatch.setattr(config, "load_config", lambda: ClusterConfig(f"http://{host}:{port}"))
    yield fake
    await runner.cleanup()


async def ask(*words):
    return await asyncio.to_thread(run, *words)


async def test_server_is_asked_by_a_strict_dry_run_of_every_object(team, server):
    write(team, MANIFEST + CONFIG + SECRET % '"{{ conn.demo__db.password }}"')
    code, out, err = await ask("jobs", "--server", "--namespace", "team-demo")
    assert (code, out, err) == (0, "✓ jobs/a.yaml\n", "")
    assert [path for path, *_ in server.asked] == [
        "/api/v1/namespaces/team-demo/configmaps",
        "/api/v1/namespaces/team-demo/secrets",
        "/apis/batch/v1/namespaces/team-demo/jobs",
    ]
    for _, query, body, user in server.asked:
        assert (query["dryRun"], query["fieldValidation"]) == ("All", "Strict")
        assert body["metadata"]["namespace"] == "team-demo"
        assert user is None


async def test_what_the_server_refuses_is_a_fault(team, server):
    server.refused["Job"] = status(400, "BadRequest", 'unknown field "spec.template.spec.contaners"')
    code, out, err = await ask("jobs", "--server", "--namespace", "team-demo")
    assert (code, out) == (1, "")
    assert 'refuses the Job with 400 BadRequest: unknown field "spec.template.spec.contaners"' in err


async def test_manifest_with_a_fault_is_not_sent(team, server):
    write(team, BAD)
    assert (await ask("jobs", "--server", "--namespace", "team-demo"))[0] == 1
    assert server.asked == []


@pytest.mark.parametrize("teams", ['{"demo": {"namespace": "team-demo"}}', None])
async def test_server_is_asked_as_the_teams_launcher(team, server, monkeypatch, teams):
    if teams is not None:
        monkeypatch.setenv("CRONLIFT_TEAMS", teams)
    words = ("--team", "demo") if teams else ("--team", "demo", "--namespace", "team-demo")
    assert (await ask("jobs", "--server", *words))[0] == 0
    assert {user for *_, user in server.asked} == {"system:serviceaccount:team-demo:cronlift-launcher"}


async def test_server_gets_no_guess_where_not_any_text_will_do(team, server):
    text = MANIFEST.replace("  template:", '  parallelism: "{{ params.n }}"\n  template:', 1)
    write(team, text + '          resources: {limits: {memory: "{{ params.m }}", cpu: 1}}\n')
    assert (await ask("jobs", "--server", "--namespace", "n"))[0] == 0
    ((_, _, job, _),) = server.asked
    assert "parallelism" not in job["spec"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"cpu": 1}}
    assert container["command"][2] == "echo cronlift-guess"


async def test_template_that_needs_real_values_is_a_warning(team, server):
    write(team, MANIFEST + "{{ 1 / 0 }}\n")
    code, _, err = await ask("jobs", "--server", "--namespace", "n")
    assert code == 0
    assert "the API server was not asked" in err
    assert server.asked == []


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_without_a_cluster_it_says_so_and_fails(team, monkeypatch, flags):
    def load():
        raise ClusterConfigError("No Kubernetes cluster: nothing is there.")

    monkeypatch.setattr(config, "load_config", load)
    code, out, err = run("jobs", "--server", "--namespace", "n", *flags)
    assert code == 1
    assert "jobs/a.yaml" in out
    assert "cronlift: the API server was not asked: No Kubernetes cluster" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--server",), "add --team or --namespace"),
        (("--team", "demo"), "are for --server"),
        (("--server", "--team", "demo"), "namespace of team 'demo' is not known here"),
    ],
)
def test_wrong_usage_is_said_with_the_cure(team, words, message):
    code, out, err = run("jobs", *words)
    assert (code, out) == (2, "")
    assert message in err


def test_guesses_stay_where_any_text_will_do():
    guess = "cronlift-guess"
    found = without_guesses({"name": guess, "n": guess, "l": [guess, 1, {"labels": {"x": guess}, "y": guess}]})
    assert found == {"name": guess, "l": [1, {"labels": {"x": guess}}]}
