"""Fields that Kubernetes does not know and values of another type: faults with their line, and never for a guess."""

import pytest

from cronlift.errors import ManifestError
from cronlift.job.review import check_sources, review
from cronlift.job.sources import Sources, collect
from cronlift.job.template import Images
from tests.unit.job.manifests import CLAIM, CONFIG, GOOD, SECRET, checked

IMAGE = '          image: "{{ images.legacy }}"\n'
POD = "    spec:\n      containers"


def job(*, spec: str = "", pod: str = "", container: str = "") -> str:
    """Return the good manifest with more lines: in its spec from line 7, its Pod from line 9, its container from 12."""
    text = GOOD.replace("spec:\n", f"spec:\n{spec}", 1) if spec else GOOD
    text = text.replace(POD, POD.replace("      c", f"{pod}      c")) if pod else text
    return text.replace(IMAGE, IMAGE + container) if container else text


UNKNOWN = [
    (job(pod="      restartPolcy: Never\n"), 9, "restartPolcy is no field of PodSpec. Did you mean restartPolicy?"),
    (job(container="          arg: [a]\n"), 12, "arg is no field of Container. Did you mean args?"),
    (job(container="          imagepullpolicy: Always\n"), 12, "Did you mean imagePullPolicy?"),
    (
        job(container="          securityContext:\n            readOnlyRootFileSystem: true\n"),
        13,
        "readOnlyRootFileSystem is no field of SecurityContext. Did you mean readOnlyRootFilesystem?",
    ),
    (job(spec="  backofLimit: zero\n"), 7, "backofLimit is no field of JobSpec. Did you mean backoffLimit?"),
    (job(pod="      backoffLimit: 1\n"), 9, "backoffLimit is no field of PodSpec. JobSpec has it. `kubectl explain "),
    (job(pod="      xyz: 1\n"), 9, "xyz is no field of PodSpec. `kubectl explain job.spec.template.spec` lists the"),
    (job(spec="  podFailurePolicy: {rule: []}\n"), 7, "rule is no field of PodFailurePolicy. Did you mean rules?"),
    (job() + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, lables: {}}\n", 16, "Did you mean labels?"),
    (job() + CLAIM.replace("accessModes", "accesModes"), 19, "Did you mean accessModes?"),
]
WRONG = [
    (
        job(spec="  activeDeadlineSeconds: soon\n"),
        7,
        "activeDeadlineSeconds is 'soon', not a whole number. Write a num",
    ),
    (job(spec='  backoffLimit: "3"\n'), 7, "backoffLimit is '3', not a whole number. Write a number without quotes"),
    (job(spec="  backoffLimit: true\n"), 7, "backoffLimit is True, not a whole number"),
    (job(spec="  parallelism: 1.5\n"), 7, "parallelism is 1.5, not a whole number"),
    (job(spec="  suspend: 'no'\n"), 7, "suspend is 'no', not true or false. Write true or false, without quotes."),
    (job(pod="      nodeSelector: {disk: 1}\n"), 9, "disk is 1, not text. Put it in quotes."),
    (job(pod="      tolerations: {key: a}\n"), 9, "tolerations is a mapping, not a list. Begin each item with `- `."),
    (job(pod="      securityContext: [a]\n"), 9, "securityContext is a list, not a mapping. Write `name: value`"),
    (job(pod="      serviceAccountName: [a]\n"), 9, "serviceAccountName is a list, not text. Write one value; see"),
    (job(pod="      imagePullSecrets: [regcred]\n"), 9, "imagePullSecrets.0 is 'regcred', not a mapping"),
    (job(container="          resources: {requests: {cpu: 50mm}}\n"), 12, "cpu is '50mm', not an amount. Write a numb"),
    (job(container="          resources: {limits: {memory: 1 Gi}}\n"), 12, "memory is '1 Gi', not an amount"),
    (job(container="          resources: {limits: {memory: true}}\n"), 12, "memory is True, not an amount"),
    (
        job(container="          livenessProbe: {tcpSocket: {port: 1.5}}\n"),
        12,
        "port is 1.5, not a number or text. Write a number, or text in quotes.",
    ),
    (job() + CLAIM.replace("1Gi", "1GiB"), 20, "storage is '1GiB', not an amount"),
]


@pytest.mark.parametrize(("text", "line", "words"), [*UNKNOWN, *WRONG], ids=[each[2] for each in [*UNKNOWN, *WRONG]])
def test_what_kubernetes_would_refuse_is_told_with_line_and_cure(text, line, words, tmp_path):
    found = checked(text, tmp_path)
    assert found.startswith(f"a.yaml:{line}: "), found
    assert words in found


