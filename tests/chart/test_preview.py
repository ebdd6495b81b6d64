"""A preview: shows DAGs, has no right but to end itself, and reaches git and names alone."""

import json
from datetime import UTC, datetime

import pytest
import yaml

from ci import environment, preview_plan
from ci.paths import ROOT
from tests.chart.rendering import TWO_TEAMS, Rendered, template
from tests.chart.test_scripts import load
from tests.chart.test_security import RESTRICTED

PREVIEW = ROOT / "charts/environments/preview.yaml"
NAMESPACE = "preview-x"
CIDRS = ("networkPolicy.gitCidrs[0]=192.0.2.7/32",)
reap_preview = load("reap_preview")


def render(*sets):
    answer = template(TWO_TEAMS, PREVIEW, sets=(*CIDRS, *sets), more=(f"--namespace={NAMESPACE}",))
    assert answer.returncode == 0, answer.stderr
    return Rendered(thing for thing in yaml.load_all(answer.stdout, yaml.CSafeLoader) if thing)


def refusal(*sets, namespace=NAMESPACE):
    answer = template(TWO_TEAMS, PREVIEW, sets=sets, more=(f"--namespace={namespace}",))
    assert answer.returncode != 0, "helm accepted these values"
    return answer.stderr


def test_everything_lies_in_its_own_namespace_and_nothing_in_a_teams():
    assert {thing["metadata"].get("namespace") for thing in render()} == {NAMESPACE}
    assert render().of("Namespace") == []


def test_it_reads_and_shows_dags_but_has_nothing_that_could_run_them():
    assert {component for component, _ in render().pods()} == {
        "api-server", "dag-processor", "postgres", "bootstrap", "migrate", "reaper"
    }  # fmt: skip
    environment = render().environment("dag-processor")
    assert set(json.loads(environment["CRONLIFT_TEAMS"]["value"])) == {"billing", "demo"}
    bundles = json.loads(environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]["value"])
    assert [bundle["name"] for bundle in bundles] == ["billing", "demo"]
    assert environment["CRONLIFT_PREVIEW"]["value"] == "True"


def test_its_only_rights_are_to_fill_its_own_secret_and_to_end_itself():
    rules = {role["metadata"]["name"]: role["rules"] for role in render().of("Role")}
    assert rules == {
        "cronlift-bootstrap": [
            {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["cronlift-secrets"],
             "verbs": ["get", "patch"]}
        ],
        "cronlift-reaper": [
            {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [NAMESPACE], "verbs": ["get", "delete"]}
        ],
    }  # fmt: skip
    assert not [thing for thing in render() if thing["kind"].startswith("ClusterRole")]
    subjects = {binding["roleRef"]["name"]: binding["subjects"] for binding in render().of("RoleBinding")}
    assert set(subjects) == set(rules)
    assert {part["namespace"] for each in subjects.values() for part in each} == {NAMESPACE}


def test_only_the_programs_of_the_chart_hold_a_token():
    holding = {
        component
        for component, spec in render().pods()
        for volume in spec.get("volumes", [])
        if any("serviceAccountToken" in source for source in volume.get("projected", {}).get("sources", []))
    }
    assert holding == {"bootstrap", "reaper"}


def test_what_reads_the_branch_reaches_names_its_database_and_the_git_server_alone():
    rules = render().one("NetworkPolicy", "cronlift-dag-processor")["spec"]["egress"]
    database, git = rules
    assert database["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "postgres"
    assert git == {"ports": [{"port": 443}], "to": [{"ipBlock": {"cidr": "192.0.2.7/32"}}]}
    everyone = render().one("NetworkPolicy", "cronlift-default-deny")["spec"]["egress"]
    assert {port["port"] for rule in everyone for port in rule["ports"]} == {53, 5353}


def test_the_reaper_is_restricted_and_looks_every_five_minutes():
    [container] = render().pod("reaper")["containers"]
    assert {key: container["securityContext"].get(key) for key in RESTRICTED} == RESTRICTED
    assert render().one("CronJob", "cronlift-reaper")["spec"]["schedule"] == "*/5 * * * *"


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        (("postgres.enabled=false", "database.existingSecret=x"), "a preview has a database of its own"),
        (("networkPolicy.enabled=false",), "could reach everything"),
        (("notifications.enabled=true",), "preview.enabled is true but notifications.enabled is too"),
        (("sweep.enabled=true",), "preview.enabled is true but sweep.enabled is too"),
        (("clusters.gpu.existingSecret=x",), "preview.enabled is true but clusters is set"),
        (("networkPolicy.extraEgress[0].ports[0].port=25",), "preview.enabled is true but networkPolicy.extraEgress"),
        (("secrets.existingSecret=x",), "preview.enabled is true but secrets.existingSecret is set"),
    ],
)
def test_a_preview_with_more_than_it_may_have_is_refused(sets, words):
    assert words in refusal(*sets)


