"""What people see of a task's objects."""

import copy
import json

import yaml

from cronlift.job.masking import MASK, mask, masked_yaml
from cronlift.job.objects import Objects
from tests.unit.job.manifests import CONFIG, GOOD, SECRET, built, rendered

ENV = """\
          env:
            - {name: A, value: hunter2}
            - {name: B, valueFrom: {fieldRef: {fieldPath: x}}}
"""
INIT = "      initContainers:\n        - name: i\n          image: x\n          env: [{name: A, value: hunter2}]\n"
LAST = '  annotations: {kubectl.kubernetes.io/last-applied-configuration: "hunter2"}\n'


def objects() -> Objects:
    job = rendered(GOOD).replace("  labels", LAST + "  labels") + ENV + INIT
    secret = SECRET % "hunter2" + "data:\n  user: aHVudGVyMg==\n"
    return built(job + rendered(CONFIG + secret))


def test_no_secret_value_is_left():
    text = json.dumps(mask(objects()))
    assert "hunter2" not in text
    assert "aHVudGVyMg==" not in text
    assert text.count(MASK) == 5


def test_names_and_references_stay():
    config, secret, job = mask(objects())
    assert config["data"] == {"a.conf": "b"}
    assert secret["stringData"] == {"password": MASK}
    assert secret["data"] == {"user": MASK}
    main = job["spec"]["template"]["spec"]["containers"][0]
    assert main["env"] == [{"name": "A", "value": MASK}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]
    assert main["command"] == ["sh", "-c", "echo d"]


def test_the_objects_themselves_are_left_alone():
    found = objects()
    before = copy.deepcopy(found)
    mask(found)
    assert found == before


def test_text_holds_a_document_for_each_object():
    assert [each["kind"] for each in yaml.safe_load_all(masked_yaml(objects()))] == ["ConfigMap", "Secret", "Job"]
