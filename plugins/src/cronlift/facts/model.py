"""What parsing a DAG file tells of it, as plain values that survive JSON.

`cronlift.airflow.dag_facts` finds them out, in a process of its own; checks and the diff read them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that a parse brought up.

    Attributes:
        file: Where it is, from the root.
        line: Line in that file, from 1; None when it is not known.
        message: What is wrong, without a traceback.
        cure: What to do about it; empty where the error does not say.
        kind: "import" (the file does not import), "timeout" (that took too long), "dag-id" (it is another team's),
            "variable", "connection", "network", "process" or "database" (the file asked for one while it was imported),
            "varying" (a value that is another at each parse), "policy" (a rule of `cronlift.policy`, named by `rule`),
            "manifest" (another fault of a manifest), "timetable" (it cannot tell the next runs), "deliverable" (Airflow
            fails over the folder, which is `file`), or "advice" (a warning of the package).
        rule: Id of the rule, for a "policy" finding.
    """

    file: str
    line: int | None
    message: str
    cure: str = ""
    kind: str = "import"
    rule: str = ""


@dataclass(frozen=True)
class TaskFacts:
    """A task of a DAG.

    Attributes:
        task_id: Task id.
        operator: Class name of the operator.
        mapped: Whether it is expanded at run time.
        upstream: Ids of the tasks right before it, sorted.
        pool: Pool.
        retries: Retries.
        manifest: Path of its manifest from the root, None for other operators and for inline manifests.
        files: Paths from the root of every file that the manifest is made from.
        documents: What a pretended run would send to the API server, the Job last; empty when that needs real values.
        unrendered: Why there are no documents; empty when there are, or the task has no manifest.
        images: Images of all containers, sorted, each once.
        requests: What all Pods of the Job that run at once ask for: resource -> amount in cores or bytes.
        limits: What they may use, likewise.
    """

    task_id: str
    operator: str
    mapped: bool
    upstream: tuple[str, ...]
    pool: str
    retries: int
    manifest: str | None = None
    files: tuple[str, ...] = ()
    documents: tuple[dict[str, Any], ...] = ()
    unrendered: str = ""
    images: tuple[str, ...] = ()
    requests: Mapping[str, float] | None = None
    limits: Mapping[str, float] | None = None


@dataclass(frozen=True)
class DagFacts:
    """A DAG.

    Attributes:
        dag_id: DAG id.
        team: Name of the bundle that it lies in.
        file: Its file, from the root.
        line: Where the file makes it; None when that is not in the file.
        owners: Owners of its tasks, sorted; without tasks that of its default_args.
        tags: Tags, sorted.
        catchup: Whether it catches up.
        catchup_explicit: Whether the file says so itself.
        timezone: Time zone of its schedule, an IANA name; "" when the schedule has none, such as one by assets.
        timezone_explicit: Whether the file names it; True when the schedule needs none.
        schedule: What Airflow shows as its schedule.
        next_runs: The next runs, ISO 8601 in UTC, from the instant that was asked for.
        paused_upon_creation: Whether it begins paused; None when the deployment decides.
        max_active_runs: Most runs at once.
        start_date: ISO 8601, or None.
        end_date: ISO 8601, or None.
        hash: Of the serialized DAG: the same for the same DAG.
        tasks: In order of their ids.
    """

    dag_id: str
    team: str
    file: str
    line: int | None
    owners: tuple[str, ...]
    tags: tuple[str, ...]
    catchup: bool
    catchup_explicit: bool
    timezone: str
    timezone_explicit: bool
    schedule: str
    next_runs: tuple[str, ...]
    paused_upon_creation: bool | None
    max_active_runs: int
    start_date: str | None
    end_date: str | None
    hash: str
    tasks: tuple[TaskFacts, ...]


@dataclass(frozen=True)
class FileFacts:
    """A DAG file.

    Attributes:
        path: From the root.
        team: Name of its bundle.
        seconds: What the parse took, without what comes after it and without waiting for a core.
        findings: What it brought up; the DAGs that did not make it are missing below.
        dags: In order of their ids.
    """

    path: str
    team: str
    seconds: float
    findings: tuple[Finding, ...] = ()
    dags: tuple[DagFacts, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FileFacts":
        """Make it again from what `to_json` returned, or what JSON made of that."""
        return cls(
            data["path"],
            data["team"],
            data["seconds"],
            tuple(Finding(**each) for each in data["findings"]),
            tuple(_dag(each) for each in data["dags"]),
        )


def _dag(data: Mapping[str, Any]) -> DagFacts:
    plain = {**data, "tasks": tuple(_task(each) for each in data["tasks"])}
    return DagFacts(**plain | {name: tuple(data[name]) for name in ("owners", "tags", "next_runs")})


def _task(data: Mapping[str, Any]) -> TaskFacts:
    return TaskFacts(**{**data} | {name: tuple(data[name]) for name in ("upstream", "files", "documents", "images")})
