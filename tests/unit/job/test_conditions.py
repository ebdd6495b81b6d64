"""The verdict on a Job, from its conditions alone."""

import pytest

from cronlift.job.conditions import Outcome, is_suspended, verdict_of


def job(*conditions: tuple[str, str, str], **status):
    listed = [{"type": kind, "status": value, "reason": reason} for kind, value, reason in conditions]
    return {"status": {"conditions": listed, **status}}


@pytest.mark.parametrize(
    ("conditions", "outcome", "settled"),
    [
        ([("Complete", "True", "")], Outcome.SUCCEEDED, True),
        ([("Failed", "True", "BackoffLimitExceeded")], Outcome.FAILED, True),
        ([("SuccessCriteriaMet", "True", "")], Outcome.SUCCEEDED, False),
        ([("FailureTarget", "True", "DeadlineExceeded")], Outcome.FAILED, False),
        ([("SuccessCriteriaMet", "True", ""), ("Complete", "True", "")], Outcome.SUCCEEDED, True),
        ([("FailureTarget", "True", "X"), ("Failed", "True", "X")], Outcome.FAILED, True),
        ([("Suspended", "False", ""), ("Complete", "True", "")], Outcome.SUCCEEDED, True),
    ],
    ids=["complete", "failed", "criteria met", "failure target", "both succeeded", "both failed", "resumed"],
)
def test_terminal_condition_gives_the_verdict(conditions, outcome, settled):
    verdict = verdict_of(job(*conditions))
    assert (verdict.outcome, verdict.settled) == (outcome, settled)


@pytest.mark.parametrize(
    "subject",
    [
        {}, {"status": {}}, {"status": {"conditions": None}}, job(("Complete", "False", "")),
        job(("Failed", "Unknown", "")), job(("Suspended", "True", "")), job(succeeded=1), job(failed=6),
        job(succeeded=3, failed=2, active=0),
    ],
    ids=["empty", "no conditions", "null", "false", "unknown", "suspended", "succeeded pods", "failed pods", "both"],
)  # fmt: skip
def test_nothing_else_is_a_verdict(subject):
    assert verdict_of(subject) is None


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("DeadlineExceeded", "activeDeadlineSeconds"), ("PodFailurePolicy", "podFailurePolicy"),
        ("BackoffLimitExceeded", "backoffLimit"), ("FailedIndexes", "indexes"),
        ("MaxFailedIndexesExceeded", "maxFailedIndexes"), ("SomethingNew", "SomethingNew"),
    ],
)  # fmt: skip
def test_reason_is_explained_in_words(reason, words):
    assert words in verdict_of(job(("Failed", "True", reason))).explain()


def test_suspended_job_is_recognised():
    assert is_suspended({"spec": {"suspend": True}})
    assert not is_suspended({"spec": {}})
