"""Which faults pass by themselves, and how to wait for that."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cronlift import errors

RETRY_PAUSE_SECONDS = 1.0
# A server that asks for a longer pause than this is asked again all the same.
LONGEST_ASKED_SECONDS = 60.0

Answer = TypeVar("Answer")


def is_passing(error: errors.ClusterError) -> bool:
    """Tell an error that may be gone in a minute from one that somebody has to put right."""
    if isinstance(error, errors.ApiError):
        return error.code in (401, 429) or error.code >= 500
    return isinstance(error, errors.ConnectionLostError)


def asked_pause(error: BaseException) -> float:
    """Return how many seconds the API server asks to wait; 0.0 when it does not."""
    asked = error.retry_after_seconds if isinstance(error, errors.ApiError) else None
    return min(max(asked or 0.0, 0.0), LONGEST_ASKED_SECONDS)


async def persistently(
    call: Callable[[], Awaitable[Answer]],
    seconds: float,
    passes: Callable[[errors.ClusterError], bool] = is_passing,
) -> Answer:
    """Make a call, again and again while it fails by what passes, for so long.

    Args:
        call: Makes the call.
        seconds: How long to go on.
        passes: Which errors to try again after.

    Raises:
        ClusterError: The last error, or the first one that does not pass.
    """
    end = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await call()
        except errors.ClusterError as error:
            if not passes(error) or asyncio.get_running_loop().time() > end:
                raise
            pause = max(RETRY_PAUSE_SECONDS, asked_pause(error))
        await asyncio.sleep(pause)
