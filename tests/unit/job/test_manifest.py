"""From parsed documents to the objects that are created."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.errors import ManifestError
from cronlift.job.documents import Document, Places
from cronlift.job.manifest import Defaults, build_objects
from cronlift.job.naming import job_name
from cronlift.job.parse import parse
from tests.unit.job.manifests import CLAIM, CONFIG, DEFAULTS, GOOD, IDENTITY, PLACES, SECRET, built, rendered


def test_defaults_are_filled():
    job = built().job
    pod = job["spec"]["template"]["spec"]
    assert job["metadata"]["name"] == job_name(IDENTITY)
    assert job["metadata"]["namespace"] == "team-demo"
    assert job["spec"]["backoffLimit"] == 0
    assert "activeDeadlineSeconds" not in job["spec"]
    assert (pod["restartPolicy"], pod["serviceAccountName"], pod["automountServiceAccountToken"]) == (
        "Never", "cronlift-job", False,
    )  # fmt: skip


def test_manifest_wins_over_defaults():
    text = GOOD.replace("  template", "  backoffLimit: 4\n  activeDeadlineSeconds: 9\n  template", 1)
    own = "      restartPolicy: OnFailure\n      serviceAccountName: own\n      containers"
    defaults = Defaults("team-demo", "cronlift-job", timedelta(minutes=1))
    job = built(text.replace("      containers", own), defaults).job
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (4, 9)
    pod = job["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["serviceAccountName"]) == ("OnFailure", "own")


def test_execution_timeout_becomes_the_active_deadline():
    assert built(defaults=Defaults("n", "s", timedelta(minutes=2))).job["spec"]["activeDeadlineSeconds"] == 120


def test_labels_and_annotations_are_added_to_job_and_pods():
    job = built().job
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "cronlift"
        assert metadata["annotations"]["cronlift.dev/dag-id"] == "demo__a"
    assert job["metadata"]["labels"]["app"] == "export"
    assert job["metadata"]["annotations"]["cronlift.dev/spec-hash"] == "hash"


def test_building_does_not_change_its_input():
    documents = parse(rendered(GOOD + CONFIG), PLACES)
    before = repr([each.content for each in documents])
    build_objects(documents, IDENTITY, DEFAULTS, "hash", PLACES)
    assert repr([each.content for each in documents]) == before


@pytest.mark.parametrize("namespace", ["team-other", "default", "kube-system"])
def test_another_namespace_than_the_teams_is_refused(namespace):
    with pytest.raises(ManifestError, match="is not the team's, which is 'team-demo'"):
        built(GOOD.replace("name: mine", f"namespace: {namespace}"))


def test_field_that_is_left_empty_gets_its_default():
    text = GOOD.replace("  template", "  backoffLimit:\n  template", 1)
    pod = "      restartPolicy: null\n      containers"
    job = built(text.replace("      containers", pod)).job
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_limit_for_each_index_keeps_the_jobs_own_limit_out():
    """With backoffLimit 0 the first index that fails would end the whole Job."""
    text = GOOD.replace("  template", "  backoffLimitPerIndex: 0\n  template", 1)
    assert "backoffLimit" not in built(text).job["spec"]


def test_generated_name_gives_way_to_the_trys_own():
    job = built(GOOD.replace("name: mine", "generateName: mine-")).job
    assert "generateName" not in job["metadata"]
    assert job["metadata"]["name"] == job_name(IDENTITY)


def test_companions_come_in_order_in_the_jobs_namespace_with_its_labels():
    objects = built(rendered(CONFIG + SECRET % "x" + "---\n" + GOOD + CLAIM))
    assert [each["kind"] for each in objects.companions] == ["ConfigMap", "Secret", "PersistentVolumeClaim"]
    for each in objects.companions:
        assert each["metadata"]["namespace"] == "team-demo"
        assert each["metadata"]["labels"] == {
            key: value for key, value in objects.job["metadata"]["labels"].items() if key != "app"
        }
        assert each["metadata"]["annotations"]["cronlift.dev/task-id"] == "export"
    assert objects.companions[0]["data"] == {"a.conf": "b"}


def test_what_is_kept_carries_nothing_that_changes_from_run_to_run():
    """Else every run would write to an object that several tasks may share."""
    kept = CLAIM.replace("spec:", '  annotations: {cronlift.dev/keep: "true"}\nspec:').replace("{{ job_name }}-", "")
    metadata = built(GOOD + kept).companions[0]["metadata"]
    assert sorted(metadata["labels"]) == ["app.kubernetes.io/managed-by", "cronlift.dev/deployment"]
    assert sorted(metadata["annotations"]) == ["cronlift.dev/deployment", "cronlift.dev/keep"]


def test_every_namespace_that_is_not_the_teams_is_reported():
    text = GOOD.replace("name: mine", "namespace: a") + rendered(CONFIG).replace("\ndata:", "\n  namespace: b\ndata:")
    with pytest.raises(ManifestError) as caught:
        built(text)
    assert [fault.what.split("'")[1] for fault in caught.value.faults] == ["a", "b"]


# What a hostile or broken manifest may be made of: any shape at the places that the code looks at.
words = st.sampled_from(
    ["Job", "ConfigMap", "Secret", "List", "batch/v1", "v1", "a", "", "x y", "cronlift-guess", "true"]
)
leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | words | st.text(max_size=5) | st.dates()
keys = st.sampled_from(
    ["kind", "apiVersion", "metadata", "name", "labels", "annotations", "spec", "template", "containers", "env",
     "image", "initContainers", "command", "data", "stringData", "items", "namespace", "ownerReferences",
     "cronlift.dev/keep"]
) | st.text(max_size=3) | st.integers(0, 3)  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)
mappings = st.dictionaries(keys, values, max_size=6)


@st.composite
def nearly_good(draw):
    """Draw a good manifest with one field, at any depth, replaced by something else."""
    text = rendered(draw(st.sampled_from([GOOD, GOOD + CONFIG, GOOD + SECRET % "x", GOOD + CLAIM])))
    contents = [each.content for each in parse(text, PLACES)]
    parent = draw(st.sampled_from(contents))
    while True:
        key = draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else range(len(parent))))
        if not isinstance(parent[key], (dict, list)) or not parent[key] or draw(st.booleans()):
            parent[key] = draw(values)
            return contents
        parent = parent[key]


@given(st.lists(mappings, max_size=3) | nearly_good())
def test_whatever_the_documents_hold_a_manifest_error_is_the_worst_and_the_input_is_left_alone(contents):
    documents = [Document(each) for each in contents]
    before = repr(contents)
    try:
        objects = build_objects(documents, IDENTITY, DEFAULTS, "hash", Places("a", has_lines=False))
    except ManifestError:
        pass
    else:
        json.dumps([objects.job, *objects.companions], allow_nan=False)
    assert repr(contents) == before


@given(nearly_good())
def test_building_what_was_built_changes_nothing(contents):
    def build(found):
        documents = [Document(each) for each in found]
        objects = build_objects(documents, IDENTITY, DEFAULTS, "hash", Places("a", has_lines=False))
        return [objects.job, *objects.companions]

    try:
        once = build(contents)
    except ManifestError:
        return
    assert build(once) == once
