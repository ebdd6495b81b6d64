"""The events that say why Jobs have no Pods, read once for all the tasks of a namespace that wait.

The API server keeps no index of events: to answer about one Job it reads all events of the namespace. When Pods come
slowly, thousands of tasks ask at the same time, so they share the answer.
"""

import asyncio
from typing import Protocol

from cronlift import errors
from cronlift.cluster.client import Json


class WarningReader(Protocol):
    """What this needs of a client."""

    async def list_job_warnings(self, namespace: str) -> list[Json]:
        """List the warnings about all Jobs of a namespace."""


class JobEvents:
    """Warnings about the Jobs of a namespace.

    Args:
        client: Reads them.
        namespace: Where.
    """

    def __init__(self, client: WarningReader, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self._of: dict[str, list[Json]] = {}
        self._read_at = float("-inf")
        self._error: errors.ClusterError | None = None
        self._reading = asyncio.Lock()

    async def of(self, name: str, since: float) -> list[Json]:
        """Return the warnings about a Job, oldest first.

        Args:
            name: Of the Job.
            since: By the event loop's clock: an answer that was asked for earlier is too old.

        Raises:
            ClusterError: They cannot be read; whoever asked meanwhile is told the same.
        """
        async with self._reading:
            if self._read_at < since:
                await self._read()
        if self._error is not None:
            raise self._error.with_traceback(None)
        return self._of.get(name, [])

    async def _read(self) -> None:
        asked_at = asyncio.get_running_loop().time()
        found: dict[str, list[Json]] = {}
        try:
            for event in await self._client.list_job_warnings(self._namespace):
                kept = {"reason": event.get("reason"), "message": event.get("message")}
                found.setdefault(event["involvedObject"]["name"], []).append(kept)
            self._error = None
        except errors.ClusterError as error:
            self._error = error
        self._of, self._read_at = found, asked_at
