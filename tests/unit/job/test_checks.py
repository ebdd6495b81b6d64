"""What documents show by themselves."""

from datetime import date

import pytest

from cronlift.job.checks import check
from cronlift.job.documents import Places
from cronlift.job.parse import parse

PLACES = Places("a.yaml", has_lines=True)


def job(**pod) -> dict:
    """Return the least Job, with more in its Pod."""
    spec = {"containers": [{"name": "main", "image": "x:1"}], **pod}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": spec}}}


def faults(document) -> list[str]:
    return [str(each) for each in check(parse(document, PLACES), PLACES)]


def test_the_least_job_has_no_fault():
    assert faults(job()) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (date(2026, 1, 1), "of type date"), (b"x", "of type bytes"), ({1, 2}, "of type set"),
        (object(), "of type object"),
        (float("nan"), "is nan"), (float("-inf"), "is -inf"), ({"a": {1: "x"}}, "a key is 1, which YAML reads as int"),
        ({"a": [{True: "x"}]}, "a key is True"), ({None: "x"}, "a key is None"), ({1.5: "x"}, "a key is 1.5"),
    ],
    ids=["date", "bytes", "set", "object", "nan", "inf", "number", "boolean", "null", "float"],
)  # fmt: skip
def test_what_has_no_form_in_json_is_a_fault(value, words):
    (found,) = faults({**job(), "metadata": {"labels": {"x": value}}})
    assert "metadata.labels" in found
    assert words in found


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({**job(), "metadata": ["a"]}, "a.yaml: metadata: metadata is no mapping"),
        ({**job(), "metadata": {"labels": "a"}}, "a.yaml: metadata.labels: labels is no mapping"),
        ({**job(), "metadata": {"annotations": {"a": 1}}}, "a.yaml: metadata.annotations.a: a is 1"),
        ({**job(), "spec": 1}, "a.yaml: spec: spec.template.spec is missing"),
        ({**job(), "spec": {"template": {"spec": None}}}, "a.yaml: spec: spec.template.spec is missing"),
        (job(containers={}), "the Pod has no containers"),
        (job(containers=["x"]), "containers.0: container 'x' is no mapping"),
        (job(initContainers="x"), "initContainers is no list"),
        (job(initContainers=[{"name": "x"}]), "initContainers.0: a container has no image"),
        (job(containers=[{"name": "a", "image": "b", "env": {"A": "1"}}]), "env is no list"),
        (job(containers=[{"name": "a", "image": "b", "env": ["A"]}]), "env.0: an environment variable is no mapping"),
        (job(containers=[{"name": "a", "image": "b", "args": "x"}]), "args is 'x', not a list"),
        (job(restartPolicy="Always"), "restartPolicy is 'Always'"),
    ],
    ids=["metadata", "labels", "annotation", "spec", "pod", "containers", "container", "init", "image", "env",
         "variable", "args", "restart"],
)  # fmt: skip
def test_shape_that_kubernetes_does_not_know_is_a_fault(document, words):
    (found,) = faults(document)
    assert words in found


def test_pod_templates_metadata_is_checked_too():
    document = job()
    document["spec"]["template"]["metadata"] = {"labels": {"a": True}}
    (found,) = faults(document)
    assert "spec.template.metadata.labels.a" in found


@pytest.mark.parametrize("policy", [None, "Never", "OnFailure", "cronlift-guess"])
def test_restart_policy_may_be_left_out_or_guessed(policy):
    assert faults(job(restartPolicy=policy)) == []


@pytest.mark.parametrize(
    ("kinds", "line"), [(["CronJob"], 2), (["Secret", "CronJob"], 5), (["Deployment", "Secret"], 2)]
)
def test_a_manifest_without_a_job_is_told_at_the_kind_that_was_meant(kinds, line):
    text = "---\n".join(f"apiVersion: v1\nkind: {kind}\n" for kind in kinds)
    (found,) = faults(text)
    assert found.startswith(f"a.yaml:{line}: kind: the manifest holds no Job, but {', '.join(kinds)}")


def test_manifest_without_documents_has_no_job():
    (found,) = check([], PLACES)
    assert "holds no Job, but nothing" in str(found)
