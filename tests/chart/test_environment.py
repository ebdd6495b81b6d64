"""Environments: rendered, compared, and refused with every fault at once."""

import shutil

import pytest
import yaml

from ci import chart_needs, environment
from ci.errors import UserError
from ci.paths import ROOT
from tests.chart.rendering import TEAMS, render


@pytest.fixture
def copy(tmp_path):
    """Return a copy of what an environment is made of."""
    shutil.copytree(ROOT / "charts", tmp_path / "charts")
    shutil.copy(ROOT / "teams.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", environment.names())
def test_an_environment_renders(name):
    assert "kind: Deployment" in environment.render(name)
    assert environment.faults(name) == []


def test_an_unknown_environment_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"local\|production\|staging"):
        environment.render("prod")


def test_every_fault_is_told_at_once_with_key_and_cure(copy):
    path = copy / "charts/environments/production.yaml"
    text = path.read_text().replace("replicas: 2\n  baseUrl: https://airflow.example.com", "replica: 2")
    path.write_text(text.replace("existingSecret: cronlift-database\n", "existingSecret: ''\n"))
    (copy / "teams.yaml").write_text(
        (copy / "teams.yaml").read_text().replace("namespace: team-demo", "namespace: Demo")
    )
    with pytest.raises(UserError) as refused:
        environment.render("production", copy)
    words = str(refused.value)
    for part in (
        "teams.yaml: teams.demo.namespace: 'Demo' does not match",
        "production.yaml: apiServer: Additional properties are not allowed",
        "('replica' was unexpected). did you mean replicas?",
        "database.existingSecret is empty",
        "ingress.enabled is true but apiServer.baseUrl is empty: give the URL",
        "auth.manager is oidc but apiServer.baseUrl is empty",
    ):
        assert part in words


def test_the_local_environment_is_not_deployed_but_brought_up():
    with pytest.raises(UserError, match="make up"):
        environment.deploy("local", "local", "cronlift")


class Cluster:
    """A cluster with these Secrets (namespace/name -> keys) and classes."""

    def __init__(self, *classes: str, **secrets: list[str]) -> None:
        self.classes, self.secrets = classes, secrets

    def ask(self, kind, namespace, name):
        """Return what there is."""
        if kind in ("PriorityClass", "StorageClass"):
            return {"metadata": {"name": name}} if name in self.classes else None
        keys = self.secrets.get(name) if namespace == "cronlift" else None
        return None if keys is None else {"data": dict.fromkeys(keys, "eA==")}


def production():
    """Return the needs of the production environment, and its values."""
    things = list(yaml.safe_load_all(environment.render("production")))
    return chart_needs.needs([thing for thing in things if thing]), environment._values("production")


def test_a_missing_secret_class_or_key_is_told_at_once_with_value_and_cure():
    wanted, values = production()
    there = {
        "cronlift-git": ["username"],
        "cronlift-database": ["username", "password"],
        "cronlift-oidc": ["client-id", "client-secret", "session-key"],
    }
    assert chart_needs.missing(wanted, Cluster(**there).ask, values) == [
        "PriorityClass platform-critical, named by pods.priorityClassName, does not exist: make it, or name one of: "
        "kubectl get priorityclass.",
        "Secret cronlift/airflow-tls, named by ingress.tlsSecret, does not exist: kubectl -n cronlift create secret "
        "tls airflow-tls --cert=... --key=...",
        "Secret cronlift/cronlift-database-ca, named by database.tls.caSecret, does not exist: kubectl -n cronlift "
        "create secret generic cronlift-database-ca --from-literal=ca.crt=...",
        "Secret cronlift/cronlift-git, named by git.auth.existingSecret, has no key password: add it with kubectl "
        "edit, or where your Secrets come from.",
    ]


def test_a_cluster_with_all_that_is_named_is_lacking_nothing():
    wanted, values = production()
    everything = {need.name: list(need.keys) for need in wanted if need.kind == "Secret"}
    assert chart_needs.missing(wanted, Cluster("platform-critical", **everything).ask, values) == []


@pytest.mark.parametrize(
    ("example", "names"),
    [
        ("external-secrets", set()),  # what an operator of the same release makes
        ("team-with-limits", set()),  # what belongs into a namespace that the release makes
        ("air-gapped", {"company-ca", "registry"}),
        ("notifications", {"cronlift-smtp", "demo-webhook"}),
        ("high-availability", {"nfs"}),
    ],
)
def test_needs_of_an_example_are_these(example, names):
    things = render(TEAMS, ROOT / f"examples/chart/{example}.yaml")
    assert {need.name for need in chart_needs.needs(things)} == names


def test_an_unknown_context_is_refused_before_anything_is_done(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(UserError, match="No kubeconfig context 'somewhere'"):
        environment.deploy("staging", "somewhere", "cronlift")
