"""The names that templates may use."""

import ast
from importlib.metadata import distribution

import pytest

from cronlift.job.names import ABSENT_NAMES, CONTEXT_NAMES, names_used, refused_value_names, unknown_names
from cronlift.job.sources import Sources


def sources(text: str, **files: str) -> Sources:
    return Sources("a.yaml", {"a.yaml": text, **{f"{name}.yaml": source for name, source in files.items()}})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ds", "Airflow's own"), ("conn", "Airflow's own"), ("try_number", "Airflow's own"),
        ("images", "cronlift gives"), ("job_name", "cronlift gives"), ("loop", "something in Jinja"),
        ("none", "something in Jinja"),
        ("a-b", "is no name"), ("1a", "is no name"), ("", "is no name"), ("for", "is no name"), (1, "is no name"),
    ],
)  # fmt: skip
def test_name_that_hides_something_or_cannot_be_written_is_refused(name, words):
    (fault,) = refused_value_names({name: 1, "shard": 2})
    assert words in fault
    assert repr(name) in fault


def test_every_refused_name_is_told_and_the_others_pass():
    assert len(refused_value_names({"ds": 1, "images": 2})) == 2
    assert refused_value_names({"shard": 1, "_x": 2, "größe": 3}) == []


def test_names_of_all_branches_and_templates_are_used():
    text = "{% if a %}{{ b.c }}{% else %}{{ d | upper }}{% endif %}{% include 'b.yaml' %}{{ range(3) }}"
    assert names_used(sources(text, b="{{ e }}{% for f in g %}{{ f }}{{ loop.index }}{% endfor %}")) == set("abdeg")


def test_names_in_a_dict_are_used():
    assert names_used(Sources("m", document={"x": ["{{ a }}", 1], "y": ({"z": "{{ b }}"},)})) == {"a", "b"}


@pytest.mark.parametrize(
    "text",
    [
        "{{ ds }}{{ params.a }}{{ conn.x.y }}{{ var.value.z }}{{ macros.uuid() }}{{ images.a }}{{ job_name }}",
        "{{ shard }}",
        "{{ nothing | default('x') }}",
        "{{ nothing | d }}",
        "{% if nothing is defined %}{{ nothing }}{% endif %}",
        "{% set here = 1 %}{{ here }}",
        "{% for each in params.all %}{{ each }}{{ loop.index }}{% endfor %}",
        "{% macro one(x, y=2) %}{{ x }}{{ y }}{{ varargs }}{{ kwargs }}{{ caller() }}{% endmacro %}{{ one(1) }}",
        "{% import 'b.yaml' as lib %}{{ lib.f() }}{% from 'b.yaml' import g, h as i %}{{ g() }}{{ i() }}",
        "{% set shown = 1 %}{% include 'c.yaml' %}",
        "{% block a %}{{ self.a() }}{{ super() }}{% endblock %}",
        "{% do params.update(a=1) %}{{ range(3) }}{{ dict(a=1) }}{{ cycler }}{{ joiner }}{{ namespace() }}",
    ],
    ids=["given", "value", "default", "d", "defined", "set", "for", "macro", "import", "include", "block", "jinja"],
)
def test_name_that_something_gives_is_known(text):
    included = {"b": "", "c": "{{ shown }}"} if "include" in text else {"b": ""}
    assert unknown_names(sources(text, **included), {"shard"}) == []


def test_unknown_name_has_its_line_the_nearest_name_and_the_cure():
    (fault,) = unknown_names(sources("a\n\n{{ shrad }}"), {"shard"})
    assert fault.where == "a.yaml:3"
    assert "nothing is called 'shrad'" in fault.what
    assert "Did you mean 'shard'?" in fault.cure
    assert "values={'shrad': ...}" in fault.cure


def test_name_that_airflow_gives_to_callbacks_only_is_unknown():
    (fault,) = unknown_names(sources("{{ try_number }}"))
    assert "ti.try_number" in fault.cure


def test_unknown_name_in_a_branch_that_no_trial_takes_is_found():
    (fault,) = unknown_names(sources("{% if not params.x %}\n{{ nope }}{% endif %}"))
    assert fault.where == "a.yaml:2"


def test_unknown_name_in_an_included_file_is_named_there():
    (fault,) = unknown_names(sources("{% include 'b.yaml' %}", b="\n{{ nope }}"))
    assert fault.where == "b.yaml:2"


def test_airflows_names_are_those_of_its_context():
    """Regression test of a fact: what Airflow 3.3.2 calls its context. A name of it may never be taken for a value."""
    source = distribution("apache-airflow-task-sdk").locate_file("airflow/sdk/definitions/context.py").read_text()
    (context,) = (
        each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.ClassDef) and each.name == "Context"
    )
    theirs = {each.target.id for each in context.body if isinstance(each, ast.AnnAssign)}
    assert theirs == CONTEXT_NAMES | ABSENT_NAMES


def test_name_that_never_returns_is_refused_before_the_run():
    (fault,) = unknown_names(sources("a\n{{ prev_start_date_success }}"))
    assert fault.where == "a.yaml:2"
    assert "cannot be read where manifests are rendered" in fault.what
    assert "logical_date" in fault.cure


def test_no_nearest_name_is_told_when_none_is_near():
    (fault,) = unknown_names(sources("{{ action }}"))
    assert "Did you mean" not in fault.cure


def test_constant_expression_that_fails_is_no_matter_of_names():
    assert unknown_names(sources("{{ ds }}{{ 'a'.y ~ 1 }}{{ 1 / 0 ~ 2 }}")) == []
