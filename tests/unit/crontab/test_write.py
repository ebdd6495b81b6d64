"""What happens to files that are there already, and texts that travel unchanged."""

import ast
import json
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cronlift.crontab.specification import JobSpecification
from cronlift.crontab.write import Fate, changes_of, fingerprint
from cronlift.crontab.write_dag import dag_text
from cronlift.crontab.write_manifest import ANNOTATION_LIMIT_BYTES, manifest_text

OLD, NEW, EDITED = "old\n", "new\n", "edited\n"


@pytest.mark.parametrize(
    ("on_disk", "before", "overwrite", "fate"),
    [
        (None, None, False, Fate.NEW),
        (NEW, fingerprint(NEW), False, Fate.SAME),
        (OLD, fingerprint(OLD), False, Fate.CHANGED),
        (EDITED, fingerprint(OLD), False, Fate.BESIDE),
        (EDITED, fingerprint(NEW), False, Fate.KEPT),
        (EDITED, None, False, Fate.BESIDE),
        (EDITED, fingerprint(NEW), True, Fate.OVERWRITTEN),
    ],
)
def test_fate_of_a_file(on_disk, before, overwrite, fate):
    disk = {} if on_disk is None else {"x": on_disk}
    (change,) = changes_of({"x": NEW}, disk, {"x": before} if before else {}, {}, overwrite=overwrite)
    assert change.fate is fate
    assert change.target == ("x.new" if fate is Fate.BESIDE else "x")


def test_what_is_no_longer_generated_goes_unless_it_was_edited_or_is_anothers():
    before = {"a": fingerprint(OLD), "b": fingerprint(OLD), "c": fingerprint(OLD), "d": fingerprint(OLD)}
    disk = {"a": OLD, "b": EDITED, "c": OLD}
    changes = changes_of({}, disk, before, {"c": before["c"]})
    assert {change.path: change.fate for change in changes} == {"a": Fate.REMOVED, "b": Fate.KEPT}


def job(**more) -> JobSpecification:
    fields = {
        "dag_id": "t__h_root_x", "group": "g", "where": "etc/crontab:3", "schedule_python": "None", "command": "true",
        "stdin": None, "environment": {}, "options": {}, "uid": 1000, "gid": 1000,
    }  # fmt: skip
    return JobSpecification(**{**fields, **more})


PRINTABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(PRINTABLE, PRINTABLE, st.dictionaries(PRINTABLE, PRINTABLE))
def test_texts_come_out_of_the_manifest_as_they_went_in(command, stdin, environment):
    text = manifest_text(job(command=command, stdin=stdin, environment=environment))
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        found = yaml.load(text, loader)["spec"]["template"]["metadata"]["annotations"]
        assert found["cronlift.dev/cron-command"] == command
        assert found["cronlift.dev/cron-stdin"] == stdin
        assert json.loads(found["cronlift.dev/cron-environment"]) == environment


def test_large_texts_go_into_a_config_map():
    large = "x" * (ANNOTATION_LIMIT_BYTES + 1)
    found, config = yaml.safe_load_all(manifest_text(job(command=large, stdin="in")))
    assert "metadata" not in found["spec"]["template"]
    assert config["kind"] == "ConfigMap"
    assert config["metadata"]["annotations"] == {"cronlift.dev/keep": "true"}
    assert (config["data"]["command"], config["data"]["stdin"]) == (large, "in")
    (source, run_id) = found["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"]
    assert source["configMap"]["name"] == config["metadata"]["name"] == "cron-h-root-x"
    assert run_id["downwardAPI"]["items"][0]["path"] == "run-id"


@given(PRINTABLE, PRINTABLE)
def test_documentation_comes_out_of_the_dag_file_as_it_went_in(doc, file):
    text = dag_text(file, "t", datetime(2026, 12, 1, tzinfo=UTC), [job(doc=f"{doc}\n")])
    module = ast.parse(text)
    (jobs,) = (node.value for node in module.body if isinstance(node, ast.Assign) and node.targets[0].id == "JOBS")
    entry = dict(zip([key.value for key in jobs.elts[0].keys], jobs.elts[0].values, strict=True))
    assert entry["doc"].value.rstrip("\n") == doc.rstrip("\n")
    assert max(map(len, text.split("\n"))) <= 120


def test_dag_file_imports_only_what_it_uses():
    text = dag_text("f", "t", datetime(2026, 12, 1, 3, 30, tzinfo=UTC), [job(schedule_python='CrontabTimetable("x")')])
    assert "from cronlift import CrontabTimetable, KubernetesJobOperator\n" in text
    assert "from airflow.sdk import DAG\n" in text
    assert "START = datetime(2026, 12, 1, 3, 30, tzinfo=UTC)\n" in text
