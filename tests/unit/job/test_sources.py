"""Collecting a manifest's templates where the files are."""

import pytest

from cronlift.errors import ManifestError
from cronlift.job.sources import TOTAL_LIMIT_BYTES, collect, is_path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "jobs").mkdir()
    return tmp_path


def write(folder, **files):
    for name, text in files.items():
        (folder / "jobs" / f"{name}.yaml").write_text(text)


def test_path_is_read_relative_to_the_first_folder_that_has_it(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "jobs").mkdir()
    (other / "jobs" / "a.yaml").write_text("second")
    (other / "jobs" / "b.yaml").write_text("only here")
    write(folder, a="first")
    assert collect("jobs/a.yaml", [folder, other]).files == {"jobs/a.yaml": "first"}
    assert collect("jobs/b.yaml", [folder, other]).files == {"jobs/b.yaml": "only here"}


def test_extends_include_and_import_are_followed_to_the_end(folder):
    write(folder, a="{% extends 'jobs/b.yaml' %}", b="{% include 'jobs/c.yaml' %}", c="{% import 'jobs/d.yaml' as d %}")
    write(folder, d="{% from 'jobs/a.yaml' import x %}", unrelated="no")
    assert sorted(collect("jobs/a.yaml", [folder]).files) == [f"jobs/{name}.yaml" for name in "abcd"]


def test_inline_text_and_dict_are_taken_as_they_are(folder):
    assert collect("kind: Job\n", [folder]).files == {"manifest": "kind: Job\n"}
    assert collect({"kind": "Job"}, [folder]).document == {"kind": "Job"}


def test_template_that_may_be_missing_is_left_out(folder):
    write(folder, a="{% include 'jobs/none.yaml' ignore missing %}{% include ['jobs/no.yaml', 'jobs/b.yaml'] %}", b="x")
    assert sorted(collect("jobs/a.yaml", [folder]).files) == ["jobs/a.yaml", "jobs/b.yaml"]


@pytest.mark.parametrize(
    ("manifest", "source", "words"),
    [
        ("jobs/none.yaml", "", ["no such manifest file 'jobs/none.yaml'", "relative to the DAG file"]),
        ("../secret.yaml", "", ["leaves the DAG's folder"]),
        ("/etc/passwd.yaml", "", ["leaves the DAG's folder"]),
        ("jobs/a.yaml", "a: 1\nb: {{ ds\n", ["jobs/a.yaml:2", "Jinja syntax error", "{% raw %}"]),
        ("jobs/a.yaml", "x\n{% if ds %}\ny", ["jobs/a.yaml", "Jinja syntax error"]),
        ("jobs/a.yaml", "{{ ds | nofilter }}", ["jobs/a.yaml:1", "nofilter"]),
        ("jobs/a.yaml", "{{ 1 if 'a'.y else 2 }}", ["jobs/a.yaml: an expression fails", "no attribute 'y'"]),
        ("jobs/a.yaml", "{% include 'jobs/none.yaml' %}", ["'jobs/none.yaml', which jobs/a.yaml refers to"]),
        ("jobs/a.yaml", "{% include params.name %}", ["computed name", "literal"]),
        ("jobs/a.yaml", "x" * (TOTAL_LIMIT_BYTES + 1), ["more than the", "volume"]),
    ],
    ids=["missing", "parent", "absolute", "open expression", "open block", "filter",
         "constant", "include", "computed", "large"],
)  # fmt: skip
def test_fault_is_named_with_its_place_and_cure(folder, manifest, source, words):
    write(folder, a=source)
    with pytest.raises(ManifestError) as caught:
        collect(manifest, [folder])
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("manifest", "path"),
    [("jobs/a.yaml", True), ("a.yml", True), ("a.yaml.j2", True), ("kind: Job\n", False), ("{kind: Job}", False)],
)
def test_path_is_told_from_text(manifest, path):
    assert is_path(manifest) is path


def test_each_name_is_looked_up_in_all_folders_of_the_searchpath(folder, tmp_path_factory):
    shared = tmp_path_factory.mktemp("shared")
    (shared / "base.yaml").write_text("{% block x %}{% endblock %}")
    write(folder, a="{% extends 'base.yaml' %}")
    assert sorted(collect("jobs/a.yaml", [folder, shared]).files) == ["base.yaml", "jobs/a.yaml"]


def test_inline_text_may_refer_to_files(folder):
    write(folder, a="x")
    assert sorted(collect("{% include 'jobs/a.yaml' %}\n", [folder]).files) == ["jobs/a.yaml", "manifest"]


def test_text_that_only_looks_like_jinja_is_no_reference(folder):
    text = "{% raw %}{% include 'jobs/none.yaml' %}{% endraw %}{# {% include 'no' %} #}\n"
    assert sorted(collect(text, [folder]).files) == ["manifest"]


def test_file_that_changes_is_read_again(folder):
    write(folder, a="{% include 'jobs/b.yaml' %}", b="1")
    assert collect("jobs/a.yaml", [folder]).files["jobs/b.yaml"] == "1"
    write(folder, a="{% include 'jobs/c.yaml' %}", c="2")
    assert sorted(collect("jobs/a.yaml", [folder]).files) == ["jobs/a.yaml", "jobs/c.yaml"]


def test_template_that_may_be_missing_is_found_once_it_is_there(folder):
    write(folder, a="{% include 'jobs/b.yaml' ignore missing %}")
    assert len(collect("jobs/a.yaml", [folder]).files) == 1
    write(folder, b="x")
    assert len(collect("jobs/a.yaml", [folder]).files) == 2


def test_unreadable_file_is_named(folder):
    (folder / "jobs" / "a.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match=r"jobs/a\.yaml: cannot read the file"):
        collect("jobs/a.yaml", [folder])


def test_expression_that_is_nested_too_deep_is_refused(folder):
    with pytest.raises(ManifestError, match="nested too deep"):
        collect("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}\n", [folder])


@pytest.mark.parametrize("block", [("{% for a in params.x %}", "{% endfor %}"), ("{% if ds %}", "{% endif %}")])
def test_blocks_that_python_cannot_nest_are_refused(block):
    with pytest.raises(ManifestError, match="nested too deep"):
        collect(block[0] * 150 + block[1] * 150 + "\n", [])


def test_strings_of_a_dict_are_checked_and_may_refer_to_files(folder):
    write(folder, a="x")
    assert collect({"a": ["{% include 'jobs/a.yaml' %}"]}, [folder]).files == {"jobs/a.yaml": "x"}
    with pytest.raises(ManifestError, match="Jinja syntax error"):
        collect({"a": {"b": "{{ ds"}}, [folder])
    with pytest.raises(ManifestError, match="no such manifest file"):
        collect({"a": "{% include 'jobs/none.yaml' %}"}, [folder])
    with pytest.raises(ManifestError, match="its 0 included files hold"):
        collect({"a": "x" * (TOTAL_LIMIT_BYTES + 1)}, [folder])
