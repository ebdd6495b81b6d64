"""The span of a Job, recorded into OpenTelemetry's own in-memory exporter."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cronlift.airflow import spans
from cronlift.airflow.spans import job_span

TRACE, PARENT = "84f0306ed5102a2488a80a8b50c4ddfe", "6276b455700b3d33"
JOB = {
    "metadata": {
        "namespace": "team-demo", "name": "a-x-3fa9c1d2e4", "uid": "u-1", "creationTimestamp": "2026-11-23T10:00:00Z",
    },
    "status": {"startTime": "2026-11-23T10:00:05Z", "completionTime": "2026-11-23T10:01:00Z"},
}  # fmt: skip
FAILED = [
    {"type": "FailureTarget", "status": "True", "lastTransitionTime": "2026-11-23T10:00:40Z"},
    {"type": "Failed", "status": "True", "lastTransitionTime": "2026-11-23T10:00:50Z"},
]


def task_instance(flags: str = "01", **more: Any) -> SimpleNamespace:
    carrier = {"traceparent": f"00-{TRACE}-{PARENT}-{flags}"}
    values = {"dag_id": "demo__a", "run_id": "manual__1", "task_id": "x", "map_index": -1, "try_number": 2}
    return SimpleNamespace(**(values | {"context_carrier": carrier} | more))


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Switch traces on, with a provider as Airflow makes one and an exporter that only keeps."""
    provider, exporter = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr("atexit.register", lambda *_: None)
    monkeypatch.setenv("AIRFLOW__TRACES__OTEL_ON", "True")
    spans._tracer.cache_clear()
    yield exporter
    spans._tracer.cache_clear()


def seconds(moment: int | None) -> datetime:
    assert moment is not None
    return datetime.fromtimestamp(moment / 1e9, UTC)


def test_span_has_the_jobs_times_names_and_parent(exported):
    job_span(task_instance(), JOB, "succeeded", "")
    (span,) = exported.get_finished_spans()
    assert span.name == "job.x"
    assert seconds(span.start_time) == datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
    assert seconds(span.end_time) == datetime(2026, 11, 23, 10, 1, 0, tzinfo=UTC)
    assert [(event.name, seconds(event.timestamp).second) for event in span.events] == [("job started", 5)]
    assert span.attributes == {
        "k8s.namespace.name": "team-demo", "k8s.job.name": "a-x-3fa9c1d2e4", "k8s.job.uid": "u-1",
        "airflow.dag_id": "demo__a", "airflow.dag_run.run_id": "manual__1", "airflow.task_id": "x",
        "airflow.task_instance.try_number": 2, "airflow.task_instance.map_index": -1, "cronlift.outcome": "succeeded",
    }  # fmt: skip
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert span.status.is_ok


def test_failed_job_ends_at_its_condition_and_says_why(exported):
    job_span(task_instance(), JOB | {"status": {"conditions": FAILED}}, "failed", "exit code 3")
    (span,) = exported.get_finished_spans()
    assert seconds(span.end_time) == datetime(2026, 11, 23, 10, 0, 50, tzinfo=UTC)
    assert (span.status.is_ok, span.status.description) == (False, "exit code 3")


def test_job_that_was_never_seen_to_end_ends_now(exported):
    before = datetime.now(UTC)
    job_span(task_instance(), {"metadata": JOB["metadata"]}, "failed", "it was deleted")
    (span,) = exported.get_finished_spans()
    assert seconds(span.end_time) >= before.replace(microsecond=0)


@pytest.mark.parametrize("job", [{}, {"metadata": None}, {"metadata": {"namespace": "team-demo"}}])
def test_job_that_never_was_has_no_span(exported, job):
    job_span(task_instance(), job, "failed", "the manifest is wrong")
    assert exported.get_finished_spans() == ()


def test_run_that_is_not_sampled_has_no_span(exported):
    """The DAG run decides for all of its spans."""
    job_span(task_instance(flags="00"), JOB, "succeeded", "")
    assert exported.get_finished_spans() == ()


def test_task_without_a_trace_context_begins_a_trace(exported):
    """And does not hang below the trigger's own span, which is another one after each take-over."""
    with trace.get_tracer_provider().get_tracer("airflow").start_as_current_span("trigger.x"):
        job_span(task_instance(context_carrier=None, map_index=None), JOB, "succeeded", "")
    span, _ = exported.get_finished_spans()
    assert span.name == "job.x"
    assert span.parent is None


def test_nothing_is_recorded_where_traces_are_off(exported, monkeypatch):
    monkeypatch.setenv("AIRFLOW__TRACES__OTEL_ON", "False")
    job_span(task_instance(), JOB, "succeeded", "")
    assert exported.get_finished_spans() == ()


def test_fault_is_a_warning_and_no_exception(exported, caplog):
    job_span(task_instance(), {"metadata": {"name": "a", "creationTimestamp": "yesterday"}}, "succeeded", "")
    assert [record.getMessage() for record in caplog.records] == ["Cannot record the span of a Job"]


def test_last_spans_are_sent_when_the_process_ends(exported, monkeypatch):
    registered: list[tuple[Any, ...]] = []
    monkeypatch.setattr("atexit.register", lambda *call: registered.append(call))
    job_span(task_instance(), JOB, "succeeded", "")
    job_span(task_instance(), JOB, "succeeded", "")
    ((flush, patience),) = registered
    assert flush.__self__ is trace.get_tracer_provider()
    assert patience == spans.FLUSH_PATIENCE_MILLISECONDS
