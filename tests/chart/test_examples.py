"""Every values file that the documentation shows, and those of the environments: they render and they are valid."""

import re

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
FENCE = re.compile(r"^ *```yaml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
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


SHOWS_FAULTS = {"checks.md"}
"""Pages whose examples are wrong on purpose."""


def shown_values():
    """Yield (page, values) of every example of the chart's values in the documentation."""
    for page in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "charts/cronlift/README.md"]:
        for block in FENCE.findall(page.read_text()):
            values = yaml.safe_load(block)
            is_about_values = isinstance(values, dict) and values and set(values) <= set(SCHEMA["properties"])
            if is_about_values and page.name not in SHOWS_FAULTS:
                yield page.name, values


def test_values_that_a_page_shows_are_those_of_an_example():
    examples = [yaml.safe_load(path.read_text()) for path in EXAMPLES]
    shown = list(shown_values())
    assert len(shown) >= 7
    for page, values in shown:
        assert any(holds(example, values) for example in examples), f"{page}: {values} is in no examples/chart/*.yaml"


def holds(whole, part):
    """Tell whether all of `part` is in `whole`."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and holds(whole[key], value) for key, value in part.items())
    return whole == part


def test_logs_of_the_azure_example_go_to_the_container_that_the_page_makes():
    environment = render(TEAMS, ROOT / "examples/chart/aks.yaml").environment("triggerer")
    container = environment["AIRFLOW__AZURE_REMOTE_LOGGING__REMOTE_WASB_LOG_CONTAINER"]["value"]
    assert f"az storage container create --name {container} " in (ROOT / "docs/clouds.md").read_text()


@pytest.mark.parametrize("name", ["staging", "production"])
def test_an_environment_needs_nothing_but_teams(name):
    path = ROOT / f"charts/environments/{name}.yaml"
    words = [f"--values={values}" for values in (TEAMS, path)]
    answer = helm("template", "cronlift", str(ROOT / "charts/cronlift"), "--namespace=cronlift", *words)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("name", ["staging", "production"])
def test_an_environments_monitors_and_rules_are_those_that_kube_prometheus_stack_selects(name):
    things = render(TEAMS, ROOT / f"charts/environments/{name}.yaml")
    for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule"):
        [thing] = things.of(kind)
        assert thing["metadata"]["labels"]["release"] == "kube-prometheus-stack", kind


def test_production_keeps_no_state_in_the_cluster():
    things = render(TEAMS, ROOT / "charts/environments/production.yaml")
    assert not [t["kind"] for t in things if t["kind"] in ("StatefulSet", "PersistentVolumeClaim")]
