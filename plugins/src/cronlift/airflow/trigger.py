"""The trigger: where a task's Job is started, followed and ended, without a worker.

One process runs all triggers on one event loop, so nothing here may block it: importing the HTTP client, reading
credentials and rendering a template happen in threads. The module itself imports nothing that is heavy.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TaskFailedEvent, TaskSuccessEvent, TriggerEvent

from cronlift.airflow import settings
from cronlift.airflow.outcome import FINISH_IN_TRIGGERER, JobEvent
from cronlift.errors import CronliftError, JobFailedError
from cronlift.job.naming import TaskIdentity

if TYPE_CHECKING:
    from cronlift.cluster.life import JobLife, Result
    from cronlift.job.sources import Sources

# Airflow cancels a trigger at its timeout without calling on_kill (3.3.2), so we stop the Job a little earlier.
TIMEOUT_MARGIN = timedelta(seconds=5)


class JobTrigger(BaseTrigger):
    """Run one Job for one try of one task.

    Args:
        entry: Name of the manifest's template.
        files: Name -> source of every template.
        document: The manifest when the DAG gave a dict.
        delete_policy: Value of `DeletePolicy`.
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
        delete_policy: str = "on_success",
        finish: str = FINISH_IN_TRIGGERER,
        execution_timeout_seconds: float | None = None,
        retries: int = 0,
        rendered: Any = None,
        identity: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entry, self.files, self.document = entry, files or {}, document
        self.delete_policy, self.finish = delete_policy, finish
        self.execution_timeout_seconds = execution_timeout_seconds
        self.retries = retries
        self.rendered, self.identity = rendered, identity
        self._context: Mapping[str, Any] | None = None
        self._life: JobLife | None = None
        self._ended = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what it takes to make this trigger again."""
        return (
            "cronlift.airflow.trigger.JobTrigger",
            {
                "entry": self.entry,
                "files": self.files,
                "document": self.document,
                "delete_policy": self.delete_policy,
                "finish": self.finish,
                "execution_timeout_seconds": self.execution_timeout_seconds,
                "retries": self.retries,
                "rendered": self.rendered,
                "identity": self.identity,
            },
        )

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Keep the context for `run`: Airflow would render on the event loop, where one template can stop them all."""
        self._context = context

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Run the Job and yield exactly one event, whatever happens.

        An exception, or no event, would cost a worker that does nothing but fail the task (Airflow 3.3.2).
        """
        try:
            result = await self._run_job()
            event = self._event(result.outcome.value, result.job, result.message)
        except CronliftError as error:
            self.log.error(str(error))
            event = self._event("failed", self._job_reference(), str(error))
        except Exception as error:
            self.log.exception("The trigger failed by a fault of its own")
            event = self._event("failed", self._job_reference(), f"{type(error).__name__}: {error}")
        self._ended = True
        yield event

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

    async def _run_job(self) -> "Result":
        # aiohttp takes 0.4 s to import, which all triggers would wait for.
        hub_module = await asyncio.to_thread(importlib.import_module, "cronlift.cluster.hub")
        life_module = await asyncio.to_thread(importlib.import_module, "cronlift.cluster.life")
        identity = self._read_identity()
        team = settings.team_of(identity.dag_id, settings.read_teams())
        job = await asyncio.to_thread(self._make_job, identity, team)
        self._forget_dag()
        self._warn_of_both_retries(job)
        hub = hub_module.hub()
        client = await hub.client(team.launcher)
        watch = hub.watch(client, team.namespace, _selector(identity))
        policy = life_module.DeletePolicy(self.delete_policy)
        self._life = life_module.JobLife(client, watch, job, identity, policy, self._task_log(), self._deadline())
        try:
            result: Result = await self._life.run()
            return result
        finally:
            if self.trigger_id is None:
                await hub.close()  # dag.test(): this event loop ends with the task

    def _make_job(self, identity: TaskIdentity, team: settings.Team) -> dict[str, Any]:
        """Render and build; in a thread."""
        from cronlift.airflow.render import make_job, render_manifest

        sources = self._sources()
        rendered = self.rendered
        if rendered is None:
            if self._context is None:
                raise JobFailedError("The trigger has no template context, so it cannot render the manifest.")
            rendered = render_manifest(sources, self._context)
        return make_job(rendered, sources, identity, team, self.execution_timeout_seconds)

    def _sources(self) -> "Sources":
        from cronlift.job.sources import Sources

        return Sources(self.entry, self.files, self.document)

    def _read_identity(self) -> TaskIdentity:
        if self.identity is not None:
            return TaskIdentity(**self.identity)
        task_instance = self.task_instance
        if task_instance is None:
            raise JobFailedError("The trigger belongs to no task instance.")
        return TaskIdentity(
            deployment=settings.read_deployment(),
            dag_id=task_instance.dag_id,
            run_id=task_instance.run_id,
            task_id=task_instance.task_id,
            map_index=task_instance.map_index if task_instance.map_index is not None else -1,
            try_number=task_instance.try_number,
        )

    def _warn_of_both_retries(self, job: dict[str, Any]) -> None:
        limit = job["spec"].get("backoffLimit")
        if self.retries and limit:
            self.log.warning(
                f"The task has retries={self.retries} and its Job backoffLimit: {limit}, which multiply. "
                "Leave backoffLimit out to let Airflow count the attempts."
            )

    def _forget_dag(self) -> None:
        """Drop the context, and with it the copy of the whole DAG that Airflow gives to each waiting trigger."""
        self._context = None

    def _deadline(self) -> datetime | None:
        if self.timeout_after is None:
            return None
        moment = self.timeout_after if self.timeout_after.tzinfo else self.timeout_after.replace(tzinfo=UTC)
        return moment - TIMEOUT_MARGIN

    def _event(self, outcome: str, job: str, message: str) -> TriggerEvent:
        if self.finish != FINISH_IN_TRIGGERER:
            return TriggerEvent(JobEvent(outcome, job, message).to_payload())  # type: ignore[no-untyped-call]
        if outcome == "succeeded":
            return TaskSuccessEvent()
        return TaskFailedEvent()

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

    def _task_log(self) -> "_TriggerLog":
        return _TriggerLog(self.log)


class _TriggerLog:
    """A task's log, by way of the trigger's logger."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def info(self, text: str) -> None:
        self._log.info(text)

    def warning(self, text: str) -> None:
        self._log.warning(text)

    def error(self, text: str) -> None:
        self._log.error(text)

    def output(self, moment: datetime, text: str) -> None:
        self._log.info(text, timestamp=moment.isoformat(), logger="job")


def _selector(identity: TaskIdentity) -> str:
    from cronlift.job.naming import selector

    return selector(identity.deployment)
