"""Links as Airflow's API server makes them: a plugin's, on a DAG that went through Airflow's serialization."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow import plugins_manager
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.serialization.serialized_objects import DagSerialization

from cronlift.airflow import settings
from cronlift.airflow.links import FIELDS, make_links
from cronlift.airflow.plugin import CronliftPlugin
from cronlift.errors import SettingsError
from cronlift.job.naming import TaskIdentity, job_name
from tests.unit.airflow.conftest import DEPLOYMENT

EVERYTHING = "https://logs.example/?q=" + "&".join(f"{field}={{{field}}}" for field in FIELDS)
DAG = """
    from datetime import timedelta
    with DAG("demo__a", schedule=None):
        KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")
        KubernetesJobOperator(task_id="pooled", manifest="jobs/a.yaml", pool="database")
        KubernetesJobOperator.partial(task_id="many", manifest="jobs/a.yaml").expand(values=[{"a": 1}])
        KubernetesJobOperator.partial(task_id="spread", manifest="jobs/a.yaml").expand(cluster=["b"])
"""


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Load Airflow's plugins anew, by their entry points, with templates for links."""

    def forget() -> None:
        plugins_manager._get_plugins.cache_clear()
        plugins_manager._get_extra_operators_links_plugins.cache_clear()

    def run(**templates: str) -> None:
        monkeypatch.setenv("CRONLIFT_LINKS", json.dumps(templates))
        forget()
        plugins_manager.ensure_plugins_loaded()

    yield run
    monkeypatch.delenv("CRONLIFT_LINKS", raising=False)
    forget()
    CronliftPlugin.on_load()


def links_of(bag: Any, task_id: str, try_number: int = 1, map_index: int = -1, dag_id: str = "demo__a") -> dict:
    """Return a task's links as the API server's route reads them."""
    assert bag.import_errors == {}
    encoded = json.loads(json.dumps(DagSerialization.to_dict(bag.dags[dag_id])))
    task = DagSerialization.from_dict(encoded).get_task(task_id)

    class TaskInstance:
        key = TaskInstanceKey(dag_id, task_id, "manual__2026-11-23T10:00:00+00:00", try_number, map_index)

    return {name: task.get_extra_links(TaskInstance, name) for name in task.extra_links}


def name_of(task_id: str, try_number: int = 1, map_index: int = -1) -> str:
    run_id = "manual__2026-11-23T10:00:00+00:00"
    return job_name(TaskIdentity(DEPLOYMENT, "demo__a", run_id, task_id, map_index, try_number))


def test_links_lead_to_the_job_of_the_try(load, parse):
    load(job="https://k8s.example/{namespace}/{job}", logs="https://logs.example/{job}")
    bag = parse(DAG)
    for try_number in (1, 2):
        assert links_of(bag, "x", try_number) == {
            "Job": f"https://k8s.example/team-demo/{name_of('x', try_number)}",
            "Logs": f"https://logs.example/{name_of('x', try_number)}",
        }


def test_mapped_task_has_a_link_for_each_map_index(load, parse):
    load(job="https://k8s.example/{namespace}/{job}")
    assert links_of(parse(DAG), "many", map_index=3) == {
        "Job": f"https://k8s.example/team-demo/{name_of('many', map_index=3)}"
    }


def test_values_are_quoted_for_a_url(load, parse):
    load(logs=EVERYTHING)
    assert links_of(parse(DAG), "x")["Logs"] == (
        f"https://logs.example/?q=namespace=team-demo&job={name_of('x')}&cluster=own&dag_id=demo__a"
        "&run_id=manual__2026-11-23T10%3A00%3A00%2B00%3A00&task_id=x&map_index=-1&try_number=1"
    )


@pytest.mark.parametrize(
    ("task_id", "url"),
    [("x", "https://own.example"), ("many", "https://own.example"), ("pooled", ""), ("spread", "")],
)
def test_cluster_that_the_serialized_dag_does_not_tell_makes_no_wrong_link(load, parse, task_id, url):
    load(job="https://{cluster}.example")
    assert links_of(parse(DAG), task_id)["Job"] == url