def test_no_release_in_a_namespace_of_another_name_can_be_a_preview():
    assert "the namespace is cronlift, which would be deleted" in refusal(namespace="cronlift")


@pytest.mark.parametrize("name", [name for name in environment.names() if name != environment.LOCAL])
def test_a_preview_of_every_environment_renders_with_its_images_and_nothing_else_of_it(tmp_path, name):
    given = yaml.safe_load((ROOT / f"charts/environments/{name}.yaml").read_text())
    teams = yaml.safe_load((ROOT / "teams.yaml").read_text())["teams"]
    path = tmp_path / "values.yaml"
    url = given["git"]["url"]
    path.write_text(yaml.safe_dump(preview_plan.values(given, teams, "work", url, ["192.0.2.7/32"])))
    answer = template(path, PREVIEW, sets=CIDRS, more=(f"--namespace={NAMESPACE}",))
    assert answer.returncode == 0, answer.stderr
    rendered = Rendered(thing for thing in yaml.load_all(answer.stdout, yaml.CSafeLoader) if thing)
    image = given["images"]["airflow"]
    assert rendered.pod("dag-processor")["containers"][0]["image"] == f"{image['repository']}:{image['tag']}"
    [git] = [each for each in rendered.pod("dag-processor")["initContainers"] if each["name"] == "git-sync"]
    assert {f"--repo={url}", "--ref=work"} <= set(git["args"])
    assert {kind for kind in ("Ingress", "HTTPRoute", "ServiceMonitor") if rendered.of(kind)} == set()
    secrets = {
        part["secretKeyRef"]["name"]
        for _, container in rendered.containers()
        for part in [entry.get("valueFrom", {}) for entry in container.get("env", [])]
        if "secretKeyRef" in part
    }
    assert secrets == {"cronlift-secrets", given["git"]["auth"]["existingSecret"]}


def namespace(**annotations):
    labels = {"cronlift.dev/preview": "x"}
    return {"metadata": {"name": NAMESPACE, "labels": labels, "annotations": annotations}}


@pytest.fixture
def api(monkeypatch):
    """Answer the reaper from a namespace, and keep what it asked for."""
    calls = []

    def answer(thing):
        def call(method, url):
            calls.append((method, url))
            return thing

        monkeypatch.setattr(reap_preview, "call", call)
        return calls

    return answer


NOW = datetime(2026, 1, 31, 18, 0, 0, tzinfo=UTC)


def test_an_expired_preview_is_deleted(api):
    calls = api(namespace(**{"cronlift.dev/expires": "2026-01-31T18:00:00Z"}))
    assert "deleted" in reap_preview.reap("https://api/x", NOW)
    assert calls == [("GET", "https://api/x"), ("DELETE", "https://api/x")]


def test_a_preview_lives_until_its_time(api):
    calls = api(namespace(**{"cronlift.dev/expires": "2026-01-31T18:00:01Z"}))
    assert reap_preview.reap("https://api/x", NOW) == "Namespace preview-x lives until 2026-01-31T18:00:01Z"
    assert calls == [("GET", "https://api/x")]


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (namespace(), "is '', not a time"),
        (namespace(**{"cronlift.dev/expires": "tomorrow"}), "'tomorrow', not a time"),
        ({"metadata": {"name": "production"}}, "Namespace production has no label"),
    ],
)
def test_a_namespace_that_does_not_say_until_when_stays(api, thing, words):
    calls = api(thing)
    with pytest.raises(reap_preview.NotAPreviewError, match=words):
        reap_preview.reap("https://api/x", NOW)
    assert [method for method, _ in calls] == ["GET"]
