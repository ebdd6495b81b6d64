"""What is merged runs, and what is broken on the way leaves the last good state. LONG=1 writes the page on faults."""

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from ci import release
from ci.airflow_api import Airflow, ApiError
from ci.errors import CiError
from ci.paths import ROOT
from cronlift.airflow.banner import STALE_SECONDS
from tests.live import measurements
from tests.live.delivery import FOLDER, PREFIX, Delivery, delivered
from tests.live.delivery_faults import Named, faults
from tests.live.killing import count_restarts, forgive_restarts
from tests.live.waiting import wait_for

FIGURES = "delivery-faults" if os.environ.get("LONG") else "delivery-faults-short"
PAGE = ROOT / "docs/delivery-faults.md"
REPARSE_SECONDS = 300
"""The chart's default of dagProcessor.reparseSeconds."""
BEGIN, END = "<!-- `make test-live` writes from here -->", "<!-- to here -->"

RUNNER = '''\
"""Written by a live test of the delivery."""

import time

from airflow.sdk import DAG, task
from {prefix}words import WORD

with DAG("demo__{prefix}{stem}", schedule=None, catchup=False, tags=[WORD]):

    @task
    def first():
        print("FIRST", WORD)
        time.sleep({seconds})

    @task
    def second():
        print("SECOND", WORD)

    first() >> second()
'''


@dataclass
class Row:
    """What a fault did, for the page."""

    title: str
    words: str = ""
    metrics: str = ""
    lost: list[str] = field(default_factory=list)
    run: str = ""
    back_seconds: float | None = None
    error: str = ""


