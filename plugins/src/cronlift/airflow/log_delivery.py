"""Wait until Airflow has taken a task's last log lines, because what comes after the trigger's end is lost to the task.

The process that runs triggers (Airflow 3.3.2) sends log lines through one socket and the ends of triggers through
another. The triggerer reads 4 KiB of lines between two looks at the database, and closes a task's log as soon as it
hears of the end; lines that it reads later go into its own log. When many tasks end at once, these are their last
lines: why each failed.
"""

import asyncio
import fcntl
import logging
import os
import stat
import struct
import termios
from typing import Any

POLL_SECONDS = 0.02
# The socket holds some 200 KB, which takes the triggerer about three seconds.
LONGEST_SECONDS = 5.0


class ReadingPosition:
    """How much of this process's log the triggerer has read, seen from the writing end.

    The socket tells how much waits in it. What it tells less than at the look before has been read; what was written
    between two looks hides as much reading, so that the position may lag behind and never runs ahead.
    """

    def __init__(self) -> None:
        self._read = self._waiting = self._furthest = 0

    def mark(self) -> int:
        """Return the position of what was written last, for `passed`."""
        self._look()
        self._furthest = self._read + self._waiting
        return self._furthest

    async def passed(self, mark: int, longest_seconds: float = LONGEST_SECONDS) -> None:
        """Wait until everything up to a mark has been read, or for so long."""
        end = asyncio.get_running_loop().time() + longest_seconds
        while self._look() < mark and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - nobody tells of a reading
            await asyncio.sleep(POLL_SECONDS)

    def _look(self) -> int:
        waiting = unread_bytes()
        self._read += max(self._waiting - waiting, 0)
        if not waiting:
            self._read = max(self._read, self._furthest)
        self._waiting = waiting
        return self._read


position = ReadingPosition()
"""Of this process: it has one log."""


def unread_bytes() -> int:
    """Return how much of the log the triggerer has not read; 0 where the log goes elsewhere (workers, `dag.test()`).

    Source:
        unix(7), SIOCOUTQ, which Linux has under the name TIOCOUTQ too; the count includes the kernel's bookkeeping.
    """
    descriptor = _log_socket()
    if descriptor is None:
        return 0
    answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])


def _log_socket() -> int | None:
    """Return the socket that this process's log goes to, if it goes to one."""
    for handler in logging.getLogger().handlers:
        stream: Any = getattr(handler, "stream", None)
        try:
            descriptor = int(stream.fileno())
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                return descriptor
        except (AttributeError, OSError, ValueError):
            continue  # no stream, closed, or no file behind it
    return None
