"""What a task asks of its Job's life, where it writes, and what it gets back."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from cronlift.job.conditions import Outcome
from cronlift.job.result import ResultSource


class DeletePolicy(Enum):
    """When a finished Job is removed."""

    ON_SUCCESS = "on_success"
    ON_FAILURE = "on_failure"
    ALWAYS = "always"
    NEVER = "never"

    def removes(self, outcome: Outcome) -> bool:
        """Tell whether a Job that ended so is removed."""
        if self is DeletePolicy.ON_SUCCESS:
            return outcome is Outcome.SUCCEEDED
        if self is DeletePolicy.ON_FAILURE:
            return outcome is Outcome.FAILED
        return self is DeletePolicy.ALWAYS


@dataclass(frozen=True)
class LifeOptions:
    """What a task asks for.

    Args:
        delete_policy: When the finished Job is removed.
        start_timeout_seconds: Fail when no container has started after so long, time suspended not counted; None for
            never.
        result_from: Where the Job's result is read; None when nobody wants one.
        logs: Whether to read the containers' logs; a result from the log needs them, whatever this says.
        tail_lines: Show only so many last lines; None for all.
        tail_every_seconds: Show them each so often, and not only at the end; needs `tail_lines`.
    """

    delete_policy: DeletePolicy = DeletePolicy.ON_SUCCESS
    start_timeout_seconds: float | None = None
    result_from: ResultSource | None = None
    logs: bool = True
    tail_lines: int | None = None
    tail_every_seconds: float | None = None

    @property
    def reads_logs(self) -> bool:
        """Whether log streams are opened at all."""
        return self.logs or self.result_from is ResultSource.LOG


@dataclass(frozen=True)
class Result:
    """How a Job ended, for its task.

    Args:
        outcome: Succeeded or failed.
        job: `namespace/name`.
        message: One paragraph for a failure; empty for a success.
        value: The Job's result, anything that JSON can say.
        has_value: Whether there is one; a value may be None.
        may_retry: False when trying again is pointless: a rule of the Job's podFailurePolicy said so.
    """

    outcome: Outcome
    job: str
    message: str
    value: Any = None
    has_value: bool = False
    may_retry: bool = True


class TaskLog(Protocol):
    """Where a task's log is written."""

    def info(self, text: str) -> None:
        """Write a change that its reader cares about."""

    def warning(self, text: str) -> None:
        """Write something that someone should act on."""

    def error(self, text: str) -> None:
        """Write why the task fails."""

    def output(self, moment: datetime, text: str) -> None:
        """Write a line that the Job printed, with its own time."""
