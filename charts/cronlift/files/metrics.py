"""Metrics for Prometheus, read from Airflow's database at each scrape: metrics.py PORT.

The database knows what StatsD counters forget at a restart: when each DAG ran last, whether it failed, when it is due.
It knows nothing of the API server, which writes no heartbeat: that is asked itself, at CRONLIFT_API_PING.
A label `deployment` tells releases apart, `team` is the DAG's bundle.
"""

import http.client
import http.server
import os
import queue
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cronlift_database
import psycopg2

STATEMENT_TIMEOUT_MS = 10_000
"""Below Prometheus' scrape timeout (10 s by default): a slow database must not pile up queries."""

API_SECONDS = 3
"""Below the scrape timeout, also when the database hangs meanwhile."""

HELP = {
    "cronlift_api_up": "1 when Airflow's API server answers.",
    "cronlift_database_up": "1 when Airflow's database answers.",
    "cronlift_component_heartbeat_age_seconds": "Age of the youngest heartbeat of a kind of component.",
    "cronlift_dag_paused": "1 for a DAG that is paused.",
    "cronlift_dag_next_run_timestamp_seconds": "When the next run is due; in the past: it has not been made yet.",
    "cronlift_dag_last_run_failed": "1 when the last finished run failed.",
    "cronlift_dag_last_run_end_timestamp_seconds": "When the last finished run ended.",
    "cronlift_dag_last_success_timestamp_seconds": "When the last successful run ended.",
    "cronlift_dag_last_run_duration_seconds": "How long the last finished run took.",
    "cronlift_dag_waiting_seconds": "How long the oldest run that has not started has been due.",
    "cronlift_dag_running_seconds": "How long the oldest run that has not ended has been running.",
    "cronlift_import_errors": "DAG files that cannot be imported.",
    "cronlift_bundle_refused": "1 while the newest commit of a team's folder is not taken over.",
    "cronlift_bundle_synced_age_seconds": "How long ago the DAG processor's git-sync reached the repository.",
    "cronlift_task_instances": "Task instances that have not ended, by state.",
}

# One index lookup per DAG each: by (dag_id, state) for what is open, by run_after for the last ones.
QUERIES = {
    # In whatever state: a component that ends properly writes `success`, and it is missed all the same.
    "component": """
        SELECT job_type, extract(epoch FROM now() - max(latest_heartbeat))
        FROM job WHERE job_type IN ('SchedulerJob', 'TriggererJob', 'DagProcessorJob') GROUP BY job_type
    """,
    "dag": """
        SELECT d.bundle_name, d.dag_id, d.is_paused, extract(epoch FROM d.next_dagrun_create_after),
               done.state, extract(epoch FROM done.end_date), extract(epoch FROM done.end_date - done.start_date),
               extract(epoch FROM good.end_date), extract(epoch FROM now() - open.waiting),
               extract(epoch FROM now() - open.running)
        FROM dag d
        LEFT JOIN LATERAL (
            SELECT r.state, r.start_date, r.end_date FROM dag_run r
            WHERE r.dag_id = d.dag_id AND r.state IN ('success', 'failed') ORDER BY r.run_after DESC LIMIT 1
        ) done ON true
        LEFT JOIN LATERAL (
            SELECT r.end_date FROM dag_run r
            WHERE r.dag_id = d.dag_id AND r.state = 'success' ORDER BY r.run_after DESC LIMIT 1
        ) good ON true
        LEFT JOIN LATERAL (
            SELECT min(r.run_after) FILTER (WHERE r.state = 'queued') AS waiting,
                   min(r.start_date) FILTER (WHERE r.state = 'running') AS running
            FROM dag_run r WHERE r.dag_id = d.dag_id AND r.state IN ('queued', 'running')
        ) open ON true
        WHERE NOT d.is_stale
    """,
    "import_error": "SELECT bundle_name, count(*) FROM import_error GROUP BY bundle_name",
    "bundle": """
        SELECT name, coalesce(template_params->'cronlift'->>'refusal', '') <> '',
               extract(epoch FROM now() - (template_params->'cronlift'->>'checked_at')::timestamptz)
               + (template_params->'cronlift'->>'synced_seconds_ago')::float
        FROM dag_bundle WHERE active AND template_params->'cronlift' IS NOT NULL
    """,
    "task_instance": """
        SELECT state, count(*) FROM task_instance
        WHERE state IN ('scheduled', 'queued', 'running', 'deferred', 'up_for_retry', 'restarting') GROUP BY state
    """,
}


@dataclass(frozen=True)
class Sample:
    """One line of the answer."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def component_samples(rows: Iterable[tuple]) -> Iterator[Sample]:
    """Yield the age of each kind of component's youngest heartbeat."""
    for job_type, age in rows:
        yield Sample("cronlift_component_heartbeat_age_seconds", float(age), (("component", job_type),))


