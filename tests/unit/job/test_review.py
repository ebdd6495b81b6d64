"""What is refused while a DAG is parsed, and what is let through."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.errors import ManifestError
from cronlift.job.limits import Limits
from cronlift.job.review import check_sources, review
from cronlift.job.sources import Sources, collect
from cronlift.job.template import Images, render
from tests.unit.job.manifests import GOOD, checked


def test_good_manifest_is_accepted(tmp_path):
    assert checked(GOOD, tmp_path) == ""


@pytest.mark.parametrize(
    "text",
    [
        "{% if params.big %}\n" + GOOD + "{% endif %}",
        GOOD + "      {{ params.more | indent(6) }}\n",
        GOOD.replace('"{{ images.legacy }}"', "{{ params.image }}"),
        GOOD.replace("      containers", "{% for n in params.n %}\n      # {{ n }}\n{% endfor %}\n      containers"),
        GOOD + "  parallelism: {{ params.n | int + 1 }}\n",
        GOOD.replace("{{ ds }}", "{{ macros.ds_add(ds, -1)[:7] }} {{ (logical_date - macros.timedelta(1)).year }}"),
        GOOD + "---\n",
    ],
    ids=["if", "block of unknown text", "unknown image", "loop", "number", "macros", "empty document"],
)  # fmt: skip
def test_templated_manifest_is_given_the_benefit_of_the_doubt(text, tmp_path):
    assert checked(text, tmp_path) == ""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: Job", "kind: Job\nspec: [", ["a.yaml:", "YAML syntax error"]),
        ("  name: mine", "  name: a: b", ["a.yaml:4", "quotes"]),
        ("kind: Job", "kind: Job\nkind: Job", ["a.yaml:3", "'kind' is given twice"]),
        ("kind: Job", "kind: CronJob", ["a.yaml:2: kind: the manifest holds no Job, but CronJob", "spec.jobTemplate"]),
        ("kind: Job", "kind: Pod", ["a.yaml:2: kind: the manifest holds no Job, but Pod", "below spec.template"]),
        ("batch/v1", "batch/v1beta1", ["a.yaml:1: apiVersion", "batch/v1beta1"]),
        ("      containers", "      contaners", ["a.yaml:8", "no containers"]),
        ("- name: main", "- nam: main", ["a.yaml:10", "a container has no name"]),
        ('image: "{{ images.legacy }}"', "imag: x", ["a container has no image"]),
        ("images.legacy", "images.ruby", ["a.yaml:11", "no job image is called 'ruby'", "legacy"]),
        ('[sh, -c, "echo {{ ds }}"]', "echo hi", ["a.yaml:12", "not a list"]),
        ('[sh, -c, "echo {{ ds }}"]', "[sleep, 5]", ["holds 5", "quotes"]),
        ("          command", "          env: [{name: A, value: yes}]\n          command", ["A is True", "quotes"]),
        ("      containers", "      restartPolicy: Always\n      containers", ["restartPolicy is 'Always'", "Never"]),
        (GOOD, "- kind: Job\n", ["a.yaml:1", "a document is list, not a Kubernetes object"]),
    ],
    ids=["unclosed", "colon", "duplicate", "kind", "pod", "version", "containers", "name", "image", "unknown image",
         "command", "number", "boolean", "restart", "list"],
)  # fmt: skip
def test_fault_is_an_error_at_parse_with_line_and_cure(old, new, words, tmp_path):
    assert old in GOOD
    found = checked(GOOD.replace(old, new, 1), tmp_path)
    assert [word for word in words if word not in found] == [], found


def test_all_faults_are_reported_at_once(tmp_path):
    found = checked(GOOD.replace("batch/v1", "v1").replace("[sh,", "[1,").replace("- name: main", "-"), tmp_path)
    assert found.count("a.yaml:") == 3


def test_an_unknown_image_hides_no_other_fault(tmp_path):
    text = GOOD.replace("images.legacy", "images.lgacy").replace("batch/v1", "v1").replace("command:", "comand:")
    found = checked(text + '        - {name: a, image: "{{ images.ruby }}"}\n', tmp_path)
    assert "4 faults in the manifest" in found
    assert "a.yaml:11: no job image is called 'lgacy'" in found
    assert "a.yaml:13: no job image is called 'ruby'" in found
    assert "a.yaml:12: spec.template.spec.containers.0.comand" in found
    assert "a.yaml:1: apiVersion" in found


def test_an_unknown_image_is_told_once_and_where_it_is_first_asked_for(tmp_path):
    (tmp_path / "more.yaml").write_text("\n        - {name: a, image: '{{ images.ruby }}'}\n")
    text = GOOD + "{% include 'more.yaml' %}" + "        - {name: b, image: \"{{ images['ruby'] }}\"}\n"
    assert checked(text, tmp_path).startswith("more.yaml:2: no job image is called 'ruby'")


def test_a_fault_leaves_the_documents_to_be_judged():
    """The policy's faults are told together with the others."""
    bad = GOOD.replace("images.legacy", "images.lgacy").replace("command:", "comand:")
    for templated in (True, False):
        found = review(Sources("a", {"a": bad}, templated=templated), Images({"legacy": "x:1"}), values=())
        assert len(found.faults) == 2
        assert [each.kind for each in found.documents] == ["Job"]


def test_second_job_is_refused(tmp_path):
    assert "a.yaml:15: kind: the manifest holds a second Job" in checked(GOOD + "---\n" + GOOD, tmp_path)


