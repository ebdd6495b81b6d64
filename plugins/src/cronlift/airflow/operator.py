"""The operator that DAG files use. It must import in milliseconds: the DAG processor imports it again and again."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import FrameType, NoneType
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.operator import BaseOperator

from cronlift.airflow.arguments import check_arguments, check_values
from cronlift.airflow.outcome import JobEvent
from cronlift.airflow.trigger_arguments import without_defaults
from cronlift.airflow.worker import finish_of, reasons_to_start_in_worker
from cronlift.errors import JobFailedError

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from cronlift.job.sources import Sources

TRIGGER_PATH = "cronlift.airflow.trigger.JobTrigger"
_NEXT_METHOD = "execute_complete"


class KubernetesJobOperator(BaseOperator):
    """Run a Kubernetes Job and wait for it without a worker.

    Args:
        manifest: The Job: a path relative to the DAG file (then to the DAG's template_searchpath), YAML text, or a
            dict. ConfigMaps, Secrets and PersistentVolumeClaims may stand beside it. Jinja with Airflow's context works
            in all three; `{{ images.NAME }}` is the deployment's image of that name, `{{ job_name }}` the Job's name.
        values: More names for the manifest's Jinja, `{{ NAME }}`. May hold results of other tasks, and be mapped over:
            `.partial(...).expand(values=[...])`.
        templated: False for a manifest that is plain YAML, where `{{` and `{%` are the command's own. Only an image
            that is written `{{ images.NAME }}` is filled in then.
        cluster: One of the deployment's other clusters; None for its own.
        delete_policy: When Kubernetes removes the finished Job, five minutes after its end: "on_success" (default),
            "on_failure", "always" or "never".
        start_timeout: Fail when no container has started after so long; time in a queue does not count. None: wait.
        result_from: Where the task's result comes from, as JSON: "termination_message" (4 KiB), "log" (lines that
            begin with `cronlift-result: `, 1 MiB), or None for no result.
        logs: "live" (default), or "off" when a log system keeps them.
        tail_lines: Show only so many last lines of each container.
        tail_every: Show them each so often, and not only at the end.
        log_manifest: Write what was created into the task's log, with the values of Secrets and variables masked.
        more: Whatever every operator takes. `execution_timeout` stops the Job. `retries` makes a new Job for each try.

    Raises:
        OperatorArgumentError: An argument is wrong; the DAG does not import.

    Example:
        ```python
        KubernetesJobOperator(task_id="export", manifest="jobs/export.yaml")
        ```
    """

    ui_color = "#d6e9ff"
    template_fields: Sequence[str] = ("values",)

    def __init__(
        self,
        *,
        manifest: str | dict[str, Any],
        values: dict[str, Any] | None = None,
        templated: bool = True,
        cluster: str | None = None,
        delete_policy: str = "on_success",
        start_timeout: timedelta | None = None,
        result_from: str | None = None,
        logs: str = "live",
        tail_lines: int | None = None,
        tail_every: timedelta | None = None,
        log_manifest: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        check_arguments(
            self.task_id,
            manifest=manifest,
            cluster=cluster,
            delete_policy=delete_policy,
            start_timeout=start_timeout,
            result_from=result_from,
            logs=logs,
            tail_lines=tail_lines,
            tail_every=tail_every,
            templated=templated,
            values=values,
        )
        self._defined_at = _definition_place()
        self.manifest, self.values, self.templated, self.cluster = manifest, values, templated, cluster
        self.delete_policy, self.start_timeout, self.result_from = delete_policy, start_timeout, result_from
        self.logs, self.tail_lines, self.tail_every = logs, tail_lines, tail_every
        self.log_manifest, self._mapped_over = log_manifest, False
        self.start_from_trigger = not reasons_to_start_in_worker(self)
        if self.start_from_trigger:
            check_values(self.task_id, values)
        self.start_trigger_args = self._trigger_args(None) if self.start_from_trigger else None

    def resolve_template_files(self) -> None:
        """Collect and check the manifest's sources; the DAG processor calls this where the files are.

        An error here is an import error of the DAG.
        """
        from cronlift.airflow.checks import check_cluster, collect_and_check

        asked_by = f"{self._defined_at}: task {self.task_id}" if self._defined_at else f"task {self.task_id}"
        check_cluster(self.cluster, asked_by)
        sources = collect_and_check(
            self.manifest,
            self._folders(),
            asked_by,
            self.dag_id,
            self._names(),
            self.retries or 0,
            templated=self.templated,
        )
        if self.result_from:
            from cronlift.airflow.xcoms import is_mapped_over

            self._mapped_over = is_mapped_over(self)
        # By now the task belongs to its DAG for certain, whose settings may need a worker.
        self.start_from_trigger = not reasons_to_start_in_worker(self)
        self.start_trigger_args = self._trigger_args(sources) if self.start_from_trigger else None

    def execute(self, context: "Context") -> None:
        """Render here and defer: for mapped tasks, `dag.test()`, and tasks that need a worker to start."""
        from dataclasses import asdict

        from cronlift.airflow.identity import identity_of
        from cronlift.airflow.render import render_manifest
        from cronlift.airflow.trigger import JobTrigger

        check_values(self.task_id, self.values)
        sources = self._collect()
        identity = identity_of(context["ti"])
        dag = self.get_dag()
        macros = (dag.user_defined_macros or {}) if dag is not None else {}
        rendered = render_manifest(sources, {**macros, **context}, identity, self.values or {})
        # Airflow 3.3.2 does not apply execution_timeout to a task that defers itself.
        self.defer(
            trigger=JobTrigger(**self._trigger_kwargs(sources), rendered=rendered, identity=asdict(identity)),
            method_name=_NEXT_METHOD,
            timeout=self.execution_timeout,
        )

    def execute_complete(self, context: "Context", event: Any) -> Any:
        """Finish on a worker what the trigger has brought to an end.

        Returns:
            The Job's result, which Airflow stores as the task's; None without one.

        Raises:
            JobFailedError: The Job failed.
            AirflowFailException: It failed in a way that its podFailurePolicy says not to repeat.
        """
        ended = JobEvent.from_payload(event)
        if ended.outcome == "failed" and not ended.may_retry:
            from airflow.sdk.exceptions import AirflowFailException

            raise AirflowFailException(ended.message)
        if ended.outcome == "failed":
            raise JobFailedError(ended.message)
        self.log.info("Job %s succeeded", ended.job)
        return ended.value

    def _names(self) -> set[str] | None:
        """Return the names that this task's manifest knows besides Airflow's; None when only the run will tell."""
        if not isinstance(self.values, (dict, NoneType)):
            return None  # another task's result
        dag = self.get_dag()
        return {*(self.values or {}), *((dag.user_defined_macros or {}) if dag is not None else {})}

    def _collect(self) -> "Sources":
        from cronlift.job.sources import collect

        return collect(self.manifest, self._folders(), templated=self.templated)

    def _folders(self) -> list[Path]:
        """Return where manifests are looked up: beside the DAG file, then in the DAG's template_searchpath."""
        dag = self.get_dag()
        if dag is None:
            return []
        more = dag.template_searchpath or ()
        return [Path(dag.folder), *(Path(each) for each in ([more] if isinstance(more, str) else more))]

    def _trigger_kwargs(self, sources: "Sources | None") -> dict[str, Any]:
        arguments = {
            "entry": sources.entry if sources else "",
            "files": sources.files if sources else {},
            "document": sources.document if sources else None,
            "values": self.values if self.start_from_trigger else None,
            "templated": self.templated,
            "cluster": self.cluster,
            "delete_policy": self.delete_policy,
            "start_timeout_seconds": _seconds(self.start_timeout),
            "result_from": self.result_from if self.do_xcom_push else None,
            "mapped_over": self._mapped_over,
            "logs": self.logs,
            "tail_lines": self.tail_lines,
            "tail_every_seconds": _seconds(self.tail_every),
            "log_manifest": self.log_manifest,
            "finish": finish_of(self),
            "execution_timeout_seconds": _seconds(self.execution_timeout),
            "retries": self.retries or 0,
        }
        return without_defaults(arguments)

    def _trigger_args(self, sources: "Sources | None") -> Any:
        # An instance attribute: Airflow 3.3.2 cannot serialize a property, and a class attribute would make mapped
        # tasks succeed without running anything.
        from airflow.triggers.base import StartTriggerArgs

        return StartTriggerArgs(
            trigger_cls=TRIGGER_PATH, next_method=_NEXT_METHOD, trigger_kwargs=self._trigger_kwargs(sources)
        )


def _seconds(duration: timedelta | None) -> float | None:
    return duration.total_seconds() if duration is not None else None


def _definition_place() -> str:
    """Return `file:line` of the call in the DAG file, for faults that have no file of their own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(("airflow.", "cronlift.")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""
