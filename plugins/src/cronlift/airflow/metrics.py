"""Measurements by way of Airflow's own, so that its `[metrics]` settings decide where they go: StatsD or OpenTelemetry.

A thread sends them: the first one resolves a host name, imports an exporter and reads a file, and all triggers share
the event loop. Airflow makes a new backend after the fork in which the triggerer's triggers run (3.3.2), so the thread
speaks to that process's own.
"""

import contextlib
import logging
import re
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from queue import Full, Queue

from airflow.configuration import conf

# Two requests and three other measurements a task: thousands of tasks a second do not fill it while the thread lives.
QUEUE_LIMIT = 10_000
HOSTNAME_TAG = "hostname"
THREAD_NAME = "cronlift-metrics"

log = logging.getLogger(__name__)


class Backend(Enum):
    """Where Airflow sends measurements."""

    OFF = "off"
    PLAIN = "plain"
    """StatsD as such: a name and a number, so tags become part of the name."""
    TAGGED = "tagged"
    """OpenTelemetry, Datadog, or StatsD with InfluxDB's tags."""


class Kind(Enum):
    """What a measurement is."""

    COUNT = "count"
    TIMING = "timing"
    GAUGE = "gauge"


@dataclass(frozen=True)
class Measurement:
    """One measurement on its way to the thread that sends it."""

    kind: Kind
    name: str
    value: float
    tags: Mapping[str, str] = field(default_factory=dict)


class AirflowMetrics:
    """Measurements by way of Airflow's; a call costs a microsecond, and nothing where metrics are off."""

    def __init__(self) -> None:
        backend = read_backend()
        self._queue: Queue[Measurement | None] | None = None
        self._full = False
        if backend is not Backend.OFF:
            self._queue = Queue(QUEUE_LIMIT)
            thread = threading.Thread(target=_send_all, args=(self._queue, backend), name=THREAD_NAME, daemon=True)
            thread.start()
            weakref.finalize(self, _stop, self._queue).atexit = False

    def count(self, name: str, value: int = 1, **tags: str) -> None:
        """Add to a counter."""
        self._hand_over(Kind.COUNT, name, value, tags)

    def timing(self, name: str, seconds: float, **tags: str) -> None:
        """Record how long something took."""
        # Two clocks may disagree by more than a short time took; backends refuse what is below 0.
        self._hand_over(Kind.TIMING, name, max(0.0, seconds), tags)

    def gauge(self, name: str, value: float, **tags: str) -> None:
        """Say how many there are now."""
        self._hand_over(Kind.GAUGE, name, value, tags)

    def _hand_over(self, kind: Kind, name: str, value: float, tags: Mapping[str, str]) -> None:
        if self._queue is None:
            return
        try:
            self._queue.put_nowait(Measurement(kind, name, value, tags))
        except Full:
            if not self._full:
                self._full = True
                log.warning("Measurements come faster than Airflow's metrics take them; some are dropped")


def read_backend() -> Backend:
    """Read Airflow's settings; the order is Airflow's own."""
    if conf.getboolean("metrics", "statsd_datadog_enabled", fallback=False):
        with_tags = conf.getboolean("metrics", "statsd_datadog_metrics_tags", fallback=True)
    elif conf.getboolean("metrics", "statsd_on", fallback=False):
        with_tags = conf.getboolean("metrics", "statsd_influxdb_enabled", fallback=False)
    elif conf.getboolean("metrics", "otel_on", fallback=False):
        with_tags = True
    else:
        return Backend.OFF
    return Backend.TAGGED if with_tags else Backend.PLAIN


def address(measurement: Measurement, backend: Backend, hostname: str) -> tuple[str, dict[str, str]]:
    """Name a measurement as a backend can take it.

    Args:
        measurement: What was measured.
        backend: Where it goes.
        hostname: This process's; without it, two triggerers would overwrite each other's gauges.

    Returns:
        Name and tags. Without tags, their values follow the name in the order of the tags' names, so that a collector
        can tell them apart by their place.
    """
    name = measurement.name
    if measurement.kind is Kind.TIMING:
        # Both protocols carry times in milliseconds, whatever the name says.
        name = f"{name.removesuffix('_seconds')}_duration"
    tags = dict(measurement.tags)
    if measurement.kind is Kind.GAUGE:
        tags[HOSTNAME_TAG] = hostname
    if backend is Backend.PLAIN:
        words = [re.sub(r"[^a-zA-Z0-9_-]", "_", tags[key]) or "none" for key in sorted(tags)]
        return ".".join([name, *words]), {}
    # Airflow refuses a StatsD name whose tags hold anything else.
    return name, {key: re.sub(r"[^a-zA-Z0-9_./-]", "_", value) for key, value in tags.items()}


def send_now(measurement: Measurement) -> None:
    """Send one from a process that may wait for it; one that cannot be sent is logged, not raised."""
    from airflow.utils.net import get_hostname

    backend = read_backend()
    if backend is Backend.OFF:
        return
    try:
        _send(measurement, *address(measurement, backend, get_hostname()))  # type: ignore[no-untyped-call]
    except Exception:
        log.warning("Cannot send %s to Airflow's metrics", measurement.name, exc_info=True)


def _stop(queue: "Queue[Measurement | None]") -> None:
    """End the thread of a hub that is gone: `dag.test()` makes one for each task."""
    with contextlib.suppress(Full):
        queue.put_nowait(None)


def _send_all(queue: "Queue[Measurement | None]", backend: Backend) -> None:
    """Send what comes, until None does."""
    from airflow.utils.net import get_hostname

    hostname: str = get_hostname()  # type: ignore[no-untyped-call]
    warned = False
    for measurement in iter(queue.get, None):
        try:
            _send(measurement, *address(measurement, backend, hostname))
        except Exception:
            if not warned:
                warned = True
                log.warning("Cannot send %s to Airflow's metrics; said once", measurement.name, exc_info=True)


def _send(measurement: Measurement, name: str, tags: dict[str, str]) -> None:
    # Not airflow.sdk.observability.stats: a copy of its own, which the triggerer does not set up (3.3.2).
    from airflow.observability import stats

    if measurement.kind is Kind.COUNT:
        stats.incr(name, int(measurement.value), tags=tags)
    elif measurement.kind is Kind.TIMING:
        stats.timing(name, timedelta(seconds=measurement.value), tags=tags)
    else:
        stats.gauge(name, measurement.value, tags=tags)