def test_other_cluster_is_named(load, parse, monkeypatch):
    monkeypatch.setenv("CRONLIFT_CLUSTERS", '{"gpu": {"kubeconfig": "/gpu"}}')
    load(job="https://{cluster}.example")
    bag = parse("""
        with DAG("demo__a", schedule=None):
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml", cluster="gpu")
            KubernetesJobOperator.partial(task_id="y", manifest="jobs/a.yaml", cluster="gpu").expand(values=[{"a": 1}])
    """)
    assert links_of(bag, "x")["Job"] == links_of(bag, "y")["Job"] == "https://gpu.example"


def test_braces_may_be_doubled_or_quoted(load, parse):
    load(logs="https://logs.example/?q={{%7B{namespace}%7D}}")
    assert links_of(parse(DAG), "x")["Logs"] == "https://logs.example/?q={%7Bteam-demo%7D}"


def test_task_that_never_started_has_no_link_to_follow(load, parse):
    load(job="https://k8s.example/{job}")
    assert links_of(parse(DAG), "x", try_number=0) == {"Job": ""}


def test_task_of_another_operator_of_that_name_has_none(load):
    """Airflow 3.3.2 compares a mapped task's operator by the class's name alone; the stock one is called the same."""
    (link,) = make_links({"job": "https://k8s.example/{job}"})

    class Stock:
        _task_module = "airflow.providers.elsewhere"

    assert link.get_link(Stock(), ti_key=TaskInstanceKey("demo__a", "x", "r")) == ""


def test_dag_without_a_team_has_none(load, parse, caplog):
    load(job="https://k8s.example/{job}")
    body = 'with DAG("other__a", schedule=None): KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")'
    assert links_of(parse(body), "x", dag_id="other__a") == {"Job": ""}
    assert "names team 'other'" in caplog.text


def test_without_templates_there_are_no_links(load, parse):
    load()
    assert plugins_manager.get_operator_extra_links() == []
    assert links_of(parse(DAG), "x") == {}


def test_operator_declares_no_links_of_its_own(load, parse):
    """They would be XComs: a write for each task, and one value for all of its tries (fact 20)."""
    load(job="https://k8s.example/{job}")
    (task, *_) = DagSerialization.to_dict(parse(DAG).dags["demo__a"])["dag"]["tasks"]
    assert "_operator_extra_links" not in task["__var"]


@pytest.mark.parametrize(
    ("templates", "words"),
    [
        ({"pods": "https://x"}, ["no link 'pods'", "job, logs"]),
        ({"job": "headlamp/{job}"}, ["'headlamp/{job}'", "Begin it with https://"]),
        ({"job": "javascript:alert(1)"}, ["Begin it with https://"]),
        ({"job": "https://x/{pod}"}, ["holds {pod}", "{namespace}, {job}", "%7B"]),
        ({"job": "https://x/{job.__class__}"}, ["holds {job.__class__}"]),
        ({"job": "https://x/{job!r:>9}"}, ["holds {job!r:>9}"]),
        ({"job": "https://x/{}"}, ["holds {}"]),
        ({"logs": "https://x/{job"}, ["link 'logs'", "double it"]),
        ({"logs": 'https://x/?q={"a": 1}'}, ["link 'logs'", "double it"]),
    ],
    ids=["name", "relative", "script", "field", "attribute", "format", "nameless", "brace", "json"],
)  # fmt: skip
def test_wrong_template_is_an_import_error_of_the_plugin_with_its_cure(load, templates, words):
    load(**templates)
    (error,) = plugins_manager.get_import_errors().values()
    assert [word for word in ["CRONLIFT_LINKS", *words] if word not in error] == [], error
    assert plugins_manager.get_operator_extra_links() == []


def test_examples_of_the_documentation_are_right():
    text = (Path(__file__).parents[3] / "docs" / "observability.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    examples = [block["links"] for block in blocks if "links" in block]
    assert len(examples) == 2
    for templates in examples:
        make_links(templates)


@pytest.mark.parametrize(("text", "words"), [("[]", "not an object"), ('{"job": 5}', "link 'job' is 5, no URL")])
def test_wrong_variable_is_named(text, words):
    with pytest.raises(SettingsError, match=words):
        settings.read_links({"CRONLIFT_LINKS": text})
