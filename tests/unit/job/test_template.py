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
