"""Give back the memory that a burst of starts has used, once it is over."""

import asyncio
import contextvars
import ctypes
from collections.abc import Callable

# Starts come in bursts of as many tasks as a run has at its beginning.
QUIET_SECONDS = 5.0


def trim_heap() -> None:
    """Return what is free in the heap to the operating system, where the C library can (glibc); takes milliseconds.

    It does so by itself only at the heap's end, where something is nearly always in use: 12 MiB stay after the start
    of 100 tasks of one DAG, whose manifests and DAG copies are freed.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class BurstMemory:
    """Trims the heap when no task has started for a moment.

    Args:
        trim: What does it; called in a thread.
        quiet_seconds: See QUIET_SECONDS.
    """

    def __init__(self, trim: Callable[[], None] = trim_heap, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._trim, self._quiet_seconds = trim, quiet_seconds
        self._timer: asyncio.TimerHandle | None = None

    def note_start(self) -> None:
        """Take note that a task has started."""
        self.cancel()
        loop = asyncio.get_running_loop()
        # In a context of its own: it belongs to no task.
        self._timer = loop.call_later(self._quiet_seconds, self._begin, context=contextvars.Context())

    def cancel(self) -> None:
        """Do not trim any more, until another task starts."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._timer = None
        asyncio.get_running_loop().run_in_executor(None, self._trim)
