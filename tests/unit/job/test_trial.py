"""Rendering with guesses: what it shows, and how far it can be believed."""

import pytest

from cronlift.errors import ManifestError
from cronlift.job.sources import Sources
from cronlift.job.template import Images
from cronlift.job.trial import GuessKind, try_rendering


def trial(text: str, guesses: GuessKind = "true", images: Images | None = None, **files: str):
    return try_rendering(Sources("a", {"a": text, **files}), images, guesses=guesses)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ ds }}", "cronlift-guess"),
        ("{{ conn.a.b }}", "cronlift-guess-secret"),
        ("{{ var.value.get('x', 1) }}", "cronlift-guess-secret"),
        ("{{ job_name }}", "cronlift-guess-job"),
        ("{{ images.x }}", "cronlift-guess"),
        ("{{ shard }}", "cronlift-guess"),
        ("{{ macros.ds_add(ds, 1)[:7] }}", "cronlift-guess"),
        ("{{ (logical_date - macros.timedelta(days=1)).year + 1 }}", "cronlift-guess"),
        ("{% for x in params.all %}{{ x }};{% endfor %}", "cronlift-guess;"),
        ("{% if params.x == 'a' %}yes{% else %}no{% endif %}", "yes"),
        ("{{ params.x | default('d') }}", "d"),
        ("{{ params.n | int }} {{ params.n | float }} {{ params.l | length }}", "1 1.0 1"),
        ("{{ params.x | tojson }}", '"cronlift-guess"'),
        ("{{ 'a' ~ ds ~ 'b' }}{{ 'c' + ds }}", "acronlift-guessbcronlift-guess"),
    ],
)
def test_guess_stands_for_any_value(text, expected):
    assert trial(text).text == expected


def test_false_guesses_take_the_other_branch():
    text = "{% if params.x %}yes{% else %}no{% endif %}{{ 'a' if ds == '1' else 'b' }}{% if not ds %}c{% endif %}"
    assert trial(text).text == "yesa"
    assert trial(text, guesses="false").text == "nobc"


def test_template_that_needs_real_values_gives_nothing():
    assert trial("{{ 1 / 0 }}") is None
    assert trial("{{ [1][ds] | upper(1) }}") is None


def test_template_without_an_end_gives_nothing():
    assert trial("{% include 'a' %}") is None


def test_unknown_image_is_certain_to_fail():
    with pytest.raises(ManifestError, match=r"a:2: no job image is called 'x'"):
        trial("\n{{ images.x }}", images=Images({"y": "z"}))


@pytest.mark.parametrize(
    ("text", "certain"),
    [("a: {{ ds }}", True), ("{{ ds }}", False), ("- {{ ds }}", False), ('"{{ conn.a.b }}"', False), ("a: 1", True)],
)
def test_line_of_a_guess_alone_may_be_anything(text, certain):
    assert trial(text).certain is certain


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a: {{ ds }}\nb: 1\n", True),
        ("{% set x = 1 %}\na: 1\n", True),
        ("{# one line #}\na: 1\n", True),
        ("{# two\nlines #}\na: 1\n", False),
        ("{{ [1,\n2] }}\na: 1\n", False),
        ("{% if ds %}\na: 1\n{% endif %}", False),
        ("{% set x -%}\na: 1\n{% endset %}", False),
        ("{% macro m() %}\n{% endmacro %}\na: 1\n", False),
    ],
    ids=["plain", "set", "comment", "long comment", "long expression", "if", "trimmed", "macro"],
)
def test_lines_are_the_files_own_only_when_nothing_moves_them(text, same):
    assert trial(text).same_lines is same
