"""What is wrong with DAG files, told from their facts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cronlift.checks.catalogue import CHECKS
from cronlift.checks.model import Fault
from cronlift.facts.model import DagFacts, FileFacts, Finding

CURES = {check.id: check.cure for check in CHECKS}
_NOBODY = frozenset(("", "airflow"))
_NO_SCHEDULE = frozenset(("None", "Never, external triggers only", ""))


@dataclass(frozen=True)
class Budget:
    """How long imports may take, in seconds, without waiting for a core.

    Attributes:
        file: One file.
        total: All files of the repository together: what one round of the DAG processor takes.
    """

    file: float = 1.0
    total: float = 120.0


def check_files(files: Sequence[FileFacts], budget: Budget) -> list[Fault]:
    """Return every fault of DAG files.

    Args:
        files: Their facts.
        budget: For their imports.
    """
    found = [fault for each in files for fault in _of_findings(each)]
    found += [fault for each in files for dag in each.dags for fault in _of_dag(dag)]
    return [*found, *_twice(files), *_slow(files, budget)]


def warnings(files: Sequence[FileFacts]) -> list[str]:
    """Return what works, but probably not as meant, in the words of the package."""
    return [f"{each.path}: {found.message}" for each in files for found in each.findings if found.kind == "advice"]


def _of_findings(file: FileFacts) -> Iterator[Fault]:
    for each in file.findings:
        if each.kind != "advice":
            # An error of the import may say the cure itself; what all of them have in common helps nobody.
            cure = each.cure or (CURES.get(each.kind, "") if each.kind != "import" else "")
            yield Fault(each.file, each.line or 0, _check_of(each), each.message, cure)


def _check_of(finding: Finding) -> str:
    return f"policy/{finding.rule}" if finding.kind == "policy" else finding.kind


def _of_dag(dag: DagFacts) -> Iterator[Fault]:
    def fault(check: str, what: str) -> Fault:
        return Fault(dag.file, dag.line or 0, check, f"DAG {dag.dag_id} {what}", CURES[check])

    if not dag.tasks:
        yield fault("no-task", "has no task")
    if set(dag.owners) & _NOBODY:
        yield fault("owner", "has a task without an owner" if len(dag.owners) > 1 else "has no owner")
    if not dag.tags:
        yield fault("tags", "has no tag")
    if not dag.catchup_explicit and dag.schedule not in _NO_SCHEDULE:
        yield fault("catchup", "does not say catchup")
    if not dag.timezone_explicit:
        yield fault("timezone", f"has the schedule {dag.schedule!r} without a time zone")


def _twice(files: Sequence[FileFacts]) -> Iterator[Fault]:
    places: dict[str, list[DagFacts]] = defaultdict(list)
    for file in files:
        for dag in file.dags:
            places[dag.dag_id].append(dag)
    for dag_id, dags in sorted(places.items()):
        first = dags[0]
        for other in dags[1:]:
            what = f"DAG {dag_id} is also made in {first.file}"
            yield Fault(other.file, other.line or 0, "dag-id-unique", what, CURES["dag-id-unique"])


def _slow(files: Sequence[FileFacts], budget: Budget) -> Iterator[Fault]:
    for file in files:
        if file.seconds > budget.file and not any(each.kind == "timeout" for each in file.findings):
            what = f"the import takes {file.seconds:.1f} s, more than {budget.file:g} s"
            yield Fault(file.path, 0, "parse-time", what, CURES["parse-time"])
    total = sum(file.seconds for file in files)
    if total > budget.total:
        slowest = ", ".join(each.path for each in sorted(files, key=lambda file: -file.seconds)[:3])
        what = f"the imports of {len(files)} files take {total:.0f} s, more than {budget.total:g} s; slowest: {slowest}"
        yield Fault(files[0].path, 0, "parse-time", what, CURES["parse-time"])
