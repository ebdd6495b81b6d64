"""Memory of a burst of starts is given back once, when it is over."""

import asyncio
import threading

from cronlift.cluster.memory import BurstMemory, trim_heap
from tests.unit.cluster.conftest import until


async def test_heap_is_trimmed_once_after_a_burst_and_off_the_event_loop():
    threads: list[int] = []
    memory = BurstMemory(lambda: threads.append(threading.get_ident()), quiet_seconds=0.02)
    for _ in range(5):
        memory.note_start()
    await until(lambda: threads)
    await asyncio.sleep(0.1)
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


async def test_nothing_is_trimmed_after_the_end():
    trimmed: list[None] = []
    memory = BurstMemory(lambda: trimmed.append(None), quiet_seconds=0.01)
    memory.note_start()
    memory.cancel()
    await asyncio.sleep(0.05)
    assert trimmed == []


def test_heap_can_be_trimmed_here():
    trim_heap()