def test_dict_is_checked_too(tmp_path):
    with pytest.raises(ManifestError, match="holds no Job, but Pod"):
        check_sources(collect({"kind": "Pod"}, []), None)


def test_unknown_images_pass_where_the_deployment_is_not_known(tmp_path):
    check_sources(collect(GOOD.replace("legacy", "whatever"), []), None)


def test_unknown_name_is_named_with_its_line_and_the_nearest_one(tmp_path):
    found = checked(GOOD.replace("{{ ds }}", "{{ dss }}"), tmp_path, values=())
    assert "a.yaml:12: nothing is called 'dss'" in found
    assert "Did you mean 'ds'?" in found


def test_unknown_names_and_other_faults_are_reported_together(tmp_path):
    found = checked(GOOD.replace("{{ ds }}", "{{ dss }}").replace("batch/v1", "v1"), tmp_path, values=())
    assert "2 faults" in found
    assert "a.yaml:1: apiVersion" in found


def test_any_name_passes_where_the_values_are_not_known(tmp_path):
    assert checked(GOOD.replace("{{ ds }}", "{{ shard }}"), tmp_path) == ""


def test_forbidden_attribute_is_refused_before_the_run(tmp_path):
    found = checked(GOOD.replace("{{ ds }}", "{{ ds.__class__ }}"), tmp_path)
    assert "a.yaml:12" in found
    assert "unsafe" in found


def test_airflows_names_are_not_known_in_a_template_that_is_imported(tmp_path):
    """Jinja gives the context to what is included, but not to what is imported."""
    (tmp_path / "m.yaml").write_text("{% macro day() %}{{ ds }}{% endmacro %}")
    use = "{% import 'm.yaml' as m %}" + GOOD.replace("{{ ds }}", "{{ m.day() }}")
    found = checked(use, tmp_path)
    assert "m.yaml:1: 'ds' is not known in a template that is imported" in found
    assert checked(use.replace("as m %}", "as m with context %}"), tmp_path) == ""


def test_review_of_the_same_content_is_remembered(tmp_path):
    (tmp_path / "a.yaml").write_text(GOOD)
    images = Images({"legacy": "x:1"})
    one, other = (review(collect("a.yaml", [tmp_path]), images, values=("shard",)) for _ in range(2))
    assert one.documents is other.documents


def test_each_error_of_a_remembered_review_is_a_new_one(tmp_path):
    """Whoever catches an error may add the task to it, and must not change what the next task gets."""
    (tmp_path / "a.yaml").write_text(GOOD.replace("batch/v1", "v1"))
    errors = []
    for _ in range(2):
        with pytest.raises(ManifestError) as caught:
            check_sources(collect("a.yaml", [tmp_path]), None)
        caught.value.args = ("changed",)
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert errors[1].what.startswith("apiVersion")


def test_changed_file_is_reviewed_again(tmp_path):
    assert checked(GOOD, tmp_path) == ""
    assert "batch/v1" in checked(GOOD.replace("batch/v1", "v1"), tmp_path)


def test_changed_images_are_reviewed_again():
    sources = collect(GOOD, [])
    check_sources(sources, Images({"legacy": "x:1"}))
    with pytest.raises(ManifestError, match="no job image is called 'legacy'"):
        check_sources(sources, Images({"other": "x:1"}))


# Statements of Jinja and lines of YAML, which in any order may be anything.
names = st.sampled_from(
    ["ds", "params", "conn", "ti", "m", "x", "images.legacy", "job_name", "loop", "'a'", "9", "[1]", "none"]
)
ends = st.sampled_from(
    ["", ".y", "[0]", "()", "(1)", " | join", " | tojson", " | default('x')", " | list", " | int",
     " is defined", " ~ 1",
     " * 9", " ** 9", " % 3", " + 1", " - 1", " == 2", " if ds", " if ds else 3", " | map('upper') | list", " | sort"]
)  # fmt: skip
expressions = st.builds(lambda name, one, two: f"{name}{one}{two}", names, ends, ends)
statements = st.sampled_from(
    ["{{ %s }}", "{% if %s %}", "{% else %}", "{% endif %}", "{% for x in %s %}", "{% endfor %}", "{% set x = %s %}",
     "{% macro m(x) %}", "{% endmacro %}", "{% block b %}", "{% endblock %}", "{% do %s %}", "{% filter upper %}",
     "{% endfilter %}", "{% call m(%s) %}",
     "{% endcall %}", "{# %s #}", "{% raw %}%s{% endraw %}"]
)  # fmt: skip
templated = st.builds(lambda statement, expression: statement.replace("%s", expression), statements, expressions)
lines = st.sampled_from(
    [
        "\n",
        "\n  ",
        "\n- ",
        "kind: Job\n",
        "kind: Secret\n",
        "stringData:\n  ",
        "a: ",
        "&a ",
        "*a ",
        "<<: *a\n",
        "---\n",
        '"',
        "[",
        "}",
    ]
)
pieces = templated | lines | st.just(GOOD)


@given(st.lists(pieces, max_size=25).map("".join))
def test_whatever_the_text_is_a_manifest_error_is_the_worst_at_parse_and_at_run(text):
    images = Images({"legacy": "x:1"})
    with contextlib.suppress(ManifestError):
        sources = collect(text + "\n", [])
        assert all(each.what for each in review(sources, images, values=()).faults)
        render(sources, {"ds": "2026-01-01", "params": {"x": [1]}}, images, limits=Limits(seconds=1.0))
