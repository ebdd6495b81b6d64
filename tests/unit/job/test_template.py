"""Rendering a manifest: strict, sandboxed, bounded."""

from datetime import UTC, datetime

import pytest

from cronlift.errors import ManifestError
from cronlift.job.sources import Sources
from cronlift.job.template import Images, Limits, render

CONTEXT = {"ds": "2026-01-01", "params": {"n": 3}, "when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
IMAGES = Images({"legacy": "registry/legacy:1"})


def text(source: str, limits: Limits | None = None, **files: str):
    return render(Sources("jobs/a.yaml", {"jobs/a.yaml": source, **files}), CONTEXT, IMAGES, limits=limits)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("day: {{ ds }}", "day: 2026-01-01"),
        ("image: {{ images.legacy }}", "image: registry/legacy:1"),
        ("image: {{ images['legacy'] }}", "image: registry/legacy:1"),
        ("{{ when | ds }} {{ when | ts_nodash }}", "2026-01-02 20260102T030405"),
        ("{% raw %}{{ ds }}{% endraw %}", "{{ ds }}"),
        ("{{ nothing | default('x') }}", "x"),
        ("{{ params.n * 2 }}", "6"),
        ("a < b & 'c'\n", "a < b & 'c'\n"),
    ],
)
def test_text_is_rendered(source, expected):
    assert text(source) == expected


def test_dict_keeps_its_types_and_renders_its_strings():
    document = {"spec": {"backoffLimit": 2, "list": ["{{ ds }}", 1], "flag": True}}
    rendered = render(Sources("manifest", document=document), CONTEXT, IMAGES)
    assert rendered == {"spec": {"backoffLimit": 2, "list": ["2026-01-01", 1], "flag": True}}
    assert document["spec"]["list"][0] == "{{ ds }}"


def test_value_with_quotes_does_not_break_a_dict():
    rendered = render(Sources("manifest", document={"a": "{{ x }}"}), {"x": 'it\'s: "so"\n- y'}, IMAGES)
    assert rendered == {"a": 'it\'s: "so"\n- y'}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("a: 1\nb: {{ dss }}", ["jobs/a.yaml:2", "'dss' is undefined", "default"]),
        ("a\nb\n{{ params.m.x }}", ["jobs/a.yaml:3", "no attribute 'm'"]),
        ("{{ logical_date }}", ["without a logical date", "run_after"]),
        ("\n{{ images.ruby }}", ["jobs/a.yaml:2", "no job image is called 'ruby'", "Known images: legacy"]),
        ("{{ ds.__class__.__mro__ }}", ["jobs/a.yaml:1", "unsafe"]),
        ("{{ cycler.__init__.__globals__ }}", ["unsafe"]),
        ("{{ 1 / 0 }}", ["jobs/a.yaml:1", "ZeroDivisionError"]),
        ("{{ 'x' * 10 ** 9 }}", ["was stopped"]),
        ("{{ 10 ** 100000 }}", ["was stopped"]),
        ("{% for i in range(10 ** 9) %}{% endfor %}", ["Range too big", "jobs/a.yaml"]),
        ("{% for i in range(90000) %}" + "x" * 20 + "{% endfor %}", ["was stopped", "characters"]),
        ("{% include 'jobs/b.yaml' %}", ["'jobs/b.yaml' was not found"]),
    ],
    ids=["undefined", "attribute", "no logical date", "image", "class", "globals", "division", "repeat", "power",
         "range", "size", "include"],
)  # fmt: skip
def test_fault_is_named_with_its_place(source, words):
    with pytest.raises(ManifestError) as caught:
        text(source)
    assert [word for word in words if word not in str(caught.value)] == []


def test_fault_in_an_included_file_is_named_there():
    with pytest.raises(ManifestError, match=r"jobs/b\.yaml:2: 'nope' is undefined"):
        text("{% include 'jobs/b.yaml' %}", **{"jobs/b.yaml": "a\n{{ nope }}"})


