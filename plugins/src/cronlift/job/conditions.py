"""The verdict on a Job, from its conditions alone.

Counts of Pods say nothing certain: a failed Pod may be replaced, a succeeded one may be one of many. The Job controller
draws the conclusion, and writes it as a condition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

# What a failed Job's reason means, and what its owner does next.
# Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/ and batch/v1 types.go.
_FAILURES = {
    "BackoffLimitExceeded": "its Pod failed as often as backoffLimit allows",
    "DeadlineExceeded": "it ran longer than activeDeadlineSeconds; raise that, or the task's execution_timeout",
    "PodFailurePolicy": "a rule of its podFailurePolicy with action FailJob matched",
    "FailedIndexes": "one or more of its indexes failed",
    "MaxFailedIndexesExceeded": "more of its indexes failed than maxFailedIndexes allows",
}


class Outcome(Enum):
    """How a Job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """How a Job ended, and why.

    Args:
        outcome: Succeeded or failed.
        reason: The condition's reason, such as BackoffLimitExceeded; may be empty.
        message: The condition's message.
        settled: False while Pods are still being terminated (FailureTarget, SuccessCriteriaMet): the outcome is
            certain, but logs may still grow.
    """

    outcome: Outcome
    reason: str
    message: str
    settled: bool

    def explain(self) -> str:
        """Return reason and message in words, with what the reason means."""
        known = _FAILURES.get(self.reason)
        words = f"{self.reason or 'no reason given'}" + (f" ({known})" if known else "")
        return f"{words}: {self.message}" if self.message else words


# Condition type -> (outcome, settled), the settled ones first.
_CONDITIONS = (
    ("Complete", Outcome.SUCCEEDED, True),
    ("Failed", Outcome.FAILED, True),
    ("FailureTarget", Outcome.FAILED, False),
    ("SuccessCriteriaMet", Outcome.SUCCEEDED, False),
)


def verdict_of(job: Mapping[str, Any]) -> Verdict | None:
    """Read a Job's verdict.

    Args:
        job: A Job object as the API server gives it.

    Returns:
        The verdict, or None while none of its conditions with status "True" is terminal; Suspended is not.

    Source:
        Kubernetes sets FailureTarget or SuccessCriteriaMet when the outcome is certain, and Failed or Complete once
        all Pods have terminated (1.31 and later; before that only for policies).
    """
    conditions = (job.get("status") or {}).get("conditions") or []
    found = {each.get("type"): each for each in conditions if each.get("status") == "True"}
    for kind, outcome, settled in _CONDITIONS:
        if kind in found:
            return Verdict(outcome, found[kind].get("reason") or "", found[kind].get("message") or "", settled)
    return None


def is_suspended(job: Mapping[str, Any]) -> bool:
    """Tell whether a Job waits because it is suspended, by its owner or by a queue."""
    return bool((job.get("spec") or {}).get("suspend"))
