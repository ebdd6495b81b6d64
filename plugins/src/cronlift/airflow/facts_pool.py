"""Parse the DAG files of team folders in two processes, whatever their number; nothing of Airflow is imported here."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from cronlift.airflow import settings
from cronlift.errors import CronliftError
from cronlift.facts.model import FileFacts, Finding

WORKERS = 2
"""Each costs an import of Airflow, some seconds; CI's machines and laptops have at least two cores."""

IMPORT_TIMEOUT_SECONDS = 30.0
"""Airflow's own default of [core] dagbag_import_timeout."""

_SECRET_PREFIXES = ("AIRFLOW_VAR_", "AIRFLOW_CONN_", "AIRFLOW__", "PYTHONPATH")
Answer = TypeVar("Answer")

_LOCAL_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"


@dataclass(frozen=True)
class Bundle:
    """A folder of DAG files.

    Attributes:
        name: Of the bundle, which is the team's.
        folder: Absolute.
        settings: The team's entry of CRONLIFT_TEAMS: its namespace, and what the policy needs.
    """

    name: str
    folder: Path
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """One file to parse."""

    bundle: Bundle
    file: Path


def load_facts(
    root: Path,
    bundles: Sequence[Bundle],
    *,
    at: datetime | None = None,
    runs: int = 5,
    hours: float = 0,
    images: Mapping[str, str] | None = None,
    files: Collection[Path] | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int = WORKERS,
    twice: bool = False,
) -> list[FileFacts]:
    """Import DAG files as the DAG processor would, without a database, network, variables or connections.

    Args:
        root: What paths are told from, the repository's root.
        bundles: The folders.
        at: From when on the next runs are told, aware; now by default.
        runs: How many, at least.
        hours: For how long from then on all of them are told.
        images: The deployment's job images by name; None where they are not known, and then any name will do.
        files: Only these of the bundles' DAG files, absolute; None for all.
        progress: Called with the numbers of files done and of all.
        workers: How many processes.
        twice: Whether every file is parsed again by another process, to find DAGs that come out as others: those that
            differ get a finding of kind "varying". Takes two workers.

    Returns:
        What was found in each file, in the order of their paths.

    Raises:
        CronliftError: A process did not start, or ended; with its last words.
    """
    root, at = root.resolve(), at or datetime.now(UTC)
    deployment = _deployment(bundles, images)
    with started_workers(workers) as processes:
        jobs = [
            Job(each, Path(file))
            for each in bundles
            for file in processes[0].ask({"folder": str(each.folder), "file": None, **deployment})["value"]
        ]
        if files is not None:
            wanted = {each.resolve() for each in files}
            jobs = [each for each in jobs if each.file.resolve() in wanted]
        shared: queue.SimpleQueue[Job] = _queue(jobs)
        done = _share(processes, [shared] * workers, _asker(root, at, runs, hours, deployment), progress, len(jobs))
        again = twice and workers > 1
        found = _compare_again(processes, done, deployment) if again else [facts for _, _, facts in done]
    return sorted(found, key=lambda facts: facts.path)


@contextmanager
def started_workers(count: int) -> "Iterator[list[_Worker]]":
    """Start processes for a block, in an Airflow home that nothing of this machine's Airflow gets into."""
    processes: list[_Worker] = []
    with tempfile.TemporaryDirectory(prefix="cronlift-parse-") as folder:
        try:
            environment = _environment(Path(folder))
            for seed in range(1, count + 1):
                processes.append(_Worker(environment, Path(folder) / "stderr.txt", seed))
            yield processes
        finally:
            for each in processes:
                each.close()


def _asker(
    root: Path, at: datetime, runs: int, hours: float, deployment: Mapping[str, Any]
) -> Callable[["_Worker", Job], FileFacts]:
    def ask(worker: _Worker, job: Job) -> FileFacts:
        answer = worker.ask(
            {
                **deployment,
                **{"file": str(job.file), "team": job.bundle.name, "folder": str(job.bundle.folder)},
                **{"root": str(root), "at": at.isoformat(), "runs": runs, "hours": hours},
            }
        )
        if "value" in answer:
            return FileFacts.from_json(answer["value"])
        path = job.file.relative_to(root).as_posix() if job.file.is_relative_to(root) else job.file.as_posix()
        return FileFacts(path, job.bundle.name, 0.0, (Finding(path, None, answer["error"]),))

    return ask


