"""Processes that parse DAG files for `cronlift.airflow.facts_pool`: python -m cronlift.airflow.facts_worker 3 4.

One imports Airflow, and forks into as many as there are arguments, each the number of a socket: a line of JSON from it
is a request, a line back its answer. They fork for each file, as the DAG processor does, so no file sees what another
has imported, and one that crashes or hangs is only itself at fault. Whatever DAG files print goes to standard error.
"""

import gc
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cronlift import uri_grammar
from cronlift.errors import ContentRefusedError

FILE_PATIENCE_SECONDS = 60.0
"""Airflow itself gives up after 30 s, [core] dagbag_import_timeout, by a signal that compiled code does not look at."""


def main(sockets: Sequence[int]) -> None:
    """Answer the requests of every socket until it ends.

    Args:
        sockets: Their file descriptors.
    """
    os.dup2(2, 1)
    gc.disable()  # what an import makes stays, so looking through it again and again finds nothing
    with uri_grammar.put_off():
        from cronlift.airflow import dag_facts

        dag_facts.warm_up()
    dag_facts.block_database()
    sys.dont_write_bytecode = True  # from here on it would be beside the DAG files
    gc.freeze()
    gc.enable()
    for number in sockets[1:]:
        if os.fork() == 0:
            _serve(number, sockets)
            os._exit(0)
    _serve(sockets[0], sockets)
    for _ in sockets[1:]:
        os.wait()
    os._exit(0)  # taking Airflow down in order costs half a second


def _serve(number: int, sockets: Sequence[int]) -> None:
    """Answer the requests of one socket, and hold none of the others' open."""
    for other in sockets:
        if other != number:
            os.close(other)
    with os.fdopen(number, encoding="utf-8") as requests, os.fdopen(os.dup(number), "w", encoding="utf-8") as answers:
        for line in requests:
            request = json.loads(line)
            answer = in_child(lambda request=request: _answer(request))  # type: ignore[misc]
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _answer(request: dict[str, Any]) -> Any:
    from cronlift.airflow import dag_facts

    os.environ.update(request["environment"])
    if "folders" in request:
        return {each: _list(Path(each)) for each in request["folders"]}
    folder = Path(request["folder"])
    if request.get("hashes"):
        return dag_facts.hashes(Path(request["file"]), request["team"], folder)
    root, at = Path(request["root"]), datetime.fromisoformat(request["at"])
    span = dag_facts.Span(at, request["runs"], timedelta(hours=request["hours"]))
    found = dag_facts.read_file(Path(request["file"]), request["team"], folder, root, span)
    return found.to_json()


def _list(folder: Path) -> dict[str, Any]:
    from cronlift.airflow.dag_files import list_files

    try:
        return {"files": [str(file) for file in list_files(folder)]}
    except ContentRefusedError as error:
        return {"refused": str(error)}


def in_child(work: Callable[[], Any], patience_seconds: float = FILE_PATIENCE_SECONDS) -> dict[str, Any]:
    """Do something in a forked process and bring back what it returns.

    Args:
        work: Returns what JSON can hold.
        patience_seconds: After so long the process is killed.

    Returns:
        {"value": ...}, or {"error": "in words"} when the process did not live to tell.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _be_child(work, theirs)
    os.close(theirs)
    try:
        text, in_time = _read(ours, patience_seconds)
    finally:
        os.close(ours)
    if not in_time:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not in_time:
        return {"error": f"the import did not end within {patience_seconds:.0f} s"}
    if not text:
        code = os.waitstatus_to_exitcode(status)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended its process with exit code {code}"
        return {"error": f"the import {how}"}
    found: dict[str, Any] = json.loads(text)
    return found


def _be_child(work: Callable[[], Any], pipe: int) -> None:
    """Do the work and end this process, whatever happens."""
    code = 1
    try:
        text = json.dumps({"value": work()})
        with os.fdopen(pipe, "w", encoding="utf-8") as file:
            file.write(text)
        code = 0
    except Exception as error:
        with suppress(OSError), os.fdopen(pipe, "w", encoding="utf-8") as file:
            file.write(json.dumps({"error": f"{type(error).__name__}: {error}"}))
    finally:
        os._exit(code)


def _read(pipe: int, patience_seconds: float) -> tuple[str, bool]:
    """Read all that comes through a pipe; tell whether its other end was closed in time."""
    deadline = time.monotonic() + patience_seconds
    parts: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([pipe], [], [], left)[0]:
            break
        part = os.read(pipe, 1 << 16)
        if not part:
            return b"".join(parts).decode(), True
        parts.append(part)
    return "", False


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]])
