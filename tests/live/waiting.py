"""Wait for something that a live system will do, with a deadline and words."""

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.3
"""Airflow's API has no watch; each question costs it about 20 ms."""


def wait_for(is_true: Callable[[], object], what: str, timeout_seconds: float) -> float:
    """Wait until a condition holds; return the seconds that took.

    Args:
        is_true: Asked again and again.
        what: Named when it does not come.
        timeout_seconds: When to give up.

    Raises:
        AssertionError: It did not come in time.
    """
    started = time.monotonic()
    while not is_true():
        if time.monotonic() - started > timeout_seconds:
            raise AssertionError(f"No {what} within {timeout_seconds:.0f} s")
        time.sleep(PAUSE_SECONDS)
    return time.monotonic() - started
