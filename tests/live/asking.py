"""Ask the login of the release all the time, as people and probes do, and note every answer."""

import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from ci.release import URL

PAUSE_SECONDS, TIMEOUT_SECONDS = 0.25, 60
"""A pod that has just started answers its first call after seconds."""


@contextmanager
def asking_the_login() -> Iterator[list[str]]:
    """Ask for a block; yields the answers: a status, or what went wrong."""
    answers: list[str] = []
    over = threading.Event()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask() -> None:
        while not over.wait(PAUSE_SECONDS):
            try:
                with direct.open(f"{URL}/api/v2/version", timeout=TIMEOUT_SECONDS) as answer:
                    answers.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                answers.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()
