"""A timetable that fires exactly when the old cron daemon would have started the job.

For the schedules that Airflow's own CronTriggerTimetable does not keep: jobs near a change of the clock, and day fields
that a daemon takes together. `cronlift import` chooses it only where it has to; see docs/schedules.md.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk.timezone import coerce_datetime, utcnow
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from cronlift.crontab.describe import describe
from cronlift.crontab.expression import Schedule, parse_schedule
from cronlift.crontab.fires import fire_minutes
from cronlift.crontab.model import Flavour
from cronlift.crontab.zones import find_zone, from_minute, to_minute
from cronlift.errors import LateRunError

if TYPE_CHECKING:
    from airflow.models.dag import DagModel
    from pendulum import DateTime

GRACE = timedelta(minutes=10)
"""A scheduler that restarts, or a database that moves, is away for minutes; a job of yesterday is nobody's wish."""

_HORIZON_MINUTES = 41 * 366 * 24 * 60
"""29 February on one weekday comes within 40 years."""

_TWINS_MINUTES = 4
"""Starts of one instant are set a second apart; those of three hours, the most that cron catches up, take that long."""


class CrontabTimetable(Timetable):
    """Fire as a cron daemon does, through changes of the clock, with no data intervals.

    Two starts at one instant come a second apart, for Airflow takes one run an instant. What is missed by more than
    the grace, since the start date lies in the past or no scheduler was running, is never made up for: cron does not.

    Args:
        expression: Five fields, or a nickname such as `@daily`.
        timezone: The time zone of the old server, an IANA name or a zone that has one.
        flavour: Whose rules: "debian" or "cronie".
        cron_timezone: What CRON_TZ said above the line; cronie honours it, without catching up anything.
        grace: How late a run may start.

    Raises:
        ScheduleError: The daemon would reject the expression, or there is no such zone.

    Example:
        `DAG("nightly", schedule=CrontabTimetable("30 2 * * *", timezone="Europe/Paris"), catchup=False)`
    """

    def __init__(
        self,
        expression: str,
        *,
        timezone: Any,
        flavour: str = Flavour.DEBIAN,
        cron_timezone: str | None = None,
        grace: timedelta = GRACE,
    ) -> None:
        self._expression = expression
        self._zone = find_zone(timezone if isinstance(timezone, str) else str(timezone))
        self._flavour = Flavour(flavour)
        self._cron_zone = find_zone(cron_timezone) if cron_timezone else None
        self._grace = grace
        self._schedule: Schedule = parse_schedule(expression, self._flavour)
        self.can_be_scheduled = not self._schedule.never_fires

    @cached_property
    def description(self) -> str:  # type: ignore[override]
        """Say in plain words when it fires, for Airflow's UI."""
        return describe(self._schedule, self._cron_zone or self._zone)

    @property
    def summary(self) -> str:
        """Return what Airflow's list of DAGs shows."""
        return self._expression

    def serialize(self) -> dict[str, Any]:
        """Return what the scheduler needs to make the same timetable."""
        return {
            "expression": self._expression,
            "timezone": self._zone.key,
            "flavour": str(self._flavour),
            "cron_timezone": self._cron_zone.key if self._cron_zone else None,
            "grace": self._grace.total_seconds(),
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "CrontabTimetable":
        """Make the timetable that `serialize` told of."""
        return cls(
            data["expression"],
            timezone=data["timezone"],
            flavour=data["flavour"],
            cron_timezone=data["cron_timezone"],
            grace=timedelta(seconds=data["grace"]),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CrontabTimetable) and self.serialize() == other.serialize()

    def __hash__(self) -> int:
        return hash((self._expression, self._zone.key, self._flavour))

    def __repr__(self) -> str:
        return f"CrontabTimetable({self._expression!r}, timezone={self._zone.key!r}, flavour={str(self._flavour)!r})"

    def infer_manual_data_interval(self, *, run_after: "DateTime") -> DataInterval:
        """Return an interval of no length: a manual run is for its own time."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next start after the last run, and none that is missed by more than the grace.

        Args:
            last_automated_data_interval: That of the last scheduled run; None before the first.
            restriction: The DAG's start and end date. With catchup, as a backfill asks, what is past counts as well.

        Returns:
            None when it never fires, or not before the end date.
        """
        floors: list[datetime] = [restriction.earliest] if restriction.earliest is not None else []
        if not restriction.catchup or (last_automated_data_interval is None and not floors):
            floors.append(utcnow() - self._grace)
        if last_automated_data_interval is not None:
            floors.append(last_automated_data_interval.end + timedelta(microseconds=1))
        found = self._first(max(floors))
        if found is None or (restriction.latest is not None and found > restriction.latest):
            return None
        return DagRunInfo.exact(coerce_datetime(found))

    def next_run_info_from_dag_model(self, *, dag_model: "DagModel") -> DagRunInfo | None:
        """Refuse the run that was planned before the schedulers were away for too long, and plan the next.

        The scheduler asks this when it creates the run whose time it noted earlier. An error is the one answer that
        keeps it from doing so (airflow/jobs/scheduler_job_runner.py, `_create_dag_runs`, Airflow 3.3.2); it is logged
        once, for the next run is noted at the same time.

        Raises:
            LateRunError: The run is later than the grace allows.
        """
        planned = super().next_run_info_from_dag_model(dag_model=dag_model)
        now = utcnow()
        if planned is None or now - planned.run_after <= self._grace:
            return planned
        found = self._first(now - self._grace)
        following = None if found is None else DagRunInfo.exact(coerce_datetime(found))
        dag_model.next_dagrun = following and following.logical_date
        dag_model.next_dagrun_data_interval = following and following.data_interval
        dag_model.next_dagrun_create_after = following and following.run_after
        raise LateRunError(
            f"DAG {dag_model.dag_id}: the run of {planned.run_after.isoformat()} is left out, for it would start"
            f" {now - planned.run_after} late, and cron never makes up for a start. The next is"
            f" {following.run_after.isoformat() if following else 'never'}. Trigger the DAG if the work is needed now."
        )

    def _first(self, earliest: datetime) -> datetime | None:
        """Return the first start that is not before a time."""
        return next((at for at in self._instants(earliest) if at >= earliest), None)

    def _instants(self, since: datetime) -> Iterator[datetime]:
        """Return starts from a little before a time on, those of one minute a second apart."""
        begin = to_minute(since) - _TWINS_MINUTES
        second = 0
        for minute in fire_minutes(
            self._schedule, self._zone, begin, begin + _HORIZON_MINUTES, self._flavour, self._cron_zone
        ):
            second = max(second + 1, minute * 60)
            yield from_minute(0) + timedelta(seconds=second)
