"""From what Pods leave to the task's result."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.errors import ResultError
from cronlift.job.result import (
    RESULT_LIMIT_CHARACTERS,
    MarkedLines,
    PodResult,
    ResultSource,
    gives_list,
    pod_results,
    result_of,
)

LOG, MESSAGE = ResultSource.LOG, ResultSource.TERMINATION_MESSAGE
ONE: dict = {"spec": {"completions": 1}, "status": {"succeeded": 1}}
INDEX = "batch.kubernetes.io/job-completion-index"


def left(text: str | None, pod: str = "p", index: int | None = None, ended: str = "") -> PodResult:
    return PodResult(pod, {} if text is None else {"main": text}, index, ended)


def pod(name: str, message: str | None = None, phase: str = "Succeeded", index: str | None = None, ended: str = "1"):
    terminated = {"exitCode": 0, "finishedAt": ended} | ({"message": message} if message else {})
    return {
        "metadata": {"name": name, "annotations": {INDEX: index} if index else None},
        "status": {"phase": phase, "containerStatuses": [{"name": "main", "state": {"terminated": terminated}}]},
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": [1, 2]}', {"a": [1, 2]}), ("3", 3), ('"x"', "x"), ("null", None), (' {\n"a": 1\n}\n', {"a": 1}),
     ('"\\\\u0000"', "\\u0000"), ("18446744073709551615", 2**64 - 1), ("-9223372036854775808", -(2**63))],
)  # fmt: skip
def test_one_completion_gives_its_value(text, value):
    assert result_of(LOG, ONE, [left(text)]) == value


def test_of_several_pods_of_one_completion_the_last_one_counts():
    assert result_of(LOG, ONE, [left("2", ended="2026-02"), left("1", ended="2026-01")]) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["Pod p succeeded, but left no result"]),
        ("{a: 1}", ["container main of Pod p", "no JSON", "'{a: 1}'"]),
        ("", ["no JSON"]),
        ("NaN", ["NaN is not allowed"]),
        ("[1e999]", ["cannot be kept"]),
        ('"\\u0000"', ["NUL"]),
        ('"\\ud800"', ["surrogates"]),
        ("[" * 100_000, ["no JSON"]),
        ("9" * 5000, ["no JSON"]),
        ('{"rows": [18446744073709551616]}', ["more than 64 bits", "in quotes"]),
        ("-9223372036854775809", ["more than 64 bits"]),
        ("[" * 102 + "]" * 102, ["nested deeper than 100"]),
        ('"' + "x" * RESULT_LIMIT_CHARACTERS + '"', ["more than the 1048576", "object store"]),
    ],
    ids=["nothing", "not quoted", "empty", "NaN", "infinite", "NUL", "surrogate", "deep", "digits",
         "65 bits", "65 bits below zero", "nested", "large"],
)  # fmt: skip
@pytest.mark.parametrize("source", ResultSource)
def test_what_is_no_result_is_refused_with_the_cure(source, text, words):
    with pytest.raises(ResultError) as caught:
        result_of(source, ONE, [left(text)])
    assert [word for word in words if word not in str(caught.value)] == []
    assert len(str(caught.value)) < 1000


def test_the_cure_names_the_place_to_write_to():
    for source, words in ((LOG, "cronlift-result:"), (MESSAGE, "/dev/termination-log")):
        with pytest.raises(ResultError, match=words):
            result_of(source, ONE, [left(None)])


def test_two_containers_with_a_result_are_refused():
    with pytest.raises(ResultError, match="Several containers of Pod p left a result: a, b"):
        result_of(LOG, ONE, [PodResult("p", {"b": "1", "a": "2"})])


def test_result_of_a_job_without_pods_is_refused():
    with pytest.raises(ResultError, match="none of its Pods is there"):
        result_of(LOG, ONE, [])


def test_indexed_results_come_in_order_of_their_index():
    job = {"spec": {"completions": 3, "completionMode": "Indexed"}, "status": {"succeeded": 3}}
    results = [left("20", "c", 2, "1"), left("0", "a", 0, "3"), left("10", "b", 1, "2")]
    assert result_of(LOG, job, results) == [0, 10, 20]


def test_index_that_did_not_succeed_gives_none():
    job = {"spec": {"completions": 3, "completionMode": "Indexed"}, "status": {"succeeded": 1}}
    assert result_of(LOG, job, [left("1", "b", 1)]) == [None, 1, None]


def test_index_that_succeeded_twice_counts_once_by_its_last_end():
    job = {"spec": {"completions": 2, "completionMode": "Indexed"}, "status": {"succeeded": 2}}
    results = [left('"new"', "b", 0, "2"), left('"old"', "a", 0, "1"), left("1", "c", 1, "1")]
    assert result_of(LOG, job, results) == ["new", 1]


def test_other_results_come_in_order_of_their_end():
    job = {"spec": {"completions": 3}, "status": {"succeeded": 3}}
    assert result_of(LOG, job, [left("3", "a", ended="3"), left("1", "c", ended="1"), left("2", "b", ended="2")]) == [
        1,
        2,
        3,
    ]


@pytest.mark.parametrize("mode", ["Indexed", "NonIndexed"])
def test_result_that_cannot_be_complete_is_refused(mode):
    job = {"spec": {"completions": 3, "completionMode": mode}, "status": {"succeeded": 3}}
    with pytest.raises(ResultError, match="counts 3 Pods that succeeded, but only 2 of them"):
        result_of(LOG, job, [left("1", "a", 0), left("2", "b", 1)])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, False), ({"completions": 1, "parallelism": 3}, False), ({"completions": 2}, True),
        ({"parallelism": 1}, False), ({"parallelism": 2}, True),
        ({"completions": 1, "completionMode": "Indexed"}, False),
    ],
)  # fmt: skip
def test_shape_follows_from_the_spec_alone(spec, expected):
    assert gives_list({"spec": spec}) is expected


def test_only_pods_that_succeeded_count():
    pods = [pod("a", "1"), pod("b", "2", phase="Failed"), pod("c", "3", phase="Running")]
    assert [each.pod for each in pod_results(pods)] == ["a"]


def test_message_index_and_end_are_read_from_the_pod():
    assert pod_results([pod("a", '{"x": 1}', index="4", ended="2026")]) == [
        PodResult("a", {"main": '{"x": 1}'}, 4, "2026")
    ]


def test_lines_are_taken_instead_of_messages():
    lines = MarkedLines()
    lines.add("a", "main", "cronlift-result: 7")
    assert pod_results([pod("a", "8")], lines)[0].texts == {"main": "7"}


def test_marked_lines_are_told_from_others():
    lines = MarkedLines()
    assert lines.add("p", "main", 'cronlift-result: {"a":')
    assert not lines.add("p", "main", "some output")
    assert not lines.add("p", "main", " cronlift-result: no")
    assert lines.add("p", "main", "cronlift-result:  1}")
    assert lines.add("q", "main", "cronlift-result: 2")
    assert lines.texts("p") == {"main": '{"a": 1}'}
    assert lines.texts("r") == {}


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
json_values = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=8,
)


@given(json_values, st.integers(1, 9))
def test_value_that_is_cut_anywhere_is_put_together_again(value, width):
    text, lines = json.dumps(value), MarkedLines()
    for start in range(0, len(text), width):
        lines.add("p", "main", f"cronlift-result: {text[start : start + width]}")
    assert result_of(LOG, ONE, [PodResult("p", lines.texts("p"))]) == value


def test_marked_lines_take_no_more_memory_than_a_result_may_have():
    lines = MarkedLines()
    for _ in range(2000):
        lines.add("p", "main", "cronlift-result: " + "x" * 1024)
    assert sum(len(piece) for pieces in lines._pieces.values() for piece in pieces) <= RESULT_LIMIT_CHARACTERS
    with pytest.raises(ResultError, match="more than the 1048576"):
        lines.texts("p")


def test_what_is_forgotten_counts_no_more():
    lines = MarkedLines()
    lines.add("p", "side", "cronlift-result: 1")
    lines.add("p", "main", "cronlift-result: " + "x" * RESULT_LIMIT_CHARACTERS)
    lines.forget("p", "main")
    lines.add("p", "main", "cronlift-result: 2")
    assert lines.texts("p") == {"side": "1", "main": "2"}
    lines.forget("p")
    assert lines.texts("p") == {}
