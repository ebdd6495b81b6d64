"""Airflow's context in manifests, and what never returns in a triggerer."""

import pytest

from cronlift.airflow.render import render_manifest, render_values, spec_hash
from cronlift.errors import ManifestError
from cronlift.job.naming import TaskIdentity, job_name
from cronlift.job.sources import Sources

IDENTITY = TaskIdentity("cronlift/cronlift", "demo__a", "manual__1", "x", -1, 1)


class TaskInstance:
    try_number = 2

    def __init__(self) -> None:
        self.pulled: list[dict] = []

    def xcom_pull(self, task_ids=None, dag_id=None, **more):
        self.pulled.append({"task_ids": task_ids, "dag_id": dag_id, **more})
        return "value"


class Names:
    """Airflow's accessor of variables or connections."""

    def __getattr__(self, name: str):
        return f"<{name}>"

    def get(self, name: str, default=None):
        return default if name.endswith("none") else f"<{name}>"


def rendered(text: str, values=None, **context):
    return render_manifest(Sources("a", {"a": text}), context, IDENTITY, values or {})


def test_xcom_pull_asks_for_the_task_that_is_not_mapped():
    """Without a map index the call never returns in a triggerer of Airflow 3.3.2 (fact 5)."""
    task_instance = TaskInstance()
    assert rendered("{{ ti.xcom_pull('up') }} {{ ti.try_number }}", ti=task_instance) == "value 2"
    assert task_instance.pulled == [{"task_ids": "up", "dag_id": None, "map_indexes": -1}]


def test_xcom_pull_takes_a_map_index():
    task_instance = TaskInstance()
    rendered("{{ task_instance.xcom_pull('up', map_indexes=3) }}", ti=task_instance)
    assert task_instance.pulled[0]["map_indexes"] == 3


@pytest.mark.parametrize("name", ["prev_start_date_success", "prev_data_interval_end_success"])
@pytest.mark.parametrize("form", ["{{ %s }}", "{{ %s.year }}"])
def test_value_that_never_returns_is_refused(name, form):
    with pytest.raises(ManifestError, match=name):
        rendered(form % name, **{name: object()})


def test_value_that_never_returns_does_no_harm_unused():
    assert rendered("x", prev_start_date_success=object()) == "x"


def test_values_and_the_jobs_name_are_names_of_the_template():
    assert rendered("{{ shard }} {{ job_name }}", {"shard": 3}) == f"3 {job_name(IDENTITY)}"


def test_templates_in_values_are_rendered_with_the_context():
    values = {"day": "{{ ds }}", "count": 3, "deep": {"list": ["{{ ds }}"]}}
    context = {"ds": "2026-01-02"}
    assert render_values(values, context, IDENTITY) == {
        "day": "2026-01-02",
        "count": 3,
        "deep": {"list": ["2026-01-02"]},
    }


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ var.value.demo__x }}", "<demo__x>"),
        ("{{ var.json.demo__x }}", "<demo__x>"),
        ("{{ var.value.get('demo__none', 'd') }}", "d"),
        ("{{ conn.demo__db }}", "<demo__db>"),
        ("{{ conn.get('demo__db') }}", "<demo__db>"),
    ],
)
def test_own_variables_and_connections_are_read(text, result):
    assert rendered(text, var={"value": Names(), "json": Names()}, conn=Names()) == result


@pytest.mark.parametrize(
    "text",
    [
        "{{ var.value.billing__x }}", "{{ var.value.x }}", "{{ var['json']['billing__x'] }}", "{{ var.value.demo__ }}",
        "{{ var.value.get('billing' ~ '__x') }}", "{{ conn.billing__db }}", "{{ conn.get('db') }}",
        "{{ ti.xcom_pull('up', dag_id='billing__a') }}", "{{ ti.xcom_pull('up', 'billing__a') }}",
    ],
)  # fmt: skip
def test_another_teams_variable_connection_or_result_is_refused(text):
    with pytest.raises(ManifestError, match="is not team 'demo'"):
        rendered(text, var={"value": Names(), "json": Names()}, conn=Names(), ti=TaskInstance())


def test_spec_hash_is_of_the_sources_and_not_of_the_moment():
    one, same, other = (Sources("a", {"a": text}) for text in ("{{ x }}", "{{ x }}", "{{ y }}"))
    assert spec_hash(one) == spec_hash(same) != spec_hash(other)
    assert spec_hash(Sources("m", document={"a": 1})) != spec_hash(Sources("m", document={"a": 2}))


def test_spec_hash_tells_plain_yaml_from_a_template():
    assert spec_hash(Sources("a", {"a": "x"})) != spec_hash(Sources("a", {"a": "x"}, templated=False))
