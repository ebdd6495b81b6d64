"""Seconds since git-sync last reached the repository, from the counts that it serves in the same Pod.

Its `/` answers 200 for ever after the first sync, its errors count nothing when a connection hangs: only a count of
successes (`success`, or `noop` when nothing was new) that stands still tells that nothing arrives any more.
"""

import re
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

POLL_SECONDS = 5.0
TIMEOUT_SECONDS = 0.5
"""It is on the loopback; the DAG processor waits for it."""

_COUNT = re.compile(r'^git_sync_count_total\{[^}]*status="(?:success|noop)"[^}]*\} ([0-9.e+]+)$', re.MULTILINE)


def fetch(url: str) -> str:
    """Return the page of counts.

    Raises:
        OSError: git-sync does not answer.
    """
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - the chart's own address
        content: bytes = answer.read()
    return content.decode(errors="replace")


def count_successes(page: str) -> float:
    """Return how often git-sync reached the repository."""
    return sum(float(count) for count in _COUNT.findall(page))


@dataclass
class SyncAge:
    """Watches the counts of one git-sync.

    Args:
        url: Where it serves them.
        read: Reads the page.
        clock: A clock that only goes forward, seconds.
    """

    url: str
    read: Callable[[str], str] = fetch
    clock: Callable[[], float] = time.monotonic
    _count: float = -1.0
    _synced: float | None = None
    _asked: float = float("-inf")

    def seconds(self) -> float | None:
        """Return the age of the last success that was seen; None before the first."""
        now = self.clock()
        if now - self._asked >= POLL_SECONDS:
            self._asked = now
            with suppress(OSError):
                count = count_successes(self.read(self.url))
                if count > 0 and count != self._count:
                    self._synced = now
                self._count = count
        return None if self._synced is None else now - self._synced
