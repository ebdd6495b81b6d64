"""Reading rendered YAML: as Kubernetes does, and within bounds."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.errors import ManifestError
from cronlift.job.documents import Places
from cronlift.job.parse import DEPTH_LIMIT, parse

PLACES = Places("a.yaml", has_lines=True)


def contents(text, places=PLACES):
    return [each.content for each in parse(text, places)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2026-01-01", "2026-01-01"), ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), ("12:30", "12:30"),
        ("1:30.5", "1:30.5"), ("0755", 493), ("12", 12), ("1.5", 1.5), ("yes", True), ("null", None), ("'12'", "12"),
    ],
)  # fmt: skip
def test_value_is_read_as_kubernetes_reads_it(written, value):
    assert contents(f"a: {written}") == [{"a": value}]


def test_empty_documents_are_left_out():
    assert contents("---\na: 1\n---\n# nothing\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]


def test_anchors_and_merges_are_written_out():
    assert contents("a: &x {b: 1}\nc: {<<: *x, d: 2}") == [{"a": {"b": 1}, "c": {"b": 1, "d": 2}}]


def test_list_counts_as_what_it_holds():
    text = "kind: List\nitems:\n- kind: Job\n- {kind: Secret, data: {a: b}}\n"
    documents = parse(text, PLACES)
    assert [each.kind for each in documents] == ["Job", "Secret"]
    assert PLACES.of(documents[1], "data", "a") == "a.yaml:4: data.a"
    assert contents({"kind": "List", "items": [{"kind": "Job"}]}) == [{"kind": "Job"}]


def test_dict_is_copied_with_its_tuples_as_lists():
    given_dict = {"a": ({"b": 1},)}
    (found,) = contents(given_dict)
    assert found == {"a": [{"b": 1}]}
    found["a"][0]["b"] = 2
    assert given_dict["a"][0]["b"] == 1


BILLION_LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(20))
MERGES = "a0: &a0 {k: v}\n" + "".join(f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}\n" for n in range(20))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BILLION_LAUGHS, ["a.yaml:1", "aliases"]),
        (MERGES, ["aliases"]),
        ("a: &a\n  b: *a\n", ["a.yaml:1", "holds itself"]),
        ("a: " + "[" * 5000 + "]" * 5000, ["nested more than"]),
        ("a: " + "[" * (DEPTH_LIMIT + 1) + "]" * (DEPTH_LIMIT + 1), ["nested more than"]),
        ("a: 1\nb: \x00", ["YAML error", "special characters"]),
        ("a: 0x_\n", ["YAML error"]),
        ("a: " + "9" * 5000, ["YAML error"]),
        ("a: !!python/object:os.system x", ["a.yaml:1", "YAML syntax error"]),
        ("? [a]\n: b", ["a.yaml:1"]),
        ("a: 1\nb:\n  c: 1\n  c: 2\n", ["a.yaml:4", "'c' is given twice"]),
        ("a: {b: 1, b: 2}", ["a.yaml:1", "'b' is given twice"]),
        ("just words", ["a.yaml:1", "a document is str"]),
        ("kind: List\nitems: [1]", ["a.yaml:2: items.0", "the List holds a int"]),
        ("a: *b", ["a.yaml:1", "undefined alias"]),
        (None, ["YAML error"]),
    ],
    ids=["laughs", "merges", "itself", "deep", "too deep", "control", "hexadecimal", "digits", "object", "list as key",
         "twice", "twice in braces", "words", "list", "alias", "nothing"],
)  # fmt: skip
def test_text_that_no_manifest_holds_is_refused_quickly(text, words):
    with pytest.raises(ManifestError) as caught:
        parse(text, PLACES)
    assert [word for word in words if word not in str(caught.value)] == []


def test_depth_through_aliases_counts():
    text = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(DEPTH_LIMIT + 5))
    with pytest.raises(ManifestError, match="nested more than"):
        parse(text, PLACES)


def test_dict_that_holds_itself_is_refused():
    endless: dict = {}
    endless["a"] = endless
    with pytest.raises(ManifestError, match="holds itself"):
        parse(endless, PLACES)


def test_rendered_line_is_quoted_where_its_number_is_not_the_files():
    with pytest.raises(ManifestError) as caught:
        parse("a: 1\nb: c: d", Places("a.yaml", has_lines=False))
    assert "in the rendered line 2: 'b: c: d'" in str(caught.value)
    assert "a.yaml:2" not in str(caught.value)


@given(st.text(alphabet=st.sampled_from("ab:-[]{},&*#!|>'\"\n \t%@`?<0123.~\x00\x85é"), max_size=60))
def test_whatever_the_text_is_a_manifest_error_is_the_worst(text):
    with contextlib.suppress(ManifestError):
        assert all(isinstance(each.content, dict) for each in parse(text, PLACES))
