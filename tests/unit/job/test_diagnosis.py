"""Why a Job does not run, in words, with what to do."""

from datetime import UTC, datetime, timedelta

import pytest

from cronlift.job.diagnosis import IMAGE_GRACE_SECONDS, diagnose, explain_failure

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def pod(*, waiting=None, age_seconds=10.0, scheduled=None, statuses=None, **status):
    created = (NOW - timedelta(seconds=age_seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    if waiting is not None:
        reason, message = waiting
        state = {"waiting": {"reason": reason, "message": message}}
        statuses = [{"name": "main", "image": "shop/export:1", "state": state, "restartCount": 4}]
    conditions = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": scheduled}]
    return {
        "metadata": {"name": "export-x7", "creationTimestamp": created},
        "status": {"containerStatuses": statuses or [], "conditions": conditions if scheduled else [], **status},
    }


@pytest.mark.parametrize(
    ("subject", "summary", "advice"),
    [
        (pod(waiting=("ErrImagePull", "not found")), "shop/export:1", "imagePullSecrets"),
        (pod(waiting=("ImagePullBackOff", "toomanyrequests: rate limit")), "cannot be pulled", "limits our rate"),
        (pod(waiting=("InvalidImageName", "bad")), "cannot be used", "Correct the image's name"),
        (pod(waiting=("CreateContainerConfigError", 'secret "db" not found')), 'secret "db"', "Create the ConfigMap"),
        (pod(waiting=("CrashLoopBackOff", "back-off")), "4 restarts", "Read its log"),
        (pod(scheduled="0/3 nodes are available: 3 Insufficient memory."), "Insufficient memory", "resources.requests"),
        (pod(scheduled="3 node(s) had untolerated taint {gpu: yes}"), "taint", "toleration"),
        (pod(scheduled="didn't match Pod's node affinity/selector"), "affinity", "nodeSelector"),
        (pod(scheduled="pod has unbound immediate PersistentVolumeClaims"), "unbound", "kubectl describe pvc"),
    ],
    ids=["image", "rate limit", "image name", "config", "crash loop", "resources", "taint", "affinity", "volume"],
)  # fmt: skip
def test_waiting_pod_is_explained(subject, summary, advice):
    found = diagnose([subject], [], NOW)
    assert summary in found.summary
    assert advice in found.advice


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("exceeded quota: team, requested: pods=1", "quota is used up"),
        ("failed quota: team: must specify limits.cpu", "demands resources"),
        ('error looking up service account team/x: serviceaccount "x" not found', "Create the ServiceAccount"),
        ("admission webhook denied the request", "Admission refused"),
    ],
)
def test_pod_that_cannot_be_created_is_explained_by_the_jobs_event(message, advice):
    events = [{"reason": "FailedCreate", "message": message}]
    found = diagnose([], events, NOW)
    assert message in found.summary
    assert advice in found.advice
    assert not found.fatal


@pytest.mark.parametrize(
    ("waiting", "age", "fatal"),
    [
        (("ErrImagePull", "not found"), 10, False),
        (("ErrImagePull", "not found"), IMAGE_GRACE_SECONDS + 1, True),
        (("ImagePullBackOff", "Too Many Requests: toomanyrequests"), IMAGE_GRACE_SECONDS * 10, False),
        (("InvalidImageName", "bad"), 0, True),
        (("CreateContainerConfigError", "missing"), 10**6, False),
    ],
)
def test_only_what_cannot_pass_is_fatal(waiting, age, fatal):
    assert diagnose([pod(waiting=waiting, age_seconds=age)], [], NOW).fatal is fatal


@pytest.mark.parametrize(("age", "fatal"), [(4, False), (6, True)])
def test_grace_of_a_missing_image_can_be_shorter(age, fatal):
    found = diagnose([pod(waiting=("ErrImagePull", "not found"), age_seconds=age)], [], NOW, image_grace_seconds=5.0)
    assert found.fatal is fatal
    assert "gives up after 5 s" in found.advice


def test_kubelet_that_is_busy_is_no_fault_of_the_manifest():
    busy = ("CreateContainerConfigError", "failed to sync configmap cache: timed out waiting for the condition")
    assert diagnose([pod(waiting=busy)], [], NOW) is None


def test_healthy_pod_needs_no_diagnosis():
    assert diagnose([pod(statuses=[{"name": "main", "state": {"running": {}}}])], [], NOW) is None
    assert diagnose([], [], NOW) is None


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ({"exitCode": 137, "reason": "OOMKilled"}, ["137", "OOMKilled", "Raise resources.limits.memory"]),
        ({"exitCode": 137, "reason": "Error"}, ["SIGKILL", "killed from outside"]),
        ({"exitCode": 127, "reason": "Error"}, ["127", "A command was not found"]),
        ({"exitCode": 126, "reason": "Error"}, ["not executable"]),
        (
            {"exitCode": 128, "reason": "StartError", "message": "no such file"},
            ["no such file", "could not be started"],
        ),
        ({"exitCode": 3, "reason": "Error", "message": "no input"}, ["exit code 3", "termination message: no input"]),
    ],
)
def test_ended_container_is_explained(ended, words):
    (text,) = explain_failure([pod(statuses=[{"name": "main", "state": {"terminated": ended}}])])
    assert all(word in text for word in words)


def test_evicted_pod_is_explained():
    (text,) = explain_failure([pod(reason="Evicted", message="The node was low on memory")])
    assert "low on memory" in text
    assert "resources.requests" in text


def test_container_that_ended_well_needs_no_explanation():
    ended = {"exitCode": 0, "reason": "Completed"}
    assert explain_failure([pod(statuses=[{"name": "main", "state": {"terminated": ended}}])]) == []
