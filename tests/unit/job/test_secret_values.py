"""A Secret's values come from connections or variables; anything else would lie in clear in the DAG."""

import pytest

from cronlift.errors import ManifestError
from cronlift.job.review import check_sources
from cronlift.job.sources import collect
from tests.unit.job.manifests import GOOD, SECRET, checked


@pytest.mark.parametrize(
    "value",
    [
        "hunter2", "aHVudGVyMg==", "{{ 'hunter2' }}", "hunter2-{{ ds }}", "{{ params.password }}", "{{ password }}",
        "{{ ti.xcom_pull('up') }}", "{{ macros.uuid() }}", "hunter2{% if conn.demo__db %}{% endif %}",
        "{% if params.x %}{{ conn.demo__db.password }}{% else %}hunter2{% endif %}",
        "{% if params.x %}hunter2{% else %}{{ conn.demo__db.password }}{% endif %}",
        "{{ 'hunter2' if params.x == 1 else conn.demo__db.password }}",
    ],
)  # fmt: skip
def test_value_in_clear_is_refused_with_its_line_and_without_itself(value, tmp_path):
    found = checked(GOOD + SECRET % f'"{value}"', tmp_path)
    assert "holds stringData.password in clear" in found
    assert "a.yaml" in found
    assert "conn." in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "value",
    [
        '"{{ conn.demo__db.password }}"', '"{{ var.value.demo__token }}"', '"{{ var.json.demo__t.token }}"',
        '"a:{{ conn.demo__db.password }}"', '"{{ conn.demo__db.password | upper }}"',
        "{{ conn.get('demo__db').login }}",
        "'{{ conn.demo__db.extra_dejson | tojson }}'", "'{{ var.json.demo__t | tojson }}'", '"{{ \'x\' ~ conn.a.b }}"',
        "{{ conn.demo__db.password }}", "|\n    a={{ conn.demo__db.login }}\n    b={{ conn.demo__db.password }}",
        '"{% set db = conn.demo__db %}{{ db.password }}"', '""',
    ],
)  # fmt: skip
def test_value_by_reference_is_accepted(value, tmp_path):
    assert checked(GOOD + SECRET % value, tmp_path) == ""


def test_data_is_checked_as_string_data_is(tmp_path):
    found = checked(GOOD + (SECRET % "aHVudGVyMg==").replace("stringData", "data"), tmp_path)
    assert "a.yaml:19: data.password: the Secret holds data.password in clear" in found


def test_all_values_in_clear_are_reported_at_once(tmp_path):
    found = checked(GOOD + SECRET % "a" + "  user: b\n", tmp_path)
    assert "stringData.password" in found
    assert "stringData.user" in found


@pytest.mark.parametrize(
    "text",
    [
        GOOD + "{{ 1 / 0 }}\n" + SECRET % "hunter2",
        GOOD + "{% if params.x %}\n{% else %}\n" + SECRET % "hunter2" + "{% endif %}\n",
        GOOD + "{{ 1 / 0 }}\n---\n{kind: Secret, stringData: {a: hunter2}}\n",
        GOOD + '{{ 1 / 0 }}\n---\n{"kind": "Secret", "stringData": {"a": "hunter2"}}\n',
    ],
    ids=["cannot be rendered", "branch that no guess takes", "braces", "json"],
)
def test_secret_that_no_trial_shows_is_refused(text, tmp_path):
    found = checked(text, tmp_path)
    assert "too intricate" in found
    assert "a.yaml:" in found
    assert "hunter2" not in found


def test_secret_in_a_comment_is_none(tmp_path):
    assert checked(GOOD + "# kind: Secret\n", tmp_path) == ""


def test_secret_in_an_included_file_is_checked(tmp_path):
    (tmp_path / "db.yaml").write_text(SECRET % "hunter2")
    assert "in clear" in checked(GOOD + "{% include 'db.yaml' %}", tmp_path)


def test_secret_in_a_dict_is_checked():
    pod = {"containers": [{"name": "a", "image": "b"}]}
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": pod}}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
    manifest = {"kind": "List", "items": [job, {**secret, "stringData": {"a": "{{ conn.demo__db.password }}"}}]}
    check_sources(collect(manifest, []), None, values=())
    manifest["items"][1]["stringData"]["a"] = "hunter2"
    with pytest.raises(ManifestError, match=r"holds stringData\.a in clear"):
        check_sources(collect(manifest, []), None, values=())
