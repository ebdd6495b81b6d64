"""Undo what a test does to the platform: at the end of a block, and also when the test session dies inside it."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ci.paths import KUBECONFIG, LOGS
from ci.tools import tool

ATTEMPTS, PAUSE_SECONDS = 60, 2
"""The API server may be away just now."""


class Undoing:
    """Commands that run when the block ends, however it ends.

    A detached shell waits for the end of its input and then runs them. The input ends when the block does, and also
    when this process is killed, so there is one way for both. Register before you change anything; each command must
    do no harm when there is nothing to undo.

    Args:
        commands: Each with its arguments; run in this order, again and again until they succeed.
    """

    def __init__(self, *commands: Sequence[str | Path]) -> None:
        self._script = "cat >/dev/null\nstatus=0\n" + "".join(_persistently(command) for command in commands)
        self._script += "exit $status\n"
        self._log = LOGS / "undo.log"

    def __enter__(self) -> "Undoing":
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C must not reach it. A file, because a pipe could break before it is done.
            self._shell = subprocess.Popen(
                ["sh", "-c", self._script], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shell.stdin:
            self._shell.stdin.close()
        if self._shell.wait():
            raise AssertionError(f"A test's change could not be undone, see {self._log}")


def kubectl_words(*words: str) -> list[str | Path]:
    """Return a call of kubectl for `Undoing`."""
    return [tool("kubectl"), f"--kubeconfig={KUBECONFIG}", "--request-timeout=20s", *words]


def _persistently(command: Sequence[str | Path]) -> str:
    words = shlex.join(map(str, command))
    return (
        f"n=0; until {words}; do n=$((n+1)); if [ $n -ge {ATTEMPTS} ]; then status=1; break; fi; "
        f"sleep {PAUSE_SECONDS}; done\n"
    )
