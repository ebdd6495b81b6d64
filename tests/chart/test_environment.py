"""Environments: rendered, compared, and refused with every fault at once."""

import shutil

import pytest

from ci import environment
from ci.errors import UserError
from ci.paths import ROOT


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
