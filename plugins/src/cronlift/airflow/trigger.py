"""The trigger: where a task's Job is started, followed and ended, without a worker.

One process runs all triggers on one event loop, so nothing here may block it: importing the HTTP client, reading
credentials and rendering a template happen in threads. The module itself imports nothing that is heavy.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator, MutableMapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TaskFailedEvent, TaskSuccessEvent, TriggerEvent

from cronlift.airflow import dag_copy, settings
from cronlift.airflow.identity import identity_of
from cronlift.airflow.outcome import FINISH_IN_TRIGGERER, JobEvent
from cronlift.airflow.task_log import TaskLog
from cronlift.airflow.trigger_arguments import without_defaults
from cronlift.errors import CronliftError, JobFailedError
from cronlift.job.naming import TaskIdentity, selector
from cronlift.job.sources import texts_in

if TYPE_CHECKING:
    from cronlift.cluster.hub import Hub
    from cronlift.cluster.life import JobLife, LifeOptions, Result
    from cronlift.job.objects import Objects
    from cronlift.job.sources import Sources

# Airflow cancels a trigger at its timeout without calling on_kill (3.3.2), so we stop the Job a little earlier; a short
# timeout by a third of itself.
TIMEOUT_MARGIN = timedelta(seconds=5)
_modules: dict[str, Any] = {}


class JobTrigger(BaseTrigger):
    """Run one Job for one try of one task.

    Args:
        entry: Name of the manifest's template.
        files: Name -> source of every template.
        document: The manifest when the DAG gave a dict.
        values: More names for the templates; None when a worker rendered them.
        templated: Whether the manifest is Jinja.
        cluster: Name of another cluster; None for the own one.
        delete_policy: Value of `DeletePolicy`.
        start_timeout_seconds: The task's start_timeout; None for none.
        result_from: Value of `ResultSource`; None for no result.
        mapped_over: Whether a later task expands over the result.
        logs: "live" or "off".
        tail_lines: Show only so many last lines; None for all.
        tail_every_seconds: Show them each so often; None for at the end.
        log_manifest: Whether the masked manifest goes into the task's log.
        finish: Where the task ends: "triggerer", or "worker" when something needs one.
        execution_timeout_seconds: The task's execution_timeout; None for none.
        retries: The task's retries, to warn when the Job retries as well.
        rendered: The manifest as a worker rendered it, when the task was started there (mapped tasks, `dag.test()`).
        identity: The try, when a worker started the task; in the triggerer it comes from the task instance.
    """

    timeout_after: datetime | None = None

    def __init__(
        self,
        *,
        entry: str,
        files: dict[str, str] | None = None,
        document: dict[str, Any] | None = None,
        values: dict[str, Any] | None = None,
        templated: bool = True,
        cluster: str | None = None,
        delete_policy: str = "on_success",
        start_timeout_seconds: float | None = None,
        result_from: str | None = None,
        mapped_over: bool = False,
        logs: str = "live",
        tail_lines: int | None = None,
        tail_every_seconds: float | None = None,
        log_manifest: bool = False,
        finish: str = FINISH_IN_TRIGGERER,
        execution_timeout_seconds: float | None = None,
        retries: int = 0,
        rendered: Any = None,
        identity: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entry, self.files, self.document, self.values = entry, files or {}, document, values
        self.templated = templated
        self.cluster, self.delete_policy, self.finish = cluster, delete_policy, finish
        self.start_timeout_seconds, self.execution_timeout_seconds = start_timeout_seconds, execution_timeout_seconds
        self.result_from, self.mapped_over, self.log_manifest = result_from, mapped_over, log_manifest
        self.logs, self.tail_lines, self.tail_every_seconds = logs, tail_lines, tail_every_seconds
        self.retries, self.rendered, self.identity = retries, rendered, identity
        self._context: MutableMapping[str, Any] | None = None
        self._life: JobLife | None = None
        self._lines: TaskLog | None = None
        self._ended = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what it takes to make this trigger again."""
        names = (
            *("entry", "files", "document", "values", "templated", "cluster", "delete_policy"),
            "start_timeout_seconds",
            *("result_from", "mapped_over", "logs", "tail_lines", "tail_every_seconds", "log_manifest", "finish"),
            *("execution_timeout_seconds", "retries", "rendered", "identity"),
        )
        arguments = {name: getattr(self, name) for name in names}
        return "cronlift.airflow.trigger.JobTrigger", without_defaults(arguments)

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Keep the context for `run`: Airflow would render on the event loop, where one template can stop them all."""
        self._context = context
        templates = (*self.files.values(), *texts_in(self.document), *texts_in(self.values))
        # Without a trigger id this is `dag.test()`, whose DAG is the only one.
        if self.trigger_id is not None and not dag_copy.reaches_other_tasks(templates):
            dag_copy.take_apart(context.get("task"))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Run the Job and yield exactly one event, whatever happens.

        An exception, or no event, would cost a worker that does nothing but fail the task (Airflow 3.3.2).
        """
        try:
            result = await self._run_job()
            if result.has_value and self._ends_here(may_retry=True):
                await self._push(result.value)
            ended = JobEvent(result.outcome.value, result.job, result.message, result.value, result.may_retry)
        except CronliftError as error:
            self.log.error(str(error))
            ended = JobEvent("failed", self._job_reference(), str(error))
        except Exception as error:
            self.log.exception("The trigger failed by a fault of its own")
            ended = JobEvent("failed", self._job_reference(), f"{type(error).__name__}: {error}")
        self._record_span(ended)
        self._ended = True
        # Why a task failed must not be lost; that it succeeded, its state says too.
        await self._task_log().delivered(output_only=ended.outcome == "succeeded")
        yield self._event(ended)

    async def on_kill(self) -> None:
        """Delete the Job when a user stopped the task, and only then.

        Airflow 3.3.2 also calls this when another triggerer takes over, and then the task is still deferred.
        """
        if self._ended or self._life is None:
            return
        state = await self._task_state()
        if state == "deferred":
            self.log.info("The task goes on in another triggerer, and its Job with it")
            return
        await self._life.kill()
        self._record_span(JobEvent("failed", self._job_reference(), "the task was stopped"))
        await self._task_log().delivered()

    async def _run_job(self) -> "Result":
        hub_module = await _imported("cronlift.cluster.hub")
        life_module = await _imported("cronlift.cluster.life")
        identity = self._read_identity()
        team = settings.team_of(identity.dag_id, settings.read_teams())
        objects = await asyncio.to_thread(self._make_objects, identity, team)
        self._forget_dag()
        self._warn_of_both_retries(objects.job)
        if self.result_from and self._ends_here(may_retry=True):
            from cronlift.airflow.xcoms import forget_result

            await forget_result(self.task_instance)
        if self.log_manifest:
            await asyncio.to_thread(self._write_manifest, objects)
        hub: Hub = hub_module.hub(_make_hub)
        hub.memory.note_start()
        client = await hub.client(team.launcher, self.cluster)
        watch = hub.watch(client, team.namespace, selector(identity.deployment), self.cluster)
        self._life = life_module.JobLife(
            client, watch, objects, identity, self._options(), self._task_log(), self._deadline(), hub.metrics
        )
        try:
            result: Result = await self._life.run()
            return result
        finally:
            if self.trigger_id is None:
                await hub.close()  # dag.test(): this event loop ends with the task

    def _task_log(self) -> TaskLog:
        if self._lines is None:
            self._lines = TaskLog(self.log)
        return self._lines

    def _options(self) -> "LifeOptions":
        from cronlift.cluster.life import DeletePolicy, LifeOptions
        from cronlift.job.result import ResultSource

        return LifeOptions(
            delete_policy=DeletePolicy(self.delete_policy),
            start_timeout_seconds=self.start_timeout_seconds,
            result_from=ResultSource(self.result_from) if self.result_from else None,
            logs=self.logs != "off",
            tail_lines=self.tail_lines,
            tail_every_seconds=self.tail_every_seconds,
        )

    def _make_objects(self, identity: TaskIdentity, team: settings.Team) -> "Objects":
        """Render and build; in a thread."""
        from cronlift.airflow.render import make_objects, render_manifest, render_values

        sources = self._sources()
        rendered = self.rendered
        if rendered is None:
            if self._context is None:
                raise JobFailedError("The trigger has no template context, so it cannot render the manifest.")
            values = render_values(self.values or {}, self._context, identity)
            rendered = render_manifest(sources, self._context, identity, values)
        return make_objects(rendered, sources, identity, team, self.execution_timeout_seconds)

    def _write_manifest(self, objects: "Objects") -> None:
        from cronlift.job.masking import masked_yaml

        for line in masked_yaml(objects).splitlines():
            self.log.info(line)

    def _sources(self) -> "Sources":
        from cronlift.job.sources import Sources

        return Sources(self.entry, self.files, self.document, templated=self.templated)

    def _read_identity(self) -> TaskIdentity:
        if self.identity is not None:
            return TaskIdentity(**self.identity)
        if self.task_instance is None:
            raise JobFailedError("The trigger belongs to no task instance.")
        return identity_of(self.task_instance)

    def _warn_of_both_retries(self, job: dict[str, Any]) -> None:
        limit = job["spec"].get("backoffLimit")
        if self.retries and limit:
            self.log.warning(
                f"The task has retries={self.retries} and its Job backoffLimit: {limit}, which multiply. "
                "Leave backoffLimit out to let Airflow count the attempts."
            )

    def _forget_dag(self) -> None:
        if self._context is not None:
            dag_copy.forget(self._context, self.task_instance)
            self._context = None

    def _deadline(self) -> datetime | None:
        if self.timeout_after is None:
            return None
        moment = self.timeout_after if self.timeout_after.tzinfo else self.timeout_after.replace(tzinfo=UTC)
        if self.execution_timeout_seconds is None:
            return moment - TIMEOUT_MARGIN
        return moment - min(TIMEOUT_MARGIN, timedelta(seconds=self.execution_timeout_seconds) / 3)

    def _event(self, ended: JobEvent) -> TriggerEvent:
        """Say the end to Airflow: as the task's end itself, or to a worker where one is needed."""
        if not self._ends_here(may_retry=ended.outcome == "succeeded" or ended.may_retry):
            return TriggerEvent(ended.to_payload())  # type: ignore[no-untyped-call]
        return TaskSuccessEvent() if ended.outcome == "succeeded" else TaskFailedEvent()

    def _ends_here(self, *, may_retry: bool) -> bool:
        """Tell whether the triggerer writes the task's end.

        Without a trigger id this is `dag.test()`, which has no triggerer; and only a worker can fail a task for good.
        """
        return self.finish == FINISH_IN_TRIGGERER and self.trigger_id is not None and (may_retry or not self.retries)

    async def _push(self, value: Any) -> None:
        from cronlift.airflow.xcoms import push_result

        # Not TaskSuccessEvent(xcoms=...), which encodes twice (Airflow 3.3.2).
        await push_result(self.task_instance, value, mapped_over=self.mapped_over)

    def _record_span(self, ended: JobEvent) -> None:
        if self._life is not None and self.task_instance is not None:
            from cronlift.airflow.spans import job_span

            job_span(self.task_instance, self._life.last_seen, ended.outcome, ended.message)

    def _job_reference(self) -> str:
        return f"{self._life.namespace}/{self._life.name}" if self._life is not None else ""

    async def _task_state(self) -> str:
        """Ask Airflow for the task instance's state; "deferred" when it cannot be told, so that no Job is lost."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        identity = self._read_identity()
        try:
            states = await asyncio.to_thread(
                RuntimeTaskInstance.get_task_states,
                dag_id=identity.dag_id,
                map_index=identity.map_index if identity.map_index >= 0 else None,
                task_ids=[identity.task_id],
                run_ids=[identity.run_id],
            )
        except Exception:
            self.log.exception("Cannot read the task's state, so its Job is left alone; the sweeper will find it")
            return "deferred"
        found = states.get(identity.run_id) or {}
        return str(next(iter(found.values()), "removed"))


async def _imported(name: str) -> Any:
    """Import a module in a thread, the first time: aiohttp takes 0.4 s, which all triggers would wait for."""
    if name not in _modules:
        _modules[name] = await asyncio.to_thread(importlib.import_module, name)
    return _modules[name]


def _make_hub() -> "Hub":
    """Make what all triggers of this process share."""
    from cronlift.airflow.metrics import AirflowMetrics
    from cronlift.cluster.config import load_kubeconfig
    from cronlift.cluster.hub import Hub

    clusters = settings.read_clusters()
    configs = {name: partial(load_kubeconfig, each.kubeconfig, each.context or None) for name, each in clusters.items()}
    return Hub(configs=configs, metrics=AirflowMetrics())
