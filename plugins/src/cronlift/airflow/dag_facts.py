"""Import one DAG file as the DAG processor does, and tell all about it: in a process of its own, which then ends."""

import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.exceptions import AirflowClusterPolicySkipDag
from airflow.sdk.timezone import coerce_datetime
from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
from airflow.timetables.base import TimeRestriction
from airflow.utils.dag_version_inflation_checker import check_dag_file_stability

from cronlift.airflow.places import Place, words_of
from cronlift.airflow.policy import wrong_team
from cronlift.airflow.task_facts import facts_of_task, from_root
from cronlift.airflow.witness import Construction, ForbiddenWhileImportingError, Witness
from cronlift.errors import ManifestError, TeamError
from cronlift.facts.model import DagFacts, FileFacts, Finding

if TYPE_CHECKING:
    from airflow.timetables.base import Timetable

MOST_RUNS = 1500
"""A day of a DAG that runs each minute."""

_EXAMPLE = """\
apiVersion: batch/v1
kind: Job
spec: {template: {spec: {containers: [{name: run, image: "x:1", args: ["{{ ds }}"]}]}}}
"""
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
_TASK_PLACE = re.compile(r"^(?P<file>/[^:\n]+):(?P<line>\d+): (?P<rest>.+)$", re.DOTALL)


@dataclass(frozen=True)
class Span:
    """Which of the next runs are told.

    Args:
        at: From when on, aware; also the logical date of pretended runs.
        runs: So many, at least.
        all_for: All of them for so long.
    """

    at: datetime
    runs: int
    all_for: timedelta = timedelta()


def read_file(file: Path, team: str, folder: Path, root: Path, span: Span) -> FileFacts:
    """Import a DAG file and tell what is in it.

    Args:
        file: The DAG file, absolute.
        team: Name of its bundle.
        folder: The bundle's folder, the only one of the repository that the file can import from.
        root: What paths are told from.
        span: Which of the next runs are told.
    """
    witness, advice = Witness(folder, file), _Advice()
    logging.getLogger("cronlift").addHandler(advice)
    witness.watch()
    bag = _Bag(dag_folder=str(file), bundle_path=folder, bundle_name=team, load_op_links=False, collect_dags=False)
    began = time.perf_counter() - _waited_seconds()
    bag.process_file(str(file), only_if_updated=False)  # type: ignore[no-untyped-call]
    seconds = time.perf_counter() - _waited_seconds() - began
    place = Place(file, root, folder)
    findings = [place.of_request(each) for each in witness.requests]
    if not witness.used_stand_ins:
        findings += _import_findings(bag, witness, place)
    findings += [place.here(text, line=None, kind="advice") for text in advice.texts]
    findings += _varying(file, place)
    dags = []
    # What is made of stand-ins has faults of theirs, and Airflow would have none of it.
    sound = {} if witness.used_stand_ins else bag.dags
    for dag in sorted(sound.values(), key=lambda each: str(each.dag_id)):
        try:
            dags.append(_facts_of_dag(dag, team, root, witness.construction(dag), span, place, findings))
        except Exception as error:  # what Airflow cannot serialize is an import error there too
            line = witness.construction(dag).line
            findings.append(place.of_error(error, dag, line, f"DAG {dag.dag_id} cannot be stored"))
    return FileFacts(from_root(file, root), team, seconds, tuple(dict.fromkeys(findings)), tuple(dags))


def hashes(file: Path, team: str, folder: Path) -> dict[str, str]:
    """Import a DAG file and return the hash of each of its serialized DAGs."""
    Witness(folder, file).watch()
    bag = _Bag(dag_folder=str(file), bundle_path=folder, bundle_name=team, load_op_links=False, collect_dags=False)
    bag.process_file(str(file), only_if_updated=False)  # type: ignore[no-untyped-call]
    return {dag_id: LazyDeserializedDAG(data=DagSerialization.to_dict(dag)).hash for dag_id, dag in bag.dags.items()}


