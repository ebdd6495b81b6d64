"""What an imported line becomes, before it is written: all that its manifest and its DAG say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_RESOURCES: Mapping[str, Mapping[str, str]] = {
    "requests": {"cpu": "50m", "memory": "64Mi"},
    "limits": {"cpu": "1", "memory": "512Mi"},
}
"""A crontab does not say what a job needs; these let small scripts run and are put right in decisions.yaml."""

OVERLAPPING_RUNS = 16
"""Cron lets runs overlap without a bound; a bound keeps a job that hangs from filling the cluster."""


@dataclass(frozen=True)
class JobSpecification:
    """One DAG with its Job.

    Args:
        dag_id: DAG id; also names the manifest.
        group: Of its source file.
        where: `file:line`.
        schedule_python: The expression for `schedule=`.
        command: What `SHELL -c` gets.
        stdin: What it reads; None for an empty input.
        environment: The tab's variables.
        options: For cronrun; see docs/cronrun.md.
        uid: Runs as.
        gid: With this group.
        secrets: Variable -> name and key of a Secret.
        volumes: Path -> name of a PersistentVolumeClaim, or "scratch".
        resources: Of the container.
        max_active_runs: Of the DAG.
        notes: What the manifest says above itself, a line each.
        doc: The DAG's documentation, Markdown.
        tags: Of the DAG.
    """

    dag_id: str
    group: str
    where: str
    schedule_python: str
    command: str
    stdin: str | None
    environment: Mapping[str, str]
    options: Mapping[str, Any]
    uid: int
    gid: int
    secrets: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: DEFAULT_RESOURCES)
    max_active_runs: int = OVERLAPPING_RUNS
    notes: tuple[str, ...] = ()
    doc: str = ""
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the DAG id without its team: the name of the manifest, and the job id that cronrun gets."""
        return self.dag_id.partition("__")[2]

    @property
    def manifest(self) -> str:
        """Return the manifest's path, relative to the DAG file."""
        return f"jobs/{self.group}/{self.name}.yaml"
