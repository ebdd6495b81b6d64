"""Say how far a measurement is, and give up when it no longer moves."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ci.stages import Stage

STALLED_SECONDS = 90.0
"""Longer than any single step on a busy machine of two cores, such as a relist or a pause between attempts."""

PAUSE_SECONDS = 0.5

Say = Callable[[str], None]


class Movement:
    """What must change every so often.

    Args:
        what: Named when it does not.
    """

    def __init__(self, what: str) -> None:
        self._what, self._last, self._changed_at = what, "", time.monotonic()

    def note(self, state: str) -> None:
        """Take note of the present state.

        Raises:
            AssertionError: It has been the same for too long.
        """
        now = time.monotonic()
        if state != self._last:
            self._last, self._changed_at = state, now
        elif now - self._changed_at > STALLED_SECONDS:
            raise AssertionError(f"{self._what}: nothing has moved for {STALLED_SECONDS:.0f} s; last: {state}")


@contextmanager
def shown(name: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Show what is going on while output is captured; in the test itself, as a fixture would be captured again."""
    with capsys.disabled(), Stage(name) as stage:
        yield stage.say


def follow(is_done: Callable[[], bool], describe: Callable[[], str], what: str, say: Say) -> None:
    """Wait until something is done, as long as it moves.

    Args:
        is_done: Asked again and again.
        describe: Says how far it is.
        what: Named when it stalls.
        say: Takes a word on what is going on.

    Raises:
        AssertionError: It stalled.
    """
    movement = Movement(what)
    while not is_done():
        state = describe()
        say(state)
        movement.note(state)
        time.sleep(PAUSE_SECONDS)