class _Bag(BundleDagBag):
    """A bag that keeps the errors of DAGs as they were raised, those of every task among them."""

    def __init__(self, *args: Any, **more: Any) -> None:
        self.refused: list[tuple[Any, list[Exception]]] = []
        super().__init__(*args, **more)

    def bag_dag(self, dag: Any) -> None:
        """Check a DAG; see Airflow's."""
        try:
            super().bag_dag(dag)
        except AirflowClusterPolicySkipDag:
            raise
        except Exception as error:
            self.refused.append((dag, [error, *_errors_of_tasks(dag, error)]))
            raise


def _errors_of_tasks(dag: Any, first: Exception) -> Iterator[Exception]:
    """Yield what is wrong with tasks beside the error that stopped Airflow's own look at them."""
    known = {str(first)}
    for task in dag.tasks:
        try:
            task.resolve_template_files()
        except Exception as error:
            if str(error) not in known:
                known.add(str(error))
                yield error


class _Advice(logging.Handler):
    """Keeps what the package warns of while it parses."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _import_findings(bag: _Bag, witness: Witness, place: Place) -> Iterator[Finding]:
    told = set()
    for dag, invalid in witness.invalid:
        told.add(words_of(invalid))
        yield place.of_error(invalid, dag, witness.construction(dag).line, f"DAG {dag.dag_id}")
    for dag, errors in bag.refused:
        line = witness.construction(dag).line
        told.add(words_of(errors[0]))
        for error in errors:
            yield from _findings_of(error, dag, str(bag.bundle_name), line, place)
    for text in bag.import_errors.values():
        if text in told or any(ForbiddenWhileImportingError.__name__ in text for _ in witness.requests):
            continue
        yield place.of_traceback(text)


def _findings_of(error: Exception, dag: Any, team: str, line: int | None, place: Place) -> Iterator[Finding]:
    """Yield a finding for each fault in an error about a DAG."""
    cause = error if isinstance(error, ManifestError) else error.__cause__
    text = str(error)
    if task_place := _TASK_PLACE.match(text):
        line, text = int(task_place["line"]), task_place["rest"]
    if isinstance(cause, ManifestError):
        yield from (place.of_fault(each, dag, line) for each in cause.faults)
        return
    if isinstance(cause, TeamError):
        what, cure = wrong_team(dag.dag_id, team)
        yield place.here(what, line=line, cure=cure, kind="dag-id")
    else:
        yield place.of_task(error, text, dag, line)


def _varying(file: Path, place: Place) -> Iterator[Finding]:
    """Yield what Airflow's own check finds that makes a new DAG version at each parse."""
    for found in check_dag_file_stability(str(file)).warnings.values():
        yield place.here(
            f"{found.code} is another value at each parse, so that each parse makes a new version of the DAG",
            line=found.line,
            cure="Write a fixed value, or {{ logical_date }} and the like in the manifest.",
            kind="varying",
        )


def _facts_of_dag(
    dag: Any,
    team: str,
    root: Path,
    made: Construction,
    span: Span,
    place: Place,
    findings: list[Finding],
) -> DagFacts:
    serialized = LazyDeserializedDAG(data=DagSerialization.to_dict(dag))
    if found := _addresses(json.dumps(serialized.data, default=str)):
        with suppress(OSError):  # a zip file's
            found -= _addresses(Path(dag.fileloc).read_text(errors="replace"))
        findings += [place.of_address(dag.dag_id, made.line, each) for each in sorted(found)[:1]]
    timetable = _core_timetable(dag)
    try:
        next_runs = _next_runs(timetable, dag, span)
    except Exception as error:
        next_runs = ()
        text = f"the schedule of DAG {dag.dag_id} cannot tell its next run"
        findings.append(place.of_error(error, dag, made.line, text, "timetable"))
    zone = _zone(timetable)
    return DagFacts(
        dag_id=dag.dag_id,
        team=team,
        file=from_root(Path(dag.fileloc), root),
        line=made.line,
        # Airflow takes a DAG's owner from its tasks alone.
        owners=tuple(sorted({str(task.owner) for task in dag.tasks} or {str(dag.default_args.get("owner") or "")})),
        tags=tuple(sorted(dag.tags)),
        catchup=bool(dag.catchup),
        catchup_explicit="catchup" in made.given,
        timezone=zone,
        timezone_explicit=not zone or not isinstance(dag.schedule, str) or made.start_date_aware,
        schedule=str(timetable.summary),
        next_runs=next_runs,
        paused_upon_creation=dag.is_paused_upon_creation,
        max_active_runs=dag.max_active_runs,
        start_date=dag.start_date.isoformat() if dag.start_date else None,
        end_date=dag.end_date.isoformat() if dag.end_date else None,
        hash=serialized.hash,
        tasks=tuple(
            facts_of_task(each, root, span.at) for each in sorted(dag.tasks, key=lambda task: str(task.task_id))
        ),
    )