def test_template_without_an_end_is_stopped():
    """A template may fail only its own task (fact 5 of Airflow 3.3.2: rendering blocks whoever renders)."""
    endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% if a == b %}{% endif %}{% endfor %}{% endfor %}"
    with pytest.raises(ManifestError, match=r"more than 0\.2 s"):
        text(endless, Limits(seconds=0.2))


def test_images_reads_as_a_mapping():
    assert dict(IMAGES) == {"legacy": "registry/legacy:1"}
    assert not hasattr(IMAGES, "_private")


def test_values_and_the_jobs_name_are_names_of_their_own():
    sources = Sources("a", {"a": "{{ shard }} {{ nested.x[0] }} {{ job_name }} {{ ds }}"})
    values = {"shard": 3, "nested": {"x": ["y"]}}
    assert render(sources, CONTEXT, IMAGES, values=values, job_name="j-1") == "3 y j-1 2026-01-01"


def test_value_cannot_hide_airflows_own():
    assert render(Sources("a", {"a": "{{ ds }}"}), CONTEXT, IMAGES, values={"ds": "x"}) == "2026-01-01"


def test_images_and_the_jobs_name_are_known_in_what_is_imported():
    files = {
        "a": "{% from 'b' import m %}{{ m() }}",
        "b": "{% macro m() %}{{ images.legacy }} {{ job_name }}{% endmacro %}",
    }
    assert render(Sources("a", files), CONTEXT, IMAGES, job_name="j") == "registry/legacy:1 j"


def test_values_of_a_dict_are_rendered_with_them_too():
    rendered = render(
        Sources("m", document={"a": "{{ shard }}-{{ job_name }}"}), {}, IMAGES, values={"shard": 1}, job_name="j"
    )
    assert rendered == {"a": "1-j"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a": "{% extends 'b' %}{% block x %}child {{ super() }}{% endblock %}",
          "b": "<{% block x %}base{% endblock %}>"},
         "<child base>"),
        ({"a": "{% extends 'b' %}{% block x %}1{% endblock %}", "b": "{% extends 'c' %}",
          "c": "{% block x %}{% endblock %}!"},
         "1!"),
        ({"a": "{% include 'b' %}{% include 'none' ignore missing %}", "b": "{{ ds }}"}, "2026-01-01"),
        ({"a": "{% include ['none', 'b'] %}", "b": "second"}, "second"),
        ({"a": "{% import 'b' as b with context %}{{ b.m(2) }}", "b": "{% macro m(n) %}{{ ds }}{{ n }}{% endmacro %}"},
         "2026-01-012"),
        ({"a": "{% macro env(name) %}- {{ name }}{{ caller() }}{% endmacro %}{% call env('A') %}: 1{% endcall %}"},
         "- A: 1"),
        ({"a": "{% set all = [] %}{% do all.append(1) %}{{ all | length }}"}, "1"),
        ({"a": "{% filter upper %}x{% endfilter %}{# note #}{% raw %}${{ x }}{% endraw %}"}, "X${{ x }}"),
    ],
    ids=["extends", "extends twice", "include", "include one of", "import", "macro", "do", "filter"],
)  # fmt: skip
def test_templates_work_together(files, expected):
    assert render(Sources("a", files), CONTEXT, IMAGES) == expected


@pytest.mark.parametrize(
    "files",
    [
        {"a": "{% include 'a' %}"},
        {"a": "{% include 'b' %}", "b": "{% include 'a' %}"},
        {"a": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"},
    ],
    ids=["itself", "circle", "macro"],
)
def test_templates_that_never_end_are_refused(files):
    with pytest.raises(ManifestError, match="without an end"):
        render(Sources("a", files), CONTEXT, IMAGES)


def test_filters_are_those_of_airflow():
    """A manifest that was moved from another operator must find what it used (Airflow 3.3.2)."""
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    text = "{{ w | ds }} {{ w | ds_nodash }} {{ w | ts }} {{ w | ts_nodash }} {{ w | ts_nodash_with_tz }}"
    assert render(Sources("a", {"a": text}), {"w": when}, IMAGES) == (
        "2026-01-02 20260102 2026-01-02T03:04:05+00:00 20260102T030405 20260102T030405+0000"
    )