@pytest.fixture(scope="module")
def delivery(airflow: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    before = count_restarts()
    with delivered(airflow, tmp_path_factory.mktemp("delivery")) as lent:
        write_runner(lent, "runner", "good", seconds=0)
        lent.push()
        lent.wait_tag(f"demo__{PREFIX}runner", "good")
        yield lent
    forgive_restarts(before)
    # Not after each fault: an edit of the tree is a snapshot, which would come on top of the tests' commits.
    if os.environ.get("LONG"):
        write_page(known_rows(), PAGE)


def write_runner(delivery: Delivery, stem: str, word: str, seconds: float) -> None:
    """Write a DAG of two Python tasks and the helper module that both import."""
    delivery.write(f"{FOLDER}/{PREFIX}words.py", f'WORD = "{word}"\n')
    delivery.write(f"{FOLDER}/{PREFIX}{stem}.py", RUNNER.format(prefix=PREFIX, stem=stem, seconds=seconds))


class Watcher:
    """Asks Airflow every second whether a DAG has become stale.

    Args:
        patience_seconds: For how long one may be.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._airflow, self._patience_seconds = release.login(), patience_seconds
        self._wanted, self._missing_since = self._airflow.dag_ids(), dict[str, float]()
        self._lost, self._stop = set[str](), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(1):
            try:
                missing = self._wanted - self._airflow.dag_ids()
            except ApiError:
                continue
            now = time.monotonic()
            self._missing_since = {dag: self._missing_since.get(dag, now) for dag in missing}
            self._lost |= {dag for dag, since in self._missing_since.items() if now - since >= self._patience_seconds}

    def end(self) -> list[str]:
        self._stop.set()
        self._thread.join()
        self._airflow.close()
        return sorted(self._lost)


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.title)
def test_fault_loses_no_dag_and_no_run_and_is_told(fault: Named, delivery: Delivery, capsys) -> None:
    row, watcher = Row(fault.title), Watcher(fault.stale_seconds)
    try:
        with fault.strike(delivery) as words:
            row.words = words or "nothing: delivery goes on"
            metrics = delivery.metrics()
            row.metrics = told(metrics)
            row.run = run_python(delivery)
        row.back_seconds = round(delivery.wait_arrival(180), 1)
        delivery.wait_no_words()
    except (AssertionError, CiError) as error:
        row.error = " ".join(str(error).split())[:200]
        raise
    finally:
        row.lost = watcher.end()
        keep(row)
        with capsys.disabled():
            print(f"\n{row}")
    assert (row.lost, row.run) == ([], "success")
    assert bool(metrics["cronlift_bundle_refused"]) == ("stays at" in row.words)
    assert (metrics["cronlift_bundle_synced_age_seconds"] > STALE_SECONDS) == ("have not arrived" in row.words)
    assert bool(metrics.get("cronlift_import_errors")) == row.words.startswith("import error")


def told(metrics: dict[str, float]) -> str:
    """Return the metrics of a fault in a few words."""
    said = [f"synced {metrics['cronlift_bundle_synced_age_seconds']:.0f} s ago"]
    said += ["refused 1"] if metrics["cronlift_bundle_refused"] else []
    errors = metrics.get("cronlift_import_errors", 0)
    return ", ".join([*said, f"import errors {errors:.0f}"] if errors else said)


def run_python(delivery: Delivery) -> str:
    """Run Python tasks in the scheduler's pod now, from its own copy; return how that ended."""
    run_id = f"e2e__{time.time_ns()}"
    delivery.airflow.trigger(f"demo__{PREFIX}runner", run_id)
    return str(delivery.airflow.wait(f"demo__{PREFIX}runner", run_id, 180)["state"])


def test_run_that_spans_a_merge_keeps_its_version(delivery: Delivery) -> None:
    dag_id = f"demo__{PREFIX}spanning"
    write_runner(delivery, "spanning", "before", seconds=20)
    delivery.push()
    delivery.wait_tag(dag_id, "before")
    run_id = f"e2e__{time.time_ns()}"
    delivery.airflow.trigger(dag_id, run_id)
    wait_for(lambda: log_of(delivery, dag_id, run_id, "first"), "start of the first task", 60)
    write_runner(delivery, "spanning", "after", seconds=0)
    delivery.push()
    delivery.wait_tag(dag_id, "after")
    assert delivery.airflow.wait(dag_id, run_id)["state"] == "success"
    assert "FIRST before" in log_of(delivery, dag_id, run_id, "first")
    assert "SECOND before" in log_of(delivery, dag_id, run_id, "second")
    (old,) = [run for run in [delivery.airflow.run(dag_id, run_id)]]
    assert old["bundle_version"]
    later = f"e2e__{time.time_ns()}"
    delivery.airflow.trigger(dag_id, later)
    assert delivery.airflow.wait(dag_id, later)["state"] == "success"
    assert "SECOND after" in log_of(delivery, dag_id, later, "second")
    assert delivery.airflow.run(dag_id, later)["bundle_version"] != old["bundle_version"]


def log_of(delivery: Delivery, dag_id: str, run_id: str, task_id: str) -> str:
    try:
        return "\n".join(delivery.airflow.log(dag_id, run_id, task_id))
    except ApiError:
        return ""


def test_where_follows_a_commit_until_it_has_arrived(delivery: Delivery) -> None:
    tag = f"where{time.time_ns()}"
    dag_id = delivery.write_dag("witness", tag)
    unpushed = delivery.commit()
    assert delivery.where(unpushed)["exit_code"] == 1
    commit = delivery.push()
    delivery.wait_tag(dag_id, tag)
    wait_for(lambda: delivery.where(commit)["exit_code"] == 0, f"arrival of {commit}", 60)
    said = delivery.where(commit)
    assert said["arrived"], said["facts"]
    assert len(said["pods"]) == 2


def test_commit_to_another_folder_parses_nothing(delivery: Delivery) -> None:
    delivery.wait_arrival()
    time.sleep(5)
    before = delivery.parsed_at()
    delivery.write("README.md", f"Changed at {time.time_ns()}\n")
    commit = delivery.push()
    wait_for(lambda: delivery.where(commit)["exit_code"] == 0, f"arrival of {commit}", 60)
    time.sleep(5)
    after = delivery.parsed_at()
    # What is parsed again by itself, every 300 s, is none of the commit's doing.
    parsed = {dag: after[dag] - before[dag] for dag in before if after[dag] != before[dag]}
    assert [dag for dag, gap in parsed.items() if gap.total_seconds() < REPARSE_SECONDS - 10] == []


def keep(row: Row) -> None:
    """Write what is known so far to build/."""
    rows = {each.title: each for each in known_rows()} | {row.title: row}
    content = [asdict(rows[fault.title]) for fault in faults() if fault.title in rows]
    measurements.write(FIGURES, measurements.machine(), {"faults": content})


def known_rows() -> list[Row]:
    """Return what is known of each fault, from this run or an earlier one."""
    path = measurements.BUILD / f"{FIGURES}.json"
    return [Row(**each) for each in json.loads(path.read_text())["faults"]] if path.exists() else []


def write_page(rows: list[Row], page: Path) -> None:
    """Put the table between the page's marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    columns = ("fault", "what people see meanwhile", "metrics", "DAGs lost or stale", "a run in the middle",
               "next push live after")  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    for row in rows:
        words = " ".join(row.words.replace("|", "/").split())[:220]
        back = row.error or ("" if row.back_seconds is None else f"{row.back_seconds:.0f} s")
        lines.append(
            f"| {row.title} | {words} | {row.metrics} | {', '.join(row.lost) or 'none'} | {row.run} | {back} |"
        )
    table = "\n".join([f"{measurements.today()}, by `make test-live`.", "", *lines])
    page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")