def _addresses(text: str) -> set[str]:
    """Return the addresses of objects in a text: what `str` says of a function ends with one."""
    return set(_ADDRESS.findall(text))


def _core_timetable(dag: Any) -> "Timetable":
    """Return a DAG's timetable as the scheduler makes it of the serialized DAG."""
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable

    return decode_timetable(encode_timetable(dag.timetable))


def _zone(timetable: Any) -> str:
    inner = getattr(timetable, "_timetable", None) or getattr(timetable, "timetable", None) or timetable
    zone = getattr(inner, "_timezone", None) or getattr(inner, "_zone", None) or getattr(inner, "timezone", None)
    return str(getattr(zone, "key", None) or getattr(zone, "name", None) or zone or "")


def _next_runs(timetable: "Timetable", dag: Any, span: Span) -> tuple[str, ...]:
    """Step through the timetable as the scheduler does, from a run that was due right before the moment."""
    if not timetable.can_be_scheduled or not timetable.periodic or timetable.active_runs_limit is not None:
        return ()  # "@continuous" is among the last: it runs whenever it can
    moment = coerce_datetime(span.at)
    begins_later = dag.start_date is not None and dag.start_date > moment
    earliest = coerce_datetime(dag.start_date) if begins_later else moment
    restriction = TimeRestriction(earliest, dag.end_date, catchup=True)
    last = None if begins_later else timetable.infer_manual_data_interval(run_after=moment)
    found: list[datetime] = []
    while len(found) < span.runs or (found and len(found) < MOST_RUNS and found[-1] < span.at + span.all_for):
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        if info is None:
            break
        last = info.data_interval
        if info.run_after > moment:
            found.append(info.run_after.astimezone(UTC))
    return tuple(each.isoformat() for each in found)


def _waited_seconds() -> float:
    """Return how long this process could have run but got no core; 0 where the system does not tell.

    Source: https://docs.kernel.org/scheduler/sched-stats.html, /proc/<pid>/schedstat.
    """
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def block_database() -> None:
    """Keep code in DAG files from Airflow's database, as the DAG processor's children do."""
    from airflow.sdk.execution_time.supervisor import block_orm_access

    block_orm_access()  # type: ignore[no-untyped-call]


def warm_up() -> None:
    """Do once what every file costs first: a process forked from this one then has it imported and compiled."""
    import airflow.providers.standard.operators.empty
    import airflow.timetables.interval  # noqa: F401
    from airflow.dag_processing.importers import get_importer_registry
    from airflow.sdk import DAG, CronTriggerTimetable, MultipleCronTriggerTimetable, dag, task  # noqa: F401

    from cronlift.airflow.operator import KubernetesJobOperator
    from cronlift.airflow.timetable import CrontabTimetable  # noqa: F401

    get_importer_registry()
    with DAG("warm_up", schedule=CronTriggerTimetable("0 0 * * *", timezone="Europe/Paris"), catchup=False) as made:
        KubernetesJobOperator(task_id="run", manifest=_EXAMPLE)
    made.check_cycle()
    made.validate()  # type: ignore[no-untyped-call]
    made.resolve_template_files()  # type: ignore[no-untyped-call]
    _facts_of_dag(
        made,
        "",
        Path(),
        Construction(frozenset(), False, None),
        Span(datetime.now(UTC), 1),
        Place(Path(), Path(), Path()),
        [],
    )