def dag_samples(rows: Iterable[tuple]) -> Iterator[Sample]:
    """Yield what is known of each DAG; what never happened has no line. A paused DAG is never due."""
    for team, dag_id, paused, due, state, ended, took, succeeded, waiting, running in rows:
        labels = (("dag_id", dag_id), ("team", team))
        values = {
            "paused": paused,
            "next_run_timestamp_seconds": None if paused else due,
            "last_run_failed": None if state is None else state == "failed",
            "last_run_end_timestamp_seconds": ended,
            "last_run_duration_seconds": took,
            "last_success_timestamp_seconds": succeeded,
            "waiting_seconds": None if waiting is None else max(waiting, 0),
            "running_seconds": running,
        }
        for name, value in values.items():
            if value is not None:
                yield Sample(f"cronlift_dag_{name}", float(value), labels)


def import_error_samples(rows: Iterable[tuple]) -> Iterator[Sample]:
    """Yield how many files of each team do not import."""
    for team, count in rows:
        yield Sample("cronlift_import_errors", float(count), (("team", team or ""),))


def bundle_samples(rows: Iterable[tuple]) -> Iterator[Sample]:
    """Yield what the DAG processor says of each team's folder; see docs/delivery.md."""
    for team, refused, age in rows:
        yield Sample("cronlift_bundle_refused", float(refused), (("team", team),))
        if age is not None:
            yield Sample("cronlift_bundle_synced_age_seconds", float(age), (("team", team),))


def task_instance_samples(rows: Iterable[tuple]) -> Iterator[Sample]:
    """Yield how many task instances are in each open state."""
    for state, count in rows:
        yield Sample("cronlift_task_instances", float(count), (("state", state),))


SAMPLERS = {
    "component": component_samples,
    "dag": dag_samples,
    "import_error": import_error_samples,
    "bundle": bundle_samples,
    "task_instance": task_instance_samples,
}


def collect(connection: "psycopg2.extensions.connection") -> list[Sample]:
    """Ask everything in one read-only transaction."""
    found = [Sample("cronlift_database_up", 1)]
    with connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", (str(STATEMENT_TIMEOUT_MS),))
        for name, query in QUERIES.items():
            cursor.execute(query)
            found += SAMPLERS[name](cursor.fetchall())
    return found


def render(samples: Iterable[Sample], deployment: str) -> str:
    """Return samples in Prometheus' text format, those of a name together."""
    by_name: dict[str, list[str]] = {}
    for sample in samples:
        labels = ",".join(f'{key}="{escape(value)}"' for key, value in (("deployment", deployment), *sample.labels))
        by_name.setdefault(sample.name, []).append(f"{sample.name}{{{labels}}} {sample.value:.15g}")
    lines = []
    for name, found in by_name.items():
        lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge", *found]
    return "\n".join([*lines, ""])


def escape(text: str) -> str:
    """Return a label's value as the text format wants it."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


class Database:
    """One connection, made again when it is lost."""

    def __init__(self) -> None:
        self._connection: psycopg2.extensions.connection | None = None

    def samples(self) -> list[Sample]:
        """Return everything, or that the database does not answer."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = cronlift_database.connect(timeout_seconds=5)
            return collect(self._connection)
        except psycopg2.Error as error:
            print(f"Metrics are missing: {str(error).strip()}", file=sys.stderr, flush=True)
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return [Sample("cronlift_database_up", 0)]


class Ping:
    """One question to the API server's ping, which needs no database; asked while the database is.

    In a thread, because no time limit of urllib holds for the look-up of the name: where DNS is away, the database's
    metrics must come all the same.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._deadline = time.monotonic() + API_SECONDS
        self._answer: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._ask, daemon=True).start()

    def sample(self) -> Sample:
        """Return whether it answers, in time."""
        try:
            problem = self._answer.get(timeout=max(0, self._deadline - time.monotonic()))
        except queue.Empty:
            problem = f"no answer in {API_SECONDS} s"
        if problem:
            print(f"The API server does not answer: {problem}", file=sys.stderr, flush=True)
        return Sample("cronlift_api_up", 0 if problem else 1)

    def _ask(self) -> None:
        try:
            with urllib.request.urlopen(self._url, timeout=API_SECONDS):  # noqa: S310 - a Service of the release
                self._answer.put("")
        except (OSError, http.client.HTTPException) as error:
            self._answer.put(str(error) or type(error).__name__)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers /metrics, and /healthz without the database."""

    database = Database()

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path == "/healthz":
            return self._answer(200, "ok\n")
        if self.path != "/metrics":
            return self._answer(404, "/metrics and /healthz are here\n")
        started = time.monotonic()
        ping = Ping(os.environ["CRONLIFT_API_PING"])
        samples = [*self.database.samples(), ping.sample()]
        text = render(samples, os.environ["CRONLIFT_DEPLOYMENT"])
        print(f"Answered in {time.monotonic() - started:.2f} s", flush=True)
        return self._answer(200, text)

    def _answer(self, code: int, text: str) -> None:
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of probes."""


if __name__ == "__main__":
    http.server.HTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
