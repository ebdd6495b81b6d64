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

from cronlift.airflow.import_errors import Source, explain
from cronlift.airflow.task_facts import facts_of_task, folders_of, from_root
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
_FRAME = re.compile(r'^\s*File "(?P<file>.+?)", line (?P<line>\d+)', re.MULTILINE)
_PLACE = re.compile(r"^(?P<file>[^:\s]+)(?::(?P<line>\d+))?(?:: .*)?$")
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
    place = _Place(file, root, folder)
    findings = [place.of_request(each) for each in witness.requests]
    findings += _import_findings(bag, witness, place)
    findings += [place.here(text, line=None, kind="advice") for text in advice.texts]
    findings += _varying(file, place)
    dags = []
    for dag in sorted(bag.dags.values(), key=lambda each: str(each.dag_id)):
        try:
            dags.append(_facts_of_dag(dag, team, root, witness.construction(dag), span, place, findings))
        except Exception as error:  # what Airflow cannot serialize is an import error there too
            line = witness.construction(dag).line
            findings.append(place.here(f"DAG {dag.dag_id} cannot be stored: {_words(error)}", line=line))
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


class _Place:
    """Where things are, told from the root."""

    def __init__(self, file: Path, root: Path, folder: Path) -> None:
        self._file, self._root, self._folder = file, root, folder

    def here(self, message: str, *, line: int | None, **more: Any) -> Finding:
        """Return a finding of the DAG file."""
        return Finding(from_root(self._file, self._root), line, message, **more)

    def of_request(self, request: Any) -> Finding:
        """Return the finding of something that was asked for."""
        file = request.file or self._file
        return Finding(from_root(file, self._root), request.line, request.what, request.cure, request.kind)

    def of_address(self, dag_id: str, line: int | None, address: str) -> Finding:
        """Return the finding of an object's address in a DAG."""
        what = f"DAG {dag_id} holds the address of an object ({address.strip()}), which is another at each parse"
        return self.here(what, line=line, cure="Write what you mean, such as the function's __name__.", kind="varying")

    def of_traceback(self, text: str) -> Finding:
        """Return the finding of a traceback: the innermost line of the bundle, and the error's last words."""
        frames = [(Path(each["file"]), int(each["line"])) for each in _FRAME.finditer(text)]
        ours = [each for each in frames if each[0].is_relative_to(self._folder)]
        file, line = ours[-1] if ours else (self._file, None)
        lines = text.rstrip().splitlines()
        last = max((index for index, each in enumerate(lines) if _FRAME.match(each)), default=-1)
        rest = lines[last + 1 :]
        while len(rest) > 1 and rest[0].startswith("    "):
            del rest[0]
        message = _short_type("\n".join(rest))
        if "AirflowTaskTimeout" in message:
            return Finding(from_root(file, self._root), line, message, kind="timeout")
        said = explain(message, _source(file, line))
        return Finding(from_root(file, self._root), said.line or line, said.what, said.cure, said.kind)

    def of_fault(self, fault: ManifestError, dag: Any, line: int | None) -> Finding:
        """Return the finding of a fault of a manifest, in the manifest where it is told."""
        kind, rule = ("policy", str(fault.rule)) if hasattr(fault, "rule") else ("manifest", "")
        found = _PLACE.match(fault.where)
        if found is not None:
            file = next((each / found["file"] for each in folders_of(dag) if (each / found["file"]).is_file()), None)
            if file is not None:
                place = from_root(file, self._root), int(found["line"]) if found["line"] else None
                return Finding(*place, _with_field(fault), fault.cure, kind, rule)
        return self.here(fault.what, line=line, cure=fault.cure, kind=kind, rule=rule)


def _source(file: Path, line: int | None) -> Source:
    try:
        return Source(file.read_text(encoding="utf-8", errors="replace"), line)
    except OSError:  # a zip file's
        return Source("", line)


def _with_field(fault: ManifestError) -> str:
    """Return what is wrong, with the field in front where the place has one."""
    _, _, path = fault.where.partition(": ")
    return f"{path}: {fault.what}" if path else fault.what


def _import_findings(bag: _Bag, witness: Witness, place: _Place) -> Iterator[Finding]:
    told = set()
    for dag, errors in bag.refused:
        line = witness.construction(dag).line
        told.add(f"{type(errors[0]).__name__}: {errors[0]}")
        for error in errors:
            yield from _findings_of(error, dag, line, place)
    for text in bag.import_errors.values():
        if text in told or any(ForbiddenWhileImportingError.__name__ in text for _ in witness.requests):
            continue
        yield place.of_traceback(text)


def _findings_of(error: Exception, dag: Any, line: int | None, place: _Place) -> Iterator[Finding]:
    """Yield a finding for each fault in an error about a DAG."""
    cause = error if isinstance(error, ManifestError) else error.__cause__
    text = str(error)
    if task_place := _TASK_PLACE.match(text):
        line, text = int(task_place["line"]), task_place["rest"]
    if isinstance(cause, ManifestError):
        yield from (place.of_fault(each, dag, line) for each in cause.faults)
        return
    kind = "dag-id" if isinstance(cause, TeamError) else "import"
    yield place.here(f"DAG {dag.dag_id}: {text}" if dag.dag_id not in text else text, line=line, kind=kind)


def _varying(file: Path, place: _Place) -> Iterator[Finding]:
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
    place: _Place,
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
        text = f"the schedule of DAG {dag.dag_id} cannot tell its next run: {_words(error)}"
        findings.append(place.here(text, line=made.line, kind="timetable"))
    zone = _zone(timetable)
    return DagFacts(
        dag_id=dag.dag_id,
        team=team,
        file=from_root(Path(dag.fileloc), root),
        line=made.line,
        owners=tuple(sorted({str(task.owner) for task in dag.tasks} or {str(dag.owner)})),
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


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _short_type(message: str) -> str:
    """Cut the module in front of an error's class."""
    kind, separator, rest = message.partition(":")
    return f"{kind.rpartition('.')[2]}{separator}{rest}" if re.fullmatch(r"[\w.]+", kind) else message


def _waited_seconds() -> float:
    """Return how long this process could have run but got no core; 0 where the system does not tell.

    Source: https://docs.kernel.org/scheduler/sched-stats.html, /proc/<pid>/schedstat.
    """
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def list_files(folder: Path) -> list[Path]:
    """Return the DAG files of a bundle, as Airflow finds them: .airflowignore and its heuristic count."""
    from airflow.dag_processing.importers import get_importer_registry

    found = get_importer_registry().list_dag_files(str(folder), safe_mode=True)
    return sorted(Path(each) for each in found)


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
        _Place(Path(), Path(), Path()),
        [],
    )
