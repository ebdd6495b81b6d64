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
# The socket holds some 200 KB, which takes the triggerer about three seconds. When others keep it full it is never
# empty, but after so long it has taken what was ours.
LONGEST_SECONDS = 5.0


async def delivered(longest_seconds: float = LONGEST_SECONDS) -> None:
    """Wait until every line that was written so far has been taken, or for so long."""
    end = asyncio.get_running_loop().time() + longest_seconds
    while unread_bytes() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - nobody tells of a reading
        await asyncio.sleep(POLL_SECONDS)


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
