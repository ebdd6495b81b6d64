import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO
from unittest.mock import MagicMock

import pytest

from cronlift.airflow.log_delivery import LONGEST_SECONDS, ReadingPosition, unread_bytes

AS_THE_TRIGGERER_DOES = """
import os, socket, sys
import structlog
from airflow.sdk.execution_time.supervisor import _configure_logs_over_json_channel
from cronlift.airflow.log_delivery import unread_bytes

ours, triggerers = socket.socketpair()
_configure_logs_over_json_channel(os.dup(ours.fileno()))
structlog.get_logger().info("a task's last line")
before = unread_bytes()
line = triggerers.recv(65536)
print(before > 0, b"a task's last line" in line, unread_bytes())
"""


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, triggerers = socket.socketpair()
    with ours, triggerers:
        yield ours, triggerers


@pytest.fixture
def log_stream(sockets: tuple[socket.socket, socket.socket]) -> Iterator[BinaryIO]:
    """Where this process's log goes; it holds one line already."""
    with os.fdopen(os.dup(sockets[0].fileno()), "wb", buffering=0) as stream:
        handler = logging.StreamHandler(stream)
        logging.getLogger().addHandler(handler)
        stream.write(b"a task's last line\n")
        yield stream
        logging.getLogger().removeHandler(handler)


@pytest.fixture
def triggerers_end(sockets: tuple[socket.socket, socket.socket], log_stream: BinaryIO) -> socket.socket:
    """The other end of the socket to which this process's log goes."""
    return sockets[1]


async def test_it_waits_until_the_triggerer_has_read_the_last_line(triggerers_end: socket.socket) -> None:
    assert unread_bytes() > 0
    position = ReadingPosition()
    waiting = asyncio.ensure_future(position.passed(position.mark()))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert triggerers_end.recv(100) == b"a task's last line\n"
    await asyncio.wait_for(waiting, 1)


async def test_it_does_not_wait_for_what_others_write_afterwards(
    triggerers_end: socket.socket, log_stream: BinaryIO
) -> None:
    position = ReadingPosition()
    waiting = asyncio.ensure_future(position.passed(position.mark()))
    await asyncio.sleep(0)
    log_stream.write(b"another task's line\n")
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert triggerers_end.recv(len(b"a task's last line\n")) == b"a task's last line\n"
    await asyncio.wait_for(waiting, 1)
    assert unread_bytes() > 0


async def test_an_empty_socket_has_passed_every_mark(triggerers_end: socket.socket, log_stream: BinaryIO) -> None:
    position = ReadingPosition()
    mark = position.mark()
    triggerers_end.recv(100)
    log_stream.write(b"as much that is written hides\n" * 3)
    triggerers_end.recv(1000)
    await asyncio.wait_for(position.passed(mark), 0.05)


async def test_it_does_not_wait_for_ever_for_a_triggerer_that_others_keep_busy(triggerers_end: socket.socket) -> None:
    position = ReadingPosition()
    started = time.monotonic()
    await position.passed(position.mark(), longest_seconds=0.1)
    assert 0.1 <= time.monotonic() - started < LONGEST_SECONDS
    assert unread_bytes() > 0


async def test_without_a_triggerer_it_does_not_wait_at_all() -> None:
    assert unread_bytes() == 0
    position = ReadingPosition()
    await asyncio.wait_for(position.passed(position.mark()), 0.05)


def test_airflow_sends_the_log_through_a_socket_that_we_find() -> None:
    """In Airflow 3.3.2; when a later one does otherwise, look whether lines after a trigger's end are lost still."""
    done = subprocess.run(
        [sys.executable, "-c", AS_THE_TRIGGERER_DOES], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["True", "True", "0"]


def test_airflow_closes_a_tasks_log_when_it_hears_of_the_end() -> None:
    """Why we wait: what the triggerer reads of the task's lines afterwards goes into its own log (3.3.2)."""
    from airflow.jobs.triggerer_job_runner import TriggerRunnerSupervisor, messages

    log = MagicMock()
    supervisor = MagicMock(logger_cache={7: log}, persisted_event_seqs=deque(), creating_triggers=deque())
    ended = messages.TriggerStateChanges(events=None, finished=[7], failures=None)
    TriggerRunnerSupervisor._handle_request(supervisor, ended, MagicMock(), 1)
    log.close.assert_called_once_with()
    assert supervisor.logger_cache == {}
