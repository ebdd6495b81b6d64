"""What a trigger tells the worker that finishes its task, when one is needed."""

from dataclasses import asdict, dataclass
from typing import Any

from cronlift.errors import JobError

FINISH_IN_TRIGGERER = "triggerer"
FINISH_IN_WORKER = "worker"


@dataclass(frozen=True)
class JobEvent:
    """How a Job ended, as an event payload.

    Args:
        outcome: "succeeded" or "failed".
        job: `namespace/name`; empty when it was never created.
        message: Why it failed.
    """

    outcome: str
    job: str
    message: str

    def to_payload(self) -> dict[str, str]:
        """Return the payload of the event."""
        return asdict(self)

    @classmethod
    def from_payload(cls, payload: Any) -> "JobEvent":
        """Read a payload.

        Args:
            payload: Ours, or the bare state that `dag.test()` hands on when the trigger ended the task itself.

        Raises:
            JobError: It is neither; an unknown word never means success.
        """
        if payload == "success":
            return cls("succeeded", "", "")
        if payload == "failed":
            return cls("failed", "", "the Job failed; its log tells why")
        if isinstance(payload, dict) and payload.get("outcome") in ("succeeded", "failed"):
            return cls(payload["outcome"], str(payload.get("job", "")), str(payload.get("message", "")))
        raise JobError(f"Unknown event {payload!r} from the trigger. Triggerer and worker must run the same cronlift.")
