"""What a template may use of the process that renders it: time, size, powers and repetitions."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

# etcd refuses objects of more than 1.5 MiB.
SIZE_LIMIT_CHARACTERS = 1024 * 1024
# Variables and connections are fetched while rendering: the first one of a triggerer may take 15 s (Airflow 3.3.2).
TIME_LIMIT_SECONDS = 40.0


@dataclass(frozen=True)
class Limits:
    """What a template may use.

    Args:
        seconds: Wall time.
        characters: Size of the result.
    """

    seconds: float = TIME_LIMIT_SECONDS
    characters: int = SIZE_LIMIT_CHARACTERS


class LimitError(Exception):
    """A template went over a limit."""


def bounded(pieces: Iterator[str], limits: Limits) -> str:
    """Join the pieces of a result.

    Raises:
        LimitError: It became too large.
    """
    kept, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > limits.characters:
            raise LimitError(f"a result of more than {limits.characters} characters")
        kept.append(piece)
    return "".join(kept)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop this thread's Python code when its time is over; nothing else can stop a synchronous template.

    Raises:
        LimitError: Out of the code that was stopped.
    """
    deadline, previous = time.monotonic() + seconds, sys.gettrace()

    def stop_when_late(frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any] | None:
        if time.monotonic() > deadline:
            raise LimitError(f"more than {seconds:g} s")
        # Each line of a template, but of other code only each call: a module that is imported to read a connection
        # would take ten times as long.
        return stop_when_late if "debug_info" in frame.f_globals else None

    sys.settrace(stop_when_late)
    try:
        yield
    finally:
        sys.settrace(previous)
