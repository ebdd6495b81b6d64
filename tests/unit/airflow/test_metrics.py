"""Measurements through Airflow's own metrics, to a real UDP daemon."""

import gc
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow._shared.observability.metrics import stats as shared_stats
from airflow._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow._shared.observability.metrics.validators import stat_name_default_handler
from airflow.observability import stats
from airflow.observability.metrics import stats_utils

from cronlift.airflow import metrics as module
from cronlift.airflow.metrics import AirflowMetrics, Backend, Kind, Measurement, address, read_backend
from cronlift.cluster import metrics as names
from tests.unit.airflow.telemetry import PATIENCE_SECONDS, StatsdDaemon, statsd_daemon


@pytest.fixture
def daemon() -> Iterator[StatsdDaemon]:
    with statsd_daemon() as listening:
        yield listening


@pytest.fixture
def statsd(daemon: StatsdDaemon, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, str]]]:
    """Set Airflow's metrics up as one of its processes does; returns the settings."""

    def configure(**options: str) -> dict[str, str]:
        settings = {"STATSD_ON": "True", "STATSD_HOST": "127.0.0.1", "STATSD_PORT": str(daemon.port), **options}
        environment = {f"AIRFLOW__METRICS__{name}": value for name, value in settings.items()}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
        return environment

    monkeypatch.setattr("airflow.utils.net.get_hostname", lambda: "10.1.2.3")
    yield configure
    backend = shared_stats._backend
    if backend is not None:
        backend.statsd.close()
    stats.initialize(factory=NoStatsLogger, export_legacy_names=False)


def test_plain_statsd_gets_the_tags_as_words_of_the_name(statsd, daemon):
    statsd()
    metrics = AirflowMetrics()
    metrics.count(names.API_REQUESTS, verb="create", resource="jobs")
    metrics.gauge(names.JOBS_RUNNING, 3, cluster="own", namespace="team-demo")
    metrics.timing(names.START_SECONDS, 1.5)
    assert daemon.hear("requests") == "airflow.cronlift.api.requests.jobs.create:1|c"
    assert daemon.hear("running") == "airflow.cronlift.jobs.running.own.10_1_2_3.team-demo:3|g"
    assert daemon.hear("start") == "airflow.cronlift.job.start_duration:1500.000000|ms"


def test_influx_statsd_gets_tags(statsd, daemon):
    statsd(STATSD_INFLUXDB_ENABLED="True")
    metrics = AirflowMetrics()
    metrics.count(names.JOBS_ENDED, 2, outcome="not so, = good:")
    metrics.gauge(names.JOBS_RUNNING, 0)
    assert daemon.hear("ended") == "airflow.cronlift.jobs.ended,outcome=not_so____good_:2|c"
    assert daemon.hear("running") == "airflow.cronlift.jobs.running,hostname=10.1.2.3:0|g"


def test_metrics_that_are_off_start_no_thread():
    before = _threads()
    AirflowMetrics().count(names.JOBS_ENDED, outcome="succeeded")
    assert _threads() == before


def test_thread_ends_with_its_metrics(statsd, daemon):
    statsd()
    before = _threads()
    metrics = AirflowMetrics()
    (thread,) = _threads() - before
    del metrics
    gc.collect()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_fault_of_a_backend_is_said_once_and_raised_never(statsd, daemon, monkeypatch, caplog):
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no route")

    statsd()
    monkeypatch.setattr(stats, "gauge", fail)
    metrics = AirflowMetrics()
    for value in range(3):
        metrics.gauge(names.JOBS_RUNNING, value)
    metrics.count(names.WATCH_RESTARTS, resource="jobs")
    daemon.hear("restarts")
    assert [record.getMessage() for record in caplog.records] == [
        "Cannot send cronlift.jobs.running to Airflow's metrics; said once"
    ]


def test_slow_backend_neither_blocks_nor_takes_memory_without_end(statsd, monkeypatch, caplog):
    statsd()
    gate = threading.Event()
    monkeypatch.setattr(module, "QUEUE_LIMIT", 5)
    monkeypatch.setattr(stats, "incr", lambda *_, **__: gate.wait(PATIENCE_SECONDS))
    metrics = AirflowMetrics()
    started = time.monotonic()
    for _ in range(50):
        metrics.count(names.JOBS_ENDED, outcome="succeeded")
    assert time.monotonic() - started < PATIENCE_SECONDS
    gate.set()
    assert [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()] == [
        "Measurements come faster than Airflow's metrics take them; some are dropped"
    ]


@pytest.mark.parametrize(
    ("options", "backend"),
    [
        ({}, Backend.OFF),
        ({"STATSD_ON": "True"}, Backend.PLAIN),
        ({"STATSD_ON": "True", "STATSD_INFLUXDB_ENABLED": "True"}, Backend.TAGGED),
        ({"OTEL_ON": "True"}, Backend.TAGGED),
        ({"OTEL_ON": "True", "STATSD_ON": "True"}, Backend.PLAIN),
        ({"STATSD_DATADOG_ENABLED": "True", "STATSD_ON": "True"}, Backend.TAGGED),
        ({"STATSD_DATADOG_ENABLED": "True", "STATSD_DATADOG_METRICS_TAGS": "False"}, Backend.PLAIN),
    ],
    ids=["off", "statsd", "influx", "otel", "statsd wins over otel", "datadog wins", "datadog without tags"],
)
def test_backend_is_what_airflows_settings_say(monkeypatch, options, backend):
    for name, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{name}", value)
    assert read_backend() is backend


def test_time_below_zero_is_zero(statsd, daemon):
    """A Job's end is told to the second and by another clock than ours."""
    statsd()
    metrics = AirflowMetrics()
    metrics.timing(names.DETECTION_SECONDS, -0.4)
    assert daemon.hear("detection") == "airflow.cronlift.job.detection_duration:0.000000|ms"


@pytest.mark.parametrize("name", [value for key, value in vars(names).items() if key.isupper()])
@pytest.mark.parametrize("backend", [Backend.PLAIN, Backend.TAGGED])
def test_every_name_is_one_that_airflow_takes(name, backend):
    found, _ = address(Measurement(Kind.GAUGE, name, 1, {"namespace": "Team/ä b"}), backend, "host.example")
    assert stat_name_default_handler(found) == found
    assert re.fullmatch(r"cronlift(\.[a-zA-Z0-9_-]+)+", found)


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == module.THREAD_NAME}
