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
        value: The task's result; None without one.
        may_retry: False when another try is useless.
    """

    outcome: str
    job: str
    message: str
    value: Any = None
    may_retry: bool = True

    def to_payload(self) -> dict[str, Any]:
        """Return the payload of the event, in words that Airflow's database takes.

        A message may hold what a container wrote. With the character NUL in it, storing the event would fail, and end
        the triggerer each time that it tries (Airflow 3.3.2 on PostgreSQL).
        """
        return {**asdict(self), "message": _storable(self.message)}

    @classmethod
    def from_payload(cls, payload: Any) -> "JobEvent":
        """Read a payload.

        Args:
            payload: Ours.

        Raises:
            JobError: It is not; an unknown word never means success.
        """
        if isinstance(payload, dict) and payload.get("outcome") in ("succeeded", "failed"):
            return cls(
                payload["outcome"],
                str(payload.get("job", "")),
                str(payload.get("message", "")),
                payload.get("value"),
                payload.get("may_retry") is not False,
            )
        raise JobError(f"Unknown event {payload!r} from the trigger. Triggerer and worker must run the same cronlift.")


def _storable(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
