"""Run programs: quiet when they succeed, with their command and output when they fail."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ci.errors import CommandError


def run(
    *command: str | Path,
    log: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout_seconds: float | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    Args:
        command: Program and arguments; no shell.
        log: Append stdout and stderr to this file (its folder is made), where `Stage` shows its last line.
        cwd: Folder to run in; the current one by default.
        env: Variables to add to this process's environment.
        stdin: Text for its standard input; empty by default.
        timeout_seconds: Kill it after so long; None waits for ever.

    Returns:
        Its standard output; empty when `log` is given.

    Raises:
        CommandError: It ended with another code than 0, could not be started, or took too long.
    """
    words = [str(word) for word in command]
    sink = None
    offset = 0
    try:
        if log:
            log.parent.mkdir(parents=True, exist_ok=True)
            sink = log.open("ab")
            offset = sink.tell()
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=(stdin or "").encode(),
            stdout=sink or subprocess.PIPE,
            stderr=subprocess.STDOUT if sink else subprocess.PIPE,
            timeout=timeout_seconds,
            check=False,
        )
    except OSError as error:
        # As a shell has it: 127 is not found, 126 is found but not to be run.
        raise CommandError(words, 127 if isinstance(error, FileNotFoundError) else 126, str(error), log) from error
    except subprocess.TimeoutExpired as error:
        output = _read_from(log, offset) if log else (error.output or b"").decode(errors="replace")
        raise CommandError(words, 124, f"{output}\nNot finished after {timeout_seconds:g} s", log) from error
    finally:
        if sink:
            sink.close()
    if done.returncode:
        output = _read_from(log, offset) if log else (done.stdout + done.stderr).decode(errors="replace")
        raise CommandError(words, done.returncode, output, log)
    return "" if log else done.stdout.decode(errors="replace")


def _read_from(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")
