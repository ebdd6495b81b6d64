"""Metrics and traces after the fork in which the triggerer of Airflow 3.3.2 runs its triggers."""

import os
import subprocess
import sys

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.unit.airflow.telemetry import collector, statsd_daemon

# What the triggerer does: set everything up, use it, fork, forget what should happen at the exit, run triggers.
TRIGGERER = """
import atexit, os, threading, time
from types import SimpleNamespace
from airflow import settings
from airflow._shared.observability.traces import configure_otel
from airflow.configuration import conf
from airflow.observability import stats
from airflow.observability.metrics import stats_utils

configure_otel(conf)
stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
stats.gauge("triggers.running", 1)
pid = os.fork()
if pid:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
atexit._clear()

from cronlift.airflow.metrics import THREAD_NAME, AirflowMetrics
from cronlift.airflow.spans import job_span

metrics = AirflowMetrics()
metrics.count("cronlift.jobs.ended", outcome="succeeded")
ti = SimpleNamespace(dag_id="demo__a", run_id="r", task_id="x", map_index=-1, try_number=1, context_carrier=None)
job_span(ti, {"metadata": {"name": "a-x"}}, "succeeded", "")
metrics._queue.put(None)  # ends its thread, behind all that was counted
next(each for each in threading.enumerate() if each.name == THREAD_NAME).join(10)
atexit._run_exitfuncs()
os._exit(0)
"""


def run(settings: dict[str, str]) -> None:
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("AIRFLOW__METRICS", "AIRFLOW__TRACES", "OTEL_"))
    }
    subprocess.run([sys.executable, "-c", TRIGGERER], env=clean | settings, check=True)


def test_statsd_survives_the_triggerers_fork():
    with statsd_daemon() as daemon:
        run({
            "AIRFLOW__METRICS__STATSD_ON": "True", "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(daemon.port),
        })  # fmt: skip
        assert daemon.hear("cronlift") == "airflow.cronlift.jobs.ended.succeeded:1|c"


def test_opentelemetry_survives_the_triggerers_fork():
    with collector() as server:
        run({
            # Metrics by Airflow's settings, as the chart's `config` gives them; traces by OpenTelemetry's variables.
            "AIRFLOW__METRICS__OTEL_ON": "True", "AIRFLOW__METRICS__OTEL_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__OTEL_PORT": str(server.server_port), "AIRFLOW__TRACES__OTEL_ON": "True",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{server.url}/v1/traces", "OTEL_TRACES_EXPORTER": "otlp_proto_http",
        })  # fmt: skip
    metrics = {
        metric.name: metric
        for body in server.bodies["/v1/metrics"]
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    (point,) = metrics["airflow.cronlift.jobs.ended"].sum.data_points
    assert point.as_int == 1
    assert [(each.key, each.value.string_value) for each in point.attributes] == [("outcome", "succeeded")]
    spans = [
        span.name
        for body in server.bodies["/v1/traces"]
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert spans == ["job.x"]
