"""Parse the DAG files of team folders in two processes at once; nothing of Airflow is imported here."""

import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from cronlift.airflow import settings
from cronlift.errors import CronliftError
from cronlift.facts.model import FileFacts, Finding
from cronlift.facts.sameness import same_in_every_process

WORKERS = 2
"""CI's machines and laptops have at least two cores. One import of Airflow, some seconds, is for both."""

_SEED, _OTHER_SEED = 1, 2

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
        twice: Whether DAGs that come out as others in another process get a finding of kind "varying". Files that may
            do so (see `cronlift.facts.sameness`) are parsed again, by processes with hashes of another seed.

    Returns:
        What was found in each file, in the order of their paths.

    Raises:
        CronliftError: A process did not start, or ended; with its last words.
    """
    root, at = root.resolve(), at or datetime.now(UTC)
    deployment = _deployment(bundles, images)
    with ExitStack() as stack:
        processes = stack.enter_context(started_workers(workers))
        doubtful = _doubtful(bundles, files) if twice else frozenset()
        others = stack.enter_context(started_workers(workers, _OTHER_SEED)) if doubtful else []
        jobs, unlisted = _jobs(processes[0], root, bundles, files, deployment)
        done = _share(processes, jobs, _asker(root, at, runs, hours, deployment), progress, len(jobs))
        fit = [job for job, facts in done if job.file in doubtful and facts.dags]
        again = {job.file: hashes for job, hashes in _share(others, fit, _hash_asker(deployment), None, len(fit))}
        found = [_with_varying(facts, again.get(job.file, {})) for job, facts in done]
    return sorted([*found, *unlisted], key=lambda facts: facts.path)


@contextmanager
def started_workers(count: int, seed: int = _SEED) -> "Iterator[list[Worker]]":
    """Start processes for a block, in an Airflow home that nothing of this machine's Airflow gets into.

    Args:
        count: How many; they are forks of one that has imported Airflow.
        seed: Of their hashes: what a set's order decides differs between seeds, as it does between restarts.
    """
    with tempfile.TemporaryDirectory(prefix="cronlift-parse-") as folder:
        errors = Path(folder) / "stderr.txt"
        pairs = [socket.socketpair() for _ in range(count)]
        with errors.open("ab") as sink:
            process = subprocess.Popen(
                # -P: of the repository only the bundle's folder is on sys.path, as in the DAG processor.
                [sys.executable, "-P", "-m", "cronlift.airflow.facts_worker", *(str(it.fileno()) for _, it in pairs)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**_environment(Path(folder)), "PYTHONHASHSEED": str(seed)},
                pass_fds=[theirs.fileno() for _, theirs in pairs],
            )
        for _, theirs in pairs:
            theirs.close()
        workers = [Worker(ours, process, errors) for ours, _ in pairs]
        try:
            yield workers
        finally:
            for each in workers:
                each.close()
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _doubtful(bundles: Sequence[Bundle], files: Collection[Path] | None) -> frozenset[Path]:
    """Return the files that may make other DAGs in another process; only of some, or of all where they are None."""
    wanted = None if files is None else {each.resolve() for each in files}
    found: set[Path] = set()
    for bundle in bundles:
        # Airflow parses zip files too, into which we do not look.
        paths = [each for each in bundle.folder.rglob("*") if each.suffix in (".py", ".zip") and each.is_file()]
        texts = {each: each.read_text(encoding="utf-8", errors="replace") for each in paths if each.suffix == ".py"}
        same = same_in_every_process({each.relative_to(bundle.folder).as_posix(): text for each, text in texts.items()})
        found |= {
            each
            for each in paths
            if each.relative_to(bundle.folder).as_posix() not in same
            and (wanted is None or each.resolve() in wanted)
            and "airflow" in texts.get(each, "airflow").lower()  # as Airflow decides what to parse at all
        }
    return frozenset(found)


def _jobs(
    worker: "Worker",
    root: Path,
    bundles: Sequence[Bundle],
    files: Collection[Path] | None,
    deployment: Mapping[str, Any],
) -> tuple[list[Job], list[FileFacts]]:
    """Return the files to parse, and the folders over which Airflow would fail."""
    answer = worker.ask({"folders": [str(each.folder) for each in bundles], **deployment})
    if "error" in answer:
        raise CronliftError(f"The DAG files could not be listed: {answer['error']}.")
    found = answer["value"]
    jobs = [Job(each, Path(file)) for each in bundles for file in found[str(each.folder)].get("files", ())]
    wanted = None if files is None else {each.resolve() for each in files}
    unlisted = []
    for each in bundles:
        if why := found[str(each.folder)].get("refused"):
            path = _shown(each.folder, root)
            unlisted.append(FileFacts(path, each.name, 0.0, (Finding(path, None, why, kind="deliverable"),)))
    return (jobs if wanted is None else [each for each in jobs if each.file.resolve() in wanted]), unlisted


def _shown(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _asker(
    root: Path, at: datetime, runs: int, hours: float, deployment: Mapping[str, Any]
) -> Callable[["Worker", Job], FileFacts]:
    def ask(worker: Worker, job: Job) -> FileFacts:
        answer = worker.ask(
            {
                **deployment,
                **{"file": str(job.file), "team": job.bundle.name, "folder": str(job.bundle.folder)},
                **{"root": str(root), "at": at.isoformat(), "runs": runs, "hours": hours},
            }
        )
        if "value" in answer:
            return FileFacts.from_json(answer["value"])
        path = _shown(job.file, root)
        cure = "Take out what hangs, or ends the process: the DAG processor imports the file again and again."
        return FileFacts(path, job.bundle.name, 0.0, (Finding(path, None, answer["error"], cure),))

    return ask


def _hash_asker(deployment: Mapping[str, Any]) -> Callable[["Worker", Job], dict[str, str]]:
    def ask(worker: Worker, job: Job) -> dict[str, str]:
        words = {"file": str(job.file), "team": job.bundle.name, "folder": str(job.bundle.folder), "hashes": True}
        hashes: dict[str, str] = worker.ask({**words, **deployment}).get("value", {})
        return hashes

    return ask


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


def _share(
    workers: Sequence["Worker"],
    jobs: Sequence[Job],
    ask: Callable[["Worker", Job], Answer],
    progress: Callable[[int, int], None] | None,
    total: int,
) -> list[tuple[Job, Answer]]:
    """Let every worker take the next job when it is done with one."""
    pending: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        pending.put(job)
    found: list[tuple[Job, Answer]] = []
    failures: list[CronliftError] = []

    def work(worker: Worker) -> None:
        while not failures:
            try:
                job = pending.get_nowait()
            except queue.Empty:
                return
            try:
                found.append((job, ask(worker, job)))
            except CronliftError as error:
                failures.append(error)
            if progress is not None:
                progress(len(found), total)

    threads = [threading.Thread(target=work, args=(each,)) for each in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return found


class Worker:
    """One process, which answers one request at a time; see `facts_worker`.

    Args:
        connection: Where it listens.
        process: Of which it is a fork, or which it is.
        errors: File that gets its standard error.
    """

    def __init__(self, connection: socket.socket, process: "subprocess.Popen[bytes]", errors: Path) -> None:
        self._connection, self._process, self._errors = connection, process, errors
        self._file = connection.makefile("rw", encoding="utf-8")

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            CronliftError: The process has ended.
        """
        try:
            self._file.write(json.dumps(dict(request)) + "\n")
            self._file.flush()
            line = self._file.readline()
        except OSError:
            line = ""
        if not line:
            words = "\n".join(self._errors.read_text(errors="replace").splitlines()[-20:])
            raise CronliftError(
                f"A process that parses DAG files ended with exit code {self._process.wait()}:\n{words}\n"
                "Install the package with its dependencies (make .venv), and try again."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let the process end."""
        with suppress(OSError):
            self._file.close()
        self._connection.close()


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
        # The DAG processor's children say so of themselves; with `block_database`, DAG files get no database.
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
