"""Steps with a tick or a cross and a time; a moving line under the long ones."""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from ci.errors import CiError

FRAME_SECONDS = 0.2
QUIET_REPORT_SECONDS = 20.0
"""Without a terminal (CI logs) a long stage says so often that it is alive."""


class Stage:
    """One line of progress on stderr: name, what it is doing now, and its time at the end.

    Use as a context manager; an exception shows a cross and is raised on.

    Args:
        name: What is being done, an imperative ("Build Kubernetes").
        log: A file whose last line is shown while the stage runs.
        expected_seconds: About how long it takes when nothing is cached; shown as a bar. None shows no bar.
    """

    def __init__(self, name: str, *, log: Path | None = None, expected_seconds: float | None = None) -> None:
        self.name, self.expected_seconds = name, expected_seconds
        self.note = ""
        """A short word on the result, shown behind the name at the end ("cached")."""
        self._log = log
        self._detail = ""
        self._done = threading.Event()
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> "Stage":
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        mark = "\033[31m✗\033[0m" if error and self._terminal else "✗" if error else "✓"
        if self._terminal and not error:
            mark = "\033[32m✓\033[0m"
        note = f" ({self.note})" if self.note else ""
        self._write(f"{mark} {self.name}{note} {self.seconds:.1f} s", end="\n")

    @property
    def seconds(self) -> float:
        """Seconds since the stage began."""
        return time.monotonic() - self._started

    def say(self, detail: str) -> None:
        """Show what the stage is doing at this moment."""
        self._detail = detail

    def _show(self) -> None:
        for frame in itertools.cycle("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"):
            if self._done.wait(FRAME_SECONDS if self._terminal else QUIET_REPORT_SECONDS):
                return
            line = f"{frame if self._terminal else '…'} {self.name} {self.seconds:.0f} s{self._bar()} {self._now()}"
            self._write(line[:118], end="" if self._terminal else "\n")

    def _bar(self) -> str:
        if not self.expected_seconds:
            return ""
        part = min(self.seconds / self.expected_seconds, 0.99)
        return f" [{'#' * round(20 * part):<20}] of about {self.expected_seconds:.0f} s"

    def _now(self) -> str:
        if self._detail or not self._log:
            return self._detail
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - 400))
                lines = file.read().decode(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _write(self, text: str, end: str) -> None:
        sys.stderr.write(("\r\033[K" if self._terminal else "") + text + end)
        sys.stderr.flush()


def wait_until(
    stage: Stage, check: Callable[[], str | None], *, timeout_seconds: float, pause_seconds: float = 0.5
) -> None:
    """Repeat a check until it has nothing left to wait for.

    Args:
        stage: Shows what is being waited for.
        check: Returns what is still missing, in words, or None when all is there.
        timeout_seconds: When to give up; a timeout is a failure.
        pause_seconds: Between two checks.

    Raises:
        CiError: Not there in time; names what was missing.
    """
    deadline = time.monotonic() + timeout_seconds
    while missing := check():
        if time.monotonic() > deadline:
            raise CiError(f"{stage.name}: not done after {timeout_seconds:.0f} s; still waiting for {missing}")
        stage.say(missing)
        time.sleep(pause_seconds)


@contextmanager
def exit_with_words() -> Iterator[None]:
    """Turn the errors that a step raises on purpose into a message and exit code 1, without a traceback."""
    try:
        yield
    except CiError as error:
        sys.stderr.write(f"\n✗ {error}\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Run the same command again to go on.\n")
        raise SystemExit(130) from None
