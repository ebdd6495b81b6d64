"""What all unit tests share: one pair of processes that parse DAG files, since each start imports Airflow."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from cronlift.airflow import facts_pool


@pytest.fixture(scope="session")
def parsing_workers() -> Iterator[None]:
    """Let every call of `load_facts` ask the same processes; they fork for each file, so none sees another's."""
    started = facts_pool.started_workers
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        kept: dict[tuple[int, int], list[Any]] = {}

        @contextmanager
        def workers(count: int, seed: int = 1) -> Iterator[list[Any]]:
            if (count, seed) not in kept:
                kept[count, seed] = stack.enter_context(started(count, seed))
            yield kept[count, seed]

        patch.setattr(facts_pool, "started_workers", workers)
        yield
