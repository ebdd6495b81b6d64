"""When the DAGs of a folder will run: their timetables as the scheduler has them, walked as it walks them."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cronlift.errors import CronliftError

if TYPE_CHECKING:
    from airflow.timetables.base import Timetable

WARM_UP = timedelta(days=2)
"""A timetable steps from run to run, so what it does after a change of the clock can follow from the run before."""


@dataclass(frozen=True)
class DagTimes:
    """What a folder of DAG files gave.

    Attributes:
        timetables: DAG id -> its timetable, as the scheduler makes it of the serialized DAG.
        import_errors: DAG file -> why it could not be read.
    """

    timetables: dict[str, Any] = field(default_factory=dict)
    import_errors: dict[str, str] = field(default_factory=dict)


def load_timetables(folder: Path) -> DagTimes:
    """Parse DAG files without a database, and take their timetables through serialization and back.

    Args:
        folder: A folder of DAG files, or one file.
    """
    # Airflow writes its configuration file where this says when it is first imported, and logs to the terminal.
    if "AIRFLOW_HOME" not in os.environ:
        os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="cronlift-airflow-")
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable

    base = folder if folder.is_dir() else folder.parent
    # DAG files may print, and so may Airflow: standard output is for results.
    with redirect_stdout(sys.stderr):
        bag = BundleDagBag(dag_folder=folder, bundle_path=base, bundle_name=base.name, load_op_links=False)
    timetables = {dag_id: decode_timetable(encode_timetable(dag.timetable)) for dag_id, dag in bag.dags.items()}
    return DagTimes(timetables, {str(path): str(text) for path, text in bag.import_errors.items()})


def run_times(
    timetable: "Timetable", after: datetime, until: datetime, warm_up: timedelta = WARM_UP
) -> Iterator[datetime]:
    """Return when the scheduler would start runs, step by step from run to run.

    The DAG's start date is left aside: the question is what the timetable does.

    Args:
        timetable: As the scheduler has it.
        after: Aware; a run at this very time is not among them.
        until: Aware; a run at this very time is.
        warm_up: How long before the first run is looked for.

    Raises:
        CronliftError: The timetable cannot say.
    """
    from airflow.sdk.timezone import coerce_datetime
    from airflow.timetables.base import TimeRestriction

    if not timetable.can_be_scheduled:
        return
    restriction = TimeRestriction(coerce_datetime(after - warm_up), coerce_datetime(until), catchup=True)
    last = None
    while True:
        try:
            info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        except Exception as error:
            raise CronliftError(f"{timetable!r} cannot tell its next run: {error}") from error
        if info is None or info.run_after > until:
            return
        last = info.data_interval
        if info.run_after > after:
            yield info.run_after


def remember_expressions() -> None:
    """Let croniter read each expression once in this process: half of what a step of Airflow's own timetables costs.

    Those make a croniter anew for every step, and it reads the expression again. For a process that only proves; goes
    when croniter keeps what it read (7.0.0 does not).
    """
    from airflow.timetables import _cron

    class RememberingCroniter(_cron.croniter):  # type: ignore[misc, name-defined]
        """A croniter that keeps what it read."""

        _read: ClassVar[dict[Any, Any]] = {}

        @classmethod
        def _expand(cls, expr_format: str, **options: Any) -> Any:
            key = (expr_format, *sorted(options.items()))
            if key not in cls._read:
                cls._read[key] = super()._expand(expr_format, **options)
            expanded, nth, expressions, nearest = cls._read[key]
            # Its owner changes the outer list for a while.
            return [*expanded], nth, expressions, nearest

    _cron.croniter = RememberingCroniter  # type: ignore[attr-defined]
