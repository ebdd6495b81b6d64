"""`cronlift doctor` against a fake API server: what it prints, what it offers to apply, and its exit codes."""

import asyncio
import json

import pytest
import yaml
from click.testing import CliRunner

from cronlift.cli.main import main
from cronlift.cluster import config
from cronlift.cluster.config import ClusterConfig
from cronlift.cluster.rights import launcher_role
from cronlift.errors import ClusterConfigError
from tests.unit.cluster.fake_access import USER, FakeAccess, launcher_of

DEMO = launcher_of("team-demo")
TEAMS = {"demo": {"namespace": "team-demo"}, "billing": {"namespace": "team-billing"}}


@pytest.fixture
async def cluster(monkeypatch):
    async with FakeAccess().serve() as served:
        for team in TEAMS.values():
            served.add_team(team["namespace"])
        monkeypatch.setattr(config, "load_config", lambda: ClusterConfig(served.url))
        yield served


@pytest.fixture(autouse=True)
def deployment(monkeypatch):
    monkeypatch.setenv("CRONLIFT_DEPLOYMENT", "cronlift/cronlift")
    monkeypatch.setenv("CRONLIFT_TEAMS", json.dumps(TEAMS))
    monkeypatch.setenv("CRONLIFT_JOB_IMAGES", '{"legacy": "r/legacy:1"}')
    for optional in ("CRONLIFT_CLUSTERS", "CRONLIFT_LINKS"):
        monkeypatch.delenv(optional, raising=False)


async def run(*words):
    done = await asyncio.to_thread(CliRunner().invoke, main, ["doctor", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


async def test_a_well_deployment_is_told_line_by_line(cluster):
    code, out, err = await run()
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "Settings",
        "Cluster",
        "Team demo, namespace team-demo",
        "Team billing, namespace team-billing",
        "All 23 checks are well.",
    ]
    assert "  ✓ CRONLIFT_TEAMS: billing, demo" in lines
    assert "  ✓ CRONLIFT_JOB_IMAGES: legacy" in lines
    assert f"  ✓ we are {USER}" in lines
    assert "  ✓ the launcher has no rights in team-billing, cronlift" in lines
    assert "✗" not in out


async def test_a_missing_verb_fails_and_its_role_can_be_applied_as_printed(cluster):
    cluster.allowed.remove((DEMO, "team-demo", "patch", "jobs"))
    cluster.allowed.remove((DEMO, "team-demo", "get", "pods/log"))
    code, out, _ = await run()
    assert code == 1
    assert "  ✗ the launcher may not patch jobs.batch" in out
    report, _, documents = out.partition("To put it right, apply:\n")
    assert report.endswith("2 of 23 checks failed.\n")
    assert list(yaml.safe_load_all(documents)) == launcher_role("team-demo", companions=False)


async def test_json_holds_findings_and_objects(cluster):
    cluster.allowed.remove((DEMO, "team-demo", "patch", "jobs"))
    code, out, _ = await run("--json")
    report = json.loads(out)
    assert (code, report["healthy"]) == (1, False)
    [bad] = [each for each in report["findings"] if each["mark"] == "bad"]
    assert bad["what"] == "the launcher may not patch jobs.batch"
    assert [each["kind"] for each in report["apply"]] == ["Role", "RoleBinding"]


async def test_one_namespace_is_checked_against_all_the_others(cluster):
    cluster.allowed.add((DEMO, "team-billing", "create", "jobs"))
    code, out, _ = await run("--namespace", "team-demo")
    assert code == 1
    assert "create jobs.batch in team-billing, which is not its team's" in out
    assert "Team billing" not in out


async def test_an_unknown_namespace_is_wrong_usage(cluster):
    code, _, err = await run("--namespace", "nowhere")
    assert code == 2
    assert "nowhere is no team's namespace" in err


async def test_settings_that_are_missing_are_findings_with_a_cure(cluster, monkeypatch):
    for name in ("CRONLIFT_DEPLOYMENT", "CRONLIFT_TEAMS", "CRONLIFT_JOB_IMAGES"):
        monkeypatch.delenv(name)
    code, out, _ = await run()
    assert code == 1
    assert out.count("is not set") == 3
    assert "give --teams teams.yaml" in out


async def test_on_a_laptop_the_teams_come_from_a_file(cluster, monkeypatch, tmp_path):
    monkeypatch.delenv("CRONLIFT_TEAMS")
    path = tmp_path / "teams.yaml"
    path.write_text("teams:\n  demo: {namespace: team-demo, manifestObjects: true}\n")
    code, out, _ = await run("--teams", path)
    assert code == 1
    assert "✗ the launcher may not create, get, patch configmaps" in out
    cluster.add_team("team-demo", companions=True)
    assert (await run("--teams", path))[0] == 0


@pytest.mark.parametrize("text", ["teams: [demo]", "team: {}", "teams: {demo: {}}", "teams: {", ""])
async def test_a_file_that_is_no_teams_yaml_is_wrong_usage(tmp_path, text):
    path = tmp_path / "teams.yaml"
    path.write_text(text)
    code, out, err = await run("--teams", path)
    assert (code, out) == (2, "")
    assert "is no teams.yaml" in err


async def test_no_cluster_is_a_finding(monkeypatch):
    def load():
        raise ClusterConfigError("No Kubernetes cluster: there is no file /nowhere.")

    monkeypatch.setattr(config, "load_config", load)
    code, out, _ = await run()
    assert code == 1
    assert "✗ No Kubernetes cluster" in out


async def test_each_other_cluster_is_checked_too(cluster, monkeypatch):
    asked = []

    def load(path, context):
        asked.append((path, context))
        return ClusterConfig(cluster.url)

    monkeypatch.setenv("CRONLIFT_CLUSTERS", '{"gpu": {"kubeconfig": "/etc/gpu"}}')
    monkeypatch.setattr(config, "load_kubeconfig", load)
    code, out, _ = await run("--namespace", "team-demo")
    assert (code, asked) == (0, [("/etc/gpu", None)])
    assert "Cluster gpu\n" in out
    assert "Team demo, namespace team-demo on cluster gpu\n" in out
