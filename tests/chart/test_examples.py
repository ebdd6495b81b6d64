"""Every values file that the documentation shows, and those of the environments: they render and they are valid."""

import jsonschema
import pytest
import yaml

from ci import environment
from ci.paths import ROOT
from tests.chart.rendering import TEAMS, helm, render
from tests.chart.test_kubernetes_schemas import CUSTOM, LOCAL, kubeconform, schemas  # noqa: F401 - a fixture
from tests.chart.test_values import SCHEMA

EXAMPLES = sorted((ROOT / "examples/chart").glob("*.yaml"))
ENVIRONMENTS = [ROOT / f"charts/environments/{name}.yaml" for name in environment.names()]
FOREIGN = {"ExternalSecret", "SealedSecret"}


@pytest.mark.parametrize("path", [*EXAMPLES, *ENVIRONMENTS], ids=lambda path: path.stem)
def test_values_fit_the_schema_and_render_valid_objects(path, schemas):  # noqa: F811
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)
    things = [thing for thing in render(TEAMS, path) if thing["kind"] not in FOREIGN]
    code, words = kubeconform(yaml.safe_dump_all(things), schemas(LOCAL), CUSTOM)
    assert code == 0, words


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_shown_in_the_documentation(path):
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    assert f"examples/chart/{path.name}" in pages


@pytest.mark.parametrize("name", ["staging", "production"])
def test_an_environment_needs_nothing_but_teams(name):
    path = ROOT / f"charts/environments/{name}.yaml"
    words = [f"--values={values}" for values in (TEAMS, path)]
    answer = helm("template", "cronlift", str(ROOT / "charts/cronlift"), "--namespace=cronlift", *words)
    assert answer.returncode == 0, answer.stderr


def test_production_keeps_no_state_in_the_cluster():
    things = render(TEAMS, ROOT / "charts/environments/production.yaml")
    assert not [t["kind"] for t in things if t["kind"] in ("StatefulSet", "PersistentVolumeClaim")]