@pytest.mark.parametrize(
    "text",
    [
        job(spec="  activeDeadlineSeconds: {{ params.n }}\n"),
        job(spec="  activeDeadlineSeconds: {{ params.hours | int * 3600 }}\n"),
        job(spec="  backoffLimit: {{ params.n | default(3) }}\n"),
        job(pod="      nodeSelector: {{ params.nodes | tojson }}\n      tolerations: {{ params.all | tojson }}\n"),
        job(pod="      nodeSelector: {'{{ params.key }}': '{{ params.value }}'}\n"),
        job(pod='      "{{ params.key }}": 1\n'),
        job(container="          resources: {limits: {cpu: '{{ params.cpu }}', memory: '{{ params.gib }}Gi'}}\n"),
        job(container="          resources: {limits: {cpu: '{{ (params.cpu | string)[:4] }}'}}\n"),
        job(container="          resources: {limits: {cpu: '{{ params.cpu | string | replace('-', '') }}'}}\n"),
        job(container="          resources: {limits: {cpu: '{{ params.cpu | upper }}'}}\n"),
        job(container="          resources: {limits: {cpu: 0.5, memory: 128Mi, nvidia.com/gpu: 1}}\n"),
        job(container="          resources: {limits: {cpu: 1e-1, memory: 1e9}}\n"),
        job(container="          livenessProbe: {tcpSocket: {port: web}}\n"),
        job(container="          livenessProbe: {tcpSocket: {port: 80}}\n"),
        job(container="          args:\n          env: []\n"),
        job(spec="  suspend: {{ 'true' if params.x else 'false' }}\n"),
        job(spec="  podFailurePolicy: {rules: [{action: Ignore, onExitCodes: {operator: In, values: [1]}}]}\n"),
        job(pod="      volumes: [{name: a, emptyDir: {}}, {name: b, image: {reference: 'x:1'}}]\n"),
        job(pod="      schedulingGroup: {podGroupName: a}\n"),
        job() + CONFIG + SECRET % "{{ conn.a.password }}" + CLAIM,
    ],
)
def test_templated_and_right_values_are_no_faults(text, tmp_path):
    assert checked(text, tmp_path) == ""


def test_every_misspelling_of_a_manifest_is_told_at_once(tmp_path):
    text = job(
        spec="  backofLimit: zero\n  activeDeadlineSeconds: soon\n",
        pod="      restartPolcy: Never\n",
        container="          arg: [a]\n          resources: {requests: {cpu: 50mm}}\n",
    )
    found = checked(text, tmp_path)
    assert "5 faults in the manifest" in found
    assert [line.split(":")[1] for line in found.splitlines()[1:]] == ["7", "8", "11", "15", "16"]


@pytest.mark.parametrize(
    "container",
    ["          args: x\n", "          args: [1]\n", "          env: [{name: A, value: 1}]\n", "          env: [A]\n"],
)
def test_a_value_that_is_told_already_is_not_told_twice(container, tmp_path):
    assert "faults" not in checked(job(container=container), tmp_path)


def test_fields_of_a_condition_that_holds_are_checked(tmp_path):
    text = job(pod="{% if params.x %}\n      restartPolcy: Never\n{% endif %}\n")
    assert "Did you mean restartPolicy?" in checked(text, tmp_path)


def test_nothing_of_a_secret_is_shown(tmp_path):
    found = checked(
        job() + SECRET.replace("stringData:\n  password", "stringdata:\n  password") % "swordfish", tmp_path
    )
    assert "Did you mean stringData?" in found
    found += checked(job() + (SECRET % "{{ conn.a.b }}") + "immutable: swordfish\n", tmp_path)
    assert "immutable is a str, not true or false" in found
    assert "swordfish" not in found


def test_a_plain_manifest_is_checked_as_it_is_written():
    text = job(container="          arg: ['{{ x }}', '{% if']\n", spec="  backoffLimit: '{{ x }}'\n")
    faults = review(Sources("a.yaml", {"a.yaml": text}, templated=False), Images({"legacy": "x:1"})).faults
    assert [each.where.partition(" ")[0] for each in faults] == ["a.yaml:7:", "a.yaml:13:"]


def test_a_dict_is_checked_with_the_path_of_the_field():
    container = {"name": "a", "image": "x:1", "arg": ["b"]}
    document = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": [container]}}}}
    with pytest.raises(ManifestError, match=r"manifest: spec.template.spec.containers.0.arg: arg is no field"):
        check_sources(collect(document, []), None)
