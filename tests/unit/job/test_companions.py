"""What may come with a Job, and how it must look."""

import pytest

from tests.unit.job.manifests import CLAIM, CONFIG, GOOD, SECRET, advice, checked

REFERENCE = '"{{ conn.demo__db.password }}"'
GOOD_SECRET = SECRET % REFERENCE
ALL = GOOD + CONFIG + GOOD_SECRET + CLAIM


def test_config_maps_secrets_and_claims_are_accepted(tmp_path):
    assert checked(ALL, tmp_path, values=()) == ""
    assert advice(ALL, tmp_path) == []


@pytest.mark.parametrize("kind", ["Pod", "ServiceAccount", "Role", "CronJob", "Deployment", "secret"])
def test_any_other_kind_is_refused_with_the_cure(kind, tmp_path):
    found = checked(GOOD + CONFIG.replace("ConfigMap", kind), tmp_path)
    assert f"a.yaml:15: kind: a document is of kind '{kind}'" in found
    assert "ConfigMap, Secret, PersistentVolumeClaim" in found
    assert "by the chart or by kubectl" in found


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("apiVersion: v1\nkind: ConfigMap", "apiVersion: v2\nkind: ConfigMap", ["a.yaml:14: apiVersion", "is v1"]),
        ('name: "{{ job_name }}-config"', "labels: {}", ["a.yaml:16: metadata", "has no name", "{{ job_name }}"]),
        ('name: "{{ job_name }}-config"', "generateName: x-", ["a.yaml:17: metadata.generateName", "{{ job_name }}"]),
        ('name: "{{ job_name }}-config"', "name: Upper_Case", ["a.yaml:17: metadata.name", "lower-case"]),
        ('name: "{{ job_name }}-config"', "name: " + "x" * 254, ["a.yaml:17", "at most 253"]),
        ("  a.conf:", "  b: 5\n  a.conf:", ["a.yaml:19: data.b", "is a int", "quotes"]),
        ("data:\n  a.conf", "data: [1]\nx:\n  a.conf", ["a.yaml:18: data", "no mapping"]),
        ("\ndata:", "\n  ownerReferences: [{a: b}]\ndata:", ["a.yaml:18: metadata.ownerReferences", "keep"]),
        ("\ndata:", '\n  annotations: {cronlift.dev/keep: "yes"}\ndata:', ["a.yaml:18", "is 'yes'", '"true"']),
        ("\ndata:", "\n  annotations: {cronlift.dev/keep: true}\ndata:", ["a.yaml:18", "is True", "quotes"]),
        ("\ndata:", "\n  labels: {a: 1}\ndata:", ["a.yaml:18: metadata.labels.a", "is 1", "quotes"]),
        ("\ndata:", "\n  labels: [a]\ndata:", ["a.yaml:18: metadata.labels", "no mapping"]),
        ("spec:\n  accessModes", "specs:\n  accessModes", ["the PersistentVolumeClaim has no spec"]),
        ("stringData:", "data:\n  user: not base64!\nstringData:", ["data.user is no base64", "stringData"]),
    ],
    ids=["version", "no name", "generateName", "name", "long", "number", "list", "owner", "keep", "keep unquoted",
         "label", "labels", "spec", "base64"],
)  # fmt: skip
def test_fault_is_named_with_its_line_and_cure(old, new, words, tmp_path):
    head, separator, tail = ALL.partition("---")
    assert old in tail
    found = checked(head + separator + tail.replace(old, new, 1), tmp_path)
    assert [word for word in words if word not in found] == [], found


def test_two_of_a_kind_and_name_are_refused(tmp_path):
    found = checked(GOOD + CONFIG + CONFIG, tmp_path)
    assert "a.yaml:24: metadata.name: a second ConfigMap is called" in found


def test_two_kinds_may_have_one_name(tmp_path):
    assert checked(GOOD + CONFIG + GOOD_SECRET.replace("-db", "-config"), tmp_path) == ""


def test_name_for_all_runs_is_warned_of(tmp_path):
    (found,) = advice(GOOD + CONFIG.replace("{{ job_name }}-", ""), tmp_path)
    assert "a.yaml:17: metadata.name: the ConfigMap is called 'config' in every run" in found
    assert "{{ job_name }}-" in found


def test_name_for_all_runs_is_well_for_what_is_kept(tmp_path):
    kept = CLAIM.replace("spec:", '  annotations: {cronlift.dev/keep: "true"}\nspec:', 1)
    assert advice(GOOD + kept.replace("{{ job_name }}-", ""), tmp_path) == []
    (found,) = advice(GOOD + kept, tmp_path)
    assert "pile up" in found
