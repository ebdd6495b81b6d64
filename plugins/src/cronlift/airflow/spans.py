"""A trace span for each Job, below its task's, when Airflow's `[traces] otel_on` is set.

It is recorded once, at the end, from the Job's own times: whoever sees a Job end can do so, also a triggerer that took
over in the middle. Airflow 3.3.2 has set the exporter up before the triggers' process was forked; it restarts itself.
"""

import atexit
import functools
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

# The process that runs triggers leaves without Airflow's own flush at the exit; a collector that is away may not hold
# it up.
FLUSH_PATIENCE_MILLISECONDS = 2000

log = logging.getLogger(__name__)


def job_span(task_instance: Any, job: Mapping[str, Any], outcome: str, message: str) -> None:
    """Record a Job's span; does nothing where traces are off, and never raises.

    Args:
        task_instance: Airflow's; its trace context becomes the parent.
        job: The Job as last seen. Times that it lacks are taken as now; without a name, there was none, and no span.
        outcome: "succeeded" or "failed".
        message: Why it failed; empty otherwise.
    """
    try:
        created = bool((job.get("metadata") or {}).get("name"))
        if created and conf.getboolean("traces", "otel_on", fallback=False):
            _record(task_instance, job, outcome, message)
    except Exception:
        log.warning("Cannot record the span of a Job", exc_info=True)


def _record(task_instance: Any, job: Mapping[str, Any], outcome: str, message: str) -> None:
    from opentelemetry.trace import Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    metadata, status = job.get("metadata") or {}, job.get("status") or {}
    now = datetime.now(UTC)
    created = _moment(metadata.get("creationTimestamp")) or _moment(status.get("startTime")) or now
    carrier = getattr(task_instance, "context_carrier", None)
    span = _tracer().start_span(
        f"job.{task_instance.task_id}",
        # An empty context, not None: that would be the trigger's own span, which begins anew at each take-over.
        context=TraceContextTextMapPropagator().extract(carrier or {}, context=_no_context()),
        start_time=_nanoseconds(created),
        attributes={
            "k8s.namespace.name": str(metadata.get("namespace", "")),
            "k8s.job.name": str(metadata.get("name", "")),
            "k8s.job.uid": str(metadata.get("uid", "")),
            "airflow.dag_id": str(task_instance.dag_id),
            "airflow.dag_run.run_id": str(task_instance.run_id),
            "airflow.task_id": str(task_instance.task_id),
            "airflow.task_instance.try_number": int(task_instance.try_number),
            "airflow.task_instance.map_index": -1 if task_instance.map_index is None else task_instance.map_index,
            "cronlift.outcome": outcome,
        },
    )
    started = _moment(status.get("startTime"))
    if started is not None:
        span.add_event("job started", timestamp=_nanoseconds(started))
    span.set_status(Status(StatusCode.OK) if outcome == "succeeded" else Status(StatusCode.ERROR, message))
    span.end(_nanoseconds(max(created, _end(status) or now)))


@functools.cache
def _tracer() -> "Tracer":
    """Return this process's tracer, and have its last spans sent when the process ends."""
    from opentelemetry import trace

    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        atexit.register(flush, FLUSH_PATIENCE_MILLISECONDS)
    return trace.get_tracer("cronlift")


def _no_context() -> Any:
    from opentelemetry.context import Context

    return Context()


def _end(status: Mapping[str, Any]) -> datetime | None:
    """Return when a Job ended; only a successful one has a completionTime."""
    ends = [
        each.get("lastTransitionTime")
        for each in status.get("conditions") or ()
        if each.get("type") in ("Complete", "Failed") and each.get("status") == "True"
    ]
    return _moment(status.get("completionTime")) or _moment(ends[0] if ends else None)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000_000)
