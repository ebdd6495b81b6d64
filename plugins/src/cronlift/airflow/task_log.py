"""A task's log, by way of the trigger's logger."""

from datetime import datetime
from typing import Any

from cronlift.airflow.log_delivery import position


class TaskLog:
    """Write into a task's log from its trigger.

    Args:
        log: The trigger's logger; the triggerer sends its lines to the task that the context names.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._output_end = 0

    def info(self, text: str) -> None:
        """Write a change that its reader cares about."""
        self._log.info(text)

    def warning(self, text: str) -> None:
        """Write something that someone should act on."""
        self._log.warning(text)

    def error(self, text: str) -> None:
        """Write why the task fails."""
        self._log.error(text)

    def output(self, moment: datetime, text: str) -> None:
        """Write a line that the Job printed, with its own time."""
        self._log.info(text, timestamp=moment.isoformat(), logger="job")
        self._output_end = position.mark()

    async def delivered(self, *, output_only: bool = False) -> None:
        """Wait until Airflow has taken the lines so far, as what it takes after the task's end is lost to the task.

        Args:
            output_only: The Job's own lines alone. They ended seconds before the Job, so that this seldom waits.
        """
        await position.passed(self._output_end if output_only else position.mark())
