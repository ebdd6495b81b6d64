"""Airflow's context in manifests, and what never returns in a triggerer."""

import pytest

from cronlift.airflow.render import render_manifest, spec_hash
from cronlift.errors import ManifestError
from cronlift.job.sources import Sources


class TaskInstance:
    try_number = 2

    def __init__(self) -> None:
        self.pulled: list[dict] = []

    def xcom_pull(self, task_ids=None, **more):
        self.pulled.append({"task_ids": task_ids, **more})
        return "value"


def rendered(text: str, **context):
    return render_manifest(Sources("a", {"a": text}), context)


def test_xcom_pull_asks_for_the_task_that_is_not_mapped():
    """Without a map index the call never returns in a triggerer of Airflow 3.3.2 (fact 5)."""
    task_instance = TaskInstance()
    assert rendered("{{ ti.xcom_pull('up') }} {{ ti.try_number }}", ti=task_instance) == "value 2"
    assert task_instance.pulled == [{"task_ids": "up", "map_indexes": -1}]


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


def test_spec_hash_is_of_the_sources_and_not_of_the_moment():
    one, same, other = (Sources("a", {"a": text}) for text in ("{{ x }}", "{{ x }}", "{{ y }}"))
    assert spec_hash(one) == spec_hash(same) != spec_hash(other)
    assert spec_hash(Sources("m", document={"a": 1})) != spec_hash(Sources("m", document={"a": 2}))
