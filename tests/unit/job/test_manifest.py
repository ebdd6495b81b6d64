"""From YAML to the Job that is created; and what is refused while a DAG is parsed."""

from datetime import timedelta

import pytest

from cronlift.errors import ManifestError
from cronlift.job.documents import Places
from cronlift.job.manifest import Defaults, build_objects
from cronlift.job.naming import TaskIdentity, job_name
from cronlift.job.parse import parse
from cronlift.job.review import check_sources
from cronlift.job.sources import collect
from cronlift.job.template import Images

IDENTITY = TaskIdentity("cronlift/cronlift", "demo__a", "manual__1", "export", -1, 1)
DEFAULTS = Defaults("team-demo", "cronlift-job")
PLACES = Places("jobs/a.yaml", has_lines=True)
GOOD = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: mine
  labels: {app: export}
spec:
  template:
    spec:
      containers:
        - name: main
          image: "{{ images.legacy }}"
          command: [sh, -c, "echo {{ ds }}"]
"""


def built(text: str = GOOD, defaults: Defaults = DEFAULTS):
    return build_objects(parse(text, PLACES), IDENTITY, defaults, "hash", PLACES).job


def checked(text: str, tmp_path, images: dict[str, str] | None = None) -> str:
    """Return the error that a manifest file gives at parse time; empty when it is accepted."""
    (tmp_path / "a.yaml").write_text(text)
    try:
        check_sources(collect("a.yaml", [tmp_path]), Images(images or {"legacy": "x:1"}))
    except ManifestError as error:
        return str(error)
    return ""


def test_defaults_are_filled():
    job = built()
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
    job = built(text.replace("      containers", own), defaults)
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (4, 9)
    pod = job["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["serviceAccountName"]) == ("OnFailure", "own")


def test_execution_timeout_becomes_the_active_deadline():
    assert built(defaults=Defaults("n", "s", timedelta(minutes=2)))["spec"]["activeDeadlineSeconds"] == 120


def test_labels_and_annotations_are_added_to_job_and_pods():
    job = built()
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "cronlift"
        assert metadata["annotations"]["cronlift.dev/dag-id"] == "demo__a"
    assert job["metadata"]["labels"]["app"] == "export"
    assert job["metadata"]["annotations"]["cronlift.dev/spec-hash"] == "hash"


def test_building_does_not_change_its_input():
    documents = parse(GOOD, PLACES)
    before = repr(documents[0].content)
    build_objects(documents, IDENTITY, DEFAULTS, "hash", PLACES)
    assert repr(documents[0].content) == before


@pytest.mark.parametrize("namespace", ["team-other", "default", "kube-system"])
def test_another_namespace_than_the_teams_is_refused(namespace):
    with pytest.raises(ManifestError, match="is not the team's, which is 'team-demo'"):
        built(GOOD.replace("name: mine", f"namespace: {namespace}"))


def test_good_manifest_is_accepted(tmp_path):
    assert checked(GOOD, tmp_path) == ""


@pytest.mark.parametrize(
    "text",
    [
        "{% if params.big %}\n" + GOOD + "{% endif %}",
        GOOD + "      {{ params.more | indent(6) }}\n",
        GOOD.replace('"{{ images.legacy }}"', "{{ params.image }}"),
        GOOD.replace("      containers", "{% for n in params.n %}\n      # {{ n }}\n{% endfor %}\n      containers"),
        GOOD + "  parallelism: {{ params.n | int + 1 }}\n",
        GOOD.replace("{{ ds }}", "{{ macros.ds_add(ds, -1)[:7] }} {{ (logical_date - macros.timedelta(1)).year }}"),
        GOOD + "---\n",
    ],
    ids=["if", "block of unknown text", "unknown image", "loop", "number", "macros", "empty document"],
)  # fmt: skip
def test_templated_manifest_is_given_the_benefit_of_the_doubt(text, tmp_path):
    assert checked(text, tmp_path) == ""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: Job", "kind: Job\nspec: [", ["a.yaml:", "YAML syntax error"]),
        ("  name: mine", "  name: a: b", ["a.yaml:4", "quotes"]),
        ("kind: Job", "kind: Job\nkind: Job", ["a.yaml:3", "'kind' is given twice"]),
        ("kind: Job", "kind: CronJob", ["holds no Job, but CronJob"]),
        ("batch/v1", "batch/v1beta1", ["a.yaml:1: apiVersion", "batch/v1beta1"]),
        ("      containers", "      contaners", ["a.yaml:8", "no containers"]),
        ("- name: main", "- nam: main", ["a.yaml:10", "a container has no name"]),
        ('image: "{{ images.legacy }}"', "imag: x", ["a container has no image"]),
        ("images.legacy", "images.ruby", ["a.yaml:11", "no job image is called 'ruby'", "legacy"]),
        ('[sh, -c, "echo {{ ds }}"]', "echo hi", ["a.yaml:12", "not a list"]),
        ('[sh, -c, "echo {{ ds }}"]', "[sleep, 5]", ["holds 5", "quotes"]),
        ("          command", "          env: [{name: A, value: yes}]\n          command", ["A is True", "quotes"]),
        ("      containers", "      restartPolicy: Always\n      containers", ["restartPolicy is 'Always'", "Never"]),
        (GOOD, "- kind: Job\n", ["a.yaml:1", "a document is list, not a Kubernetes object"]),
    ],
    ids=["unclosed", "colon", "duplicate", "kind", "version", "containers", "name", "image", "unknown image", "command",
         "number", "boolean", "restart", "list"],
)  # fmt: skip
def test_fault_is_an_error_at_parse_with_line_and_cure(old, new, words, tmp_path):
    assert old in GOOD
    found = checked(GOOD.replace(old, new, 1), tmp_path)
    assert [word for word in words if word not in found] == [], found


def test_all_faults_are_reported_at_once(tmp_path):
    found = checked(GOOD.replace("batch/v1", "v1").replace("[sh,", "[1,").replace("- name: main", "-"), tmp_path)
    assert found.count("a.yaml:") == 3


def test_second_job_is_refused(tmp_path):
    assert "a.yaml:15: kind: the manifest holds a second Job" in checked(GOOD + "---\n" + GOOD, tmp_path)


SECRET = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  password: %s\n"


@pytest.mark.parametrize("value", ["hunter2", "{{ 'hunter2' }}", "aHVudGVyMg=="])
def test_secret_in_clear_is_refused(value, tmp_path):
    found = checked(GOOD + SECRET % value, tmp_path)
    assert "holds stringData.password in clear" in found
    assert "a.yaml:" in found
    assert "hunter2" not in found


@pytest.mark.parametrize("value", ['"{{ conn.db.password }}"', '"{{ var.value.token }}"', '"a:{{ conn.db.password }}"'])
def test_secret_by_reference_is_no_secret_in_clear(value, tmp_path):
    assert "in clear" not in checked(GOOD + SECRET % value, tmp_path)


def test_secret_that_cannot_be_checked_is_refused(tmp_path):
    found = checked(GOOD + "{{ 1 / 0 }}\n" + SECRET % "hunter2", tmp_path)
    assert "too intricate" in found


def test_dict_is_checked_too(tmp_path):
    with pytest.raises(ManifestError, match="holds no Job, but Pod"):
        check_sources(collect({"kind": "Pod"}, []), None)


def test_unknown_images_pass_where_the_deployment_is_not_known(tmp_path):
    check_sources(collect(GOOD.replace("legacy", "whatever"), []), None)
