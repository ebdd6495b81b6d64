"""The operator that DAG files use. It must import in milliseconds: the DAG processor imports it again and again."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operator import BaseOperator

from cronlift.airflow.outcome import FINISH_IN_TRIGGERER, FINISH_IN_WORKER, JobEvent
from cronlift.errors import JobFailedError, OperatorArgumentError

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from cronlift.job.sources import Sources

DELETE_POLICIES = ("on_success", "on_failure", "always", "never")
TRIGGER_PATH = "cronlift.airflow.trigger.JobTrigger"
_NEXT_METHOD = "execute_complete"


class KubernetesJobOperator(BaseOperator):
    """Run a Kubernetes Job and wait for it without a worker.

    Args:
        manifest: The Job: a path relative to the DAG file (then to the DAG's template_searchpath), YAML text, or a
            dict. Jinja with Airflow's context works in all three, and `{{ images.NAME }}` is the deployment's image of
            that name.
        delete_policy: When Kubernetes removes the finished Job, five minutes after its end: "on_success" (default),
            "on_failure", "always" or "never".
        more: Whatever every operator takes. `execution_timeout` stops the Job. `retries` makes a new Job for each try.

    Raises:
        OperatorArgumentError: An argument is wrong; the DAG does not import.

    Example:
        ```python
        KubernetesJobOperator(task_id="export", manifest="jobs/export.yaml")
        ```
    """

    ui_color = "#d6e9ff"
    template_fields: Sequence[str] = ()

    def __init__(self, *, manifest: str | dict[str, Any], delete_policy: str = "on_success", **more: Any) -> None:
        super().__init__(**more)
        _check_manifest(self.task_id, manifest)
        if delete_policy not in DELETE_POLICIES:
            raise OperatorArgumentError(
                f"Task {self.task_id}: delete_policy is {delete_policy!r}. "
                f"Use one of {', '.join(map(repr, DELETE_POLICIES))}."
            )
        self._defined_at = _definition_place()
        self.manifest = manifest
        self.delete_policy = delete_policy
        self.start_from_trigger = not self._reasons_to_start_in_worker()
        self.start_trigger_args = self._trigger_args(None) if self.start_from_trigger else None

    def resolve_template_files(self) -> None:
        """Collect and check the manifest's sources; the DAG processor calls this where the files are.

        An error here is an import error of the DAG.
        """
        from cronlift.airflow.checks import collect_and_check

        asked_by = f"{self._defined_at}: task {self.task_id}" if self._defined_at else f"task {self.task_id}"
        sources = collect_and_check(self.manifest, self._folders(), asked_by)
        if self.start_from_trigger:
            self.start_trigger_args = self._trigger_args(sources)

    def execute(self, context: "Context") -> None:
        """Render here and defer: for mapped tasks, `dag.test()`, and tasks that a pool must bound."""
        from cronlift.airflow import settings
        from cronlift.airflow.render import render_manifest
        from cronlift.airflow.trigger import JobTrigger

        sources = self._collect()
        task_instance = context["ti"]
        identity = {
            "deployment": settings.read_deployment(),
            "dag_id": task_instance.dag_id,
            "run_id": task_instance.run_id,
            "task_id": task_instance.task_id,
            "map_index": task_instance.map_index if task_instance.map_index is not None else -1,
            "try_number": task_instance.try_number,
        }
        rendered = render_manifest(sources, dict(context))
        # Airflow 3.3.2 does not apply execution_timeout to a task that defers itself.
        self.defer(
            trigger=JobTrigger(**self._trigger_kwargs(sources), rendered=rendered, identity=identity),
            method_name=_NEXT_METHOD,
            timeout=self.execution_timeout,
        )

    def execute_complete(self, context: "Context", event: Any) -> None:
        """Finish on a worker what the trigger has brought to an end.

        Raises:
            JobFailedError: The Job failed.
        """
        ended = JobEvent.from_payload(event)
        if ended.outcome == "failed":
            raise JobFailedError(ended.message)
        self.log.info("Job %s succeeded", ended.job)

    def _collect(self) -> "Sources":
        from cronlift.job.sources import collect

        return collect(self.manifest, self._folders())

    def _folders(self) -> list[Path]:
        """Return where manifests are looked up: beside the DAG file, then in the DAG's template_searchpath."""
        dag = self.get_dag()
        if dag is None:
            return []
        more = dag.template_searchpath or ()
        return [Path(dag.folder), *(Path(each) for each in ([more] if isinstance(more, str) else more))]

    def _trigger_kwargs(self, sources: "Sources | None") -> dict[str, Any]:
        limit: timedelta | None = self.execution_timeout
        return {
            "entry": sources.entry if sources else "",
            "files": sources.files if sources else {},
            "document": sources.document if sources else None,
            "delete_policy": self.delete_policy,
            "finish": FINISH_IN_WORKER if self._reasons_to_finish_in_worker() else FINISH_IN_TRIGGERER,
            "execution_timeout_seconds": limit.total_seconds() if limit is not None else None,
            "retries": self.retries or 0,
        }

    def _trigger_args(self, sources: "Sources | None") -> Any:
        # An instance attribute: Airflow 3.3.2 cannot serialize a property, and a class attribute would make mapped
        # tasks succeed without running anything.
        from airflow.triggers.base import StartTriggerArgs

        return StartTriggerArgs(
            trigger_cls=TRIGGER_PATH, next_method=_NEXT_METHOD, trigger_kwargs=self._trigger_kwargs(sources)
        )

    def _reasons_to_start_in_worker(self) -> list[str]:
        """Name what only works when the task starts on a worker (Airflow 3.3.2)."""
        found = []
        if self.pool != "default_pool" or self.pool_slots != 1:
            found.append("pool")
        if self.max_active_tis_per_dag is not None or self.max_active_tis_per_dagrun is not None:
            found.append("max_active_tis")
        if self.on_execute_callback:
            found.append("on_execute_callback")
        return found

    def _reasons_to_finish_in_worker(self) -> list[str]:
        """Name what only works when the task ends on a worker (Airflow 3.3.2)."""
        found = [name for name in ("outlets", "on_success_callback", "email") if getattr(self, name, None)]
        if getattr(self, "retry_policy", None) is not None:
            found.append("retry_policy")
        dag = self.get_dag()
        if dag is not None and getattr(dag, "fail_fast", False):
            found.append("fail_fast")
        return found


def _definition_place() -> str:
    """Return `file:line` of the call in the DAG file, for faults that have no file of their own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(("airflow.", "cronlift.")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""


def _check_manifest(task_id: str, manifest: Any) -> None:
    example = 'manifest="jobs/export.yaml"'
    if not isinstance(manifest, (str, dict)):
        raise OperatorArgumentError(
            f"Task {task_id}: manifest is a {type(manifest).__name__}. Give a path, YAML text or a dict: {example}."
        )
    if not manifest or (isinstance(manifest, str) and not manifest.strip()):
        raise OperatorArgumentError(f"Task {task_id}: manifest is empty. Give a path, YAML text or a dict: {example}.")
    if isinstance(manifest, str) and "\n" not in manifest.strip():
        from cronlift.job.sources import FILE_SUFFIXES, is_path

        if not is_path(manifest) and ":" not in manifest and "{" not in manifest:
            raise OperatorArgumentError(
                f"Task {task_id}: manifest {manifest!r} is neither YAML nor a path that ends in "
                f"{', '.join(FILE_SUFFIXES)}. Write it like {example}."
            )