def _compare_again(
    workers: Sequence["_Worker"], done: Sequence[tuple[int, Job, FileFacts]], deployment: Mapping[str, Any]
) -> list[FileFacts]:
    """Parse every file by another worker than before, and add a finding for each DAG that came out as another."""

    def ask(worker: _Worker, job: Job) -> dict[str, str]:
        words = {"file": str(job.file), "team": job.bundle.name, "folder": str(job.bundle.folder), "hashes": True}
        hashes: dict[str, str] = worker.ask({**words, **deployment}).get("value", {})
        return hashes

    fit = [(worker, job) for worker, job, facts in done if facts.dags]
    queues = [_queue([job for worker, job in fit if worker != number]) for number in range(len(workers))]
    again = {job.file: hashes for _, job, hashes in _share(workers, queues, ask, None, len(fit))}
    return [_with_varying(facts, again.get(job.file, {})) for _, job, facts in done]


def _with_varying(facts: FileFacts, hashes: Mapping[str, str]) -> FileFacts:
    told = any(each.kind == "varying" for each in facts.findings)
    new = tuple(
        Finding(
            dag.file,
            dag.line,
            f"DAG {dag.dag_id} is another at each parse, so that each parse makes a new version of it",
            "Sort what comes from a set or a folder's listing; leave out times, random numbers and ids.",
            "varying",
        )
        for dag in facts.dags
        if not told and hashes.get(dag.dag_id, dag.hash) != dag.hash
    )
    return replace(facts, findings=(*facts.findings, *new)) if new else facts


def _queue(jobs: Sequence[Job]) -> "queue.SimpleQueue[Job]":
    pending: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        pending.put(job)
    return pending


def _share(
    workers: Sequence["_Worker"],
    queues: Sequence["queue.SimpleQueue[Job]"],
    ask: Callable[["_Worker", Job], Answer],
    progress: Callable[[int, int], None] | None,
    total: int,
) -> list[tuple[int, Job, Answer]]:
    """Let every worker take the next job of its queue when it is done with one."""
    found: list[tuple[int, Job, Answer]] = []
    failures: list[CronliftError] = []

    def work(number: int) -> None:
        while not failures:
            try:
                job = queues[number].get_nowait()
            except queue.Empty:
                return
            try:
                found.append((number, job, ask(workers[number], job)))
            except CronliftError as error:
                failures.append(error)
            if progress is not None:
                progress(len(found), total)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(workers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return found


class _Worker:
    """One process; see `facts_worker`.

    Args:
        environment: Its environment.
        errors: File that gets its standard error.
        seed: Of its hashes: what a set's order decides then differs between workers, as it does between restarts.
    """

    def __init__(self, environment: Mapping[str, str], errors: Path, seed: int) -> None:
        self._errors = errors
        with errors.open("ab") as sink:
            self._process = subprocess.Popen(
                # -P: of the repository only the bundle's folder is on sys.path, as in the DAG processor.
                [sys.executable, "-P", "-m", "cronlift.airflow.facts_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env={**environment, "PYTHONHASHSEED": str(seed)},
                text=True,
                encoding="utf-8",
            )

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            CronliftError: The process has ended.
        """
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise CronliftError("A process that parses DAG files has no pipes.")
        try:
            process.stdin.write(json.dumps(dict(request)) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            words = "\n".join(self._errors.read_text(errors="replace").splitlines()[-20:])
            raise CronliftError(
                f"A process that parses DAG files ended with exit code {process.wait()}:\n{words}\n"
                "Install the package with its dependencies (make .venv), and try again."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _environment(home: Path) -> dict[str, str]:
    """Return what every process starts with: nothing of the caller's Airflow, variables or connections."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET_PREFIXES)}
    kept.pop(settings.IMAGES_FILE_VARIABLE, None)
    kept.pop(settings.IMAGES_VARIABLE, None)
    return kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # Part of each serialized DAG, and so of its hash: the same here as everywhere.
        "AIRFLOW__CORE__DAGS_FOLDER": "/dags",
        "AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH": "200",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        # The DAG processor's children say so of themselves: code in DAG files gets no database.
        "_AIRFLOW_PROCESS_CONTEXT": "client",
        settings.DEPLOYMENT_VARIABLE: "checks/checks",
    }


def _deployment(bundles: Sequence[Bundle], images: Mapping[str, str] | None) -> dict[str, dict[str, str]]:
    """Return what a request says of the deployment: variables of the environment in which its file is parsed."""
    listed = [{"name": each.name, "classpath": _LOCAL_BUNDLE, "kwargs": {"path": str(each.folder)}} for each in bundles]
    said = {
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": str(IMPORT_TIMEOUT_SECONDS),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(listed),
        settings.TEAMS_VARIABLE: json.dumps({each.name: dict(each.settings) for each in bundles}),
    }
    if images is not None:
        said[settings.IMAGES_VARIABLE] = json.dumps(dict(images))
    return {"environment": said}
