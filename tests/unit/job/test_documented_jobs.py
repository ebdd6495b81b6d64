"""The kinds of Job that the Kubernetes documentation describes: they pass through as they are written."""

import copy

import kubernetes_validate
import pytest
import yaml

from cronlift.job.documents import Places
from cronlift.job.manifest import build_objects
from cronlift.job.parse import parse
from cronlift.job.review import check_sources
from cronlift.job.sources import collect
from cronlift.job.template import Images, render
from tests.unit.job.manifests import DEFAULTS, FIXTURES, GOOD, IDENTITY, built

FILES = sorted(FIXTURES.glob("*.yaml"))
KUBERNETES = "1.34"
CONNECTIONS = {"demo__api": type("Connection", (), {"password": "x"})}


def objects(name: str):
    sources = collect(name, [FIXTURES])
    assert check_sources(sources, Images({"legacy": "x:1"}), values=()) == []
    context = {"run_id": "r", "conn": CONNECTIONS}
    text = render(sources, context, Images({"legacy": "x:1"}), job_name="the-job")
    places = Places(name, has_lines=False)
    return build_objects(parse(text, places), IDENTITY, DEFAULTS, "hash", places), yaml.safe_load_all(text)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_documented_job_is_accepted_and_valid(file):
    found, _ = objects(file.name)
    for each in (found.job, *found.companions):
        kubernetes_validate.validate(each, KUBERNETES, strict=True)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_the_manifest_says_is_what_is_created(file):
    found, documents = objects(file.name)
    written = next(each for each in documents if each["kind"] == "Job")["spec"]
    spec = copy.deepcopy(found.job["spec"])
    for key in ("serviceAccountName", "automountServiceAccountToken"):
        del spec["template"]["spec"][key]
    if "restartPolicy" not in written["template"]["spec"]:
        assert spec["template"]["spec"].pop("restartPolicy") == "Never"
    if "backoffLimit" not in written and "backoffLimitPerIndex" not in written:
        assert spec.pop("backoffLimit") == 0
    del spec["template"]["metadata"]
    assert spec == written


@pytest.mark.parametrize(
    "line",
    ["suspend: true", "podReplacementPolicy: Failed", "ttlSecondsAfterFinished: 100", "manualSelector: true",
     "maxFailedIndexes: 3", "completions: 0", "parallelism: 0", "managedBy: example.com/controller"],
)  # fmt: skip
def test_field_of_the_job_passes_unchanged(line):
    spec = built(GOOD.replace("  template:", f"  {line}\n  template:", 1)).job["spec"]
    assert yaml.safe_load(line).items() <= spec.items()


def test_queue_label_passes_unchanged():
    job = built(GOOD.replace("app: export", "kueue.x-k8s.io/queue-name: q")).job
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "q"
    assert "suspend" not in job["spec"]
