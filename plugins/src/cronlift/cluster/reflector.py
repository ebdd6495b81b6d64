"""Keep a store equal to a collection of the API server: list it, watch it, and recover from everything.

Three nested loops with one duty each: for ever, list then watch, one connection.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Protocol

from cronlift import errors
from cronlift.cluster.client import Json
from cronlift.cluster.metrics import WATCH_RESTARTS, Metrics, NullMetrics
from cronlift.cluster.patience import asked_pause

log = logging.getLogger(__name__)

PAGE_SIZE = 500
# The API server ends a watch after this long; random, so that watches do not all end together (as client-go does).
WATCH_SECONDS = (300, 600)
# Bookmarks come about once a minute, so silence for longer means that the connection is dead.
SILENCE_SECONDS = 90.0
# An end of a Job is not seen while the watch pauses, and one question in ten seconds harms no API server.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 10.0
SHORT_WATCH_SECONDS = 1.0
# etcd holds no object of more than 1.5 MiB.
EVENT_LIMIT_BYTES = 8 * 1024 * 1024


class Change(Enum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class WatchClient(Protocol):
    """What a reflector needs of a client."""

    async def list_page(self, path: str, params: Mapping[str, str]) -> Json:
        """Read one page of a collection."""

    def stream(
        self, call: str, path: str, params: Mapping[str, str], silence_seconds: float | None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a streaming answer."""

    async def reload_credentials(self) -> None:
        """Read the token again."""


def keep_all(item: Json) -> Json:
    """Keep an object, less the bookkeeping of field managers."""
    item["metadata"].pop("managedFields", None)
    return item


class Reflector:
    """A collection, kept as a store (name -> last object).

    Args:
        client: Makes the calls.
        path: The collection, such as `/apis/batch/v1/namespaces/team-demo/jobs`.
        selector: Label selector.
        changed: Called after the store has changed; must not raise nor wait.
        trim: Reduces an object to what is worth keeping.
        silence_seconds: See SILENCE_SECONDS.
        first_pause_seconds: Pause after the first failure; doubles up to LONGEST_PAUSE_SECONDS.
        metrics: Where restarts are counted; None for nowhere.
    """

    def __init__(
        self,
        client: WatchClient,
        path: str,
        selector: str,
        changed: Callable[[Change, Json], None],
        trim: Callable[[Json], Json] = keep_all,
        *,
        silence_seconds: float = SILENCE_SECONDS,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics, self._resource = metrics or NullMetrics(), path.rpartition("/")[2]
        self._client, self._path, self._selector = client, path, selector
        self._changed, self._trim = changed, trim
        self._silence_seconds, self._first_pause_seconds = silence_seconds, first_pause_seconds
        self.store: dict[str, Json] = {}
        self.heard_at = time.monotonic()
        self.restarts = 0
        self._version: str | None = None
        self._failures = 0

    async def run(self) -> None:
        """List and watch for ever; returns only by cancellation."""
        while True:
            try:
                await self._list_then_watch()
            except Exception as error:  # whatever it is, the tasks of a whole namespace depend on this loop
                await self._recover(error)
            self.restarts += 1
            self._metrics.count(WATCH_RESTARTS, resource=self._resource)

    def offer(self, item: Json) -> None:
        """Take an object that came another way, unless the store has a newer one."""
        self._put(Change.MODIFIED, item)

    async def _list_then_watch(self) -> None:
        if self._version is None:
            self._version = await self._list()
        while True:
            await self._watch_once()

    async def _list(self) -> str:
        """Read the whole collection and make the store equal to it."""
        started = time.monotonic()
        try:
            found, page = await self._list_pages({"limit": str(PAGE_SIZE)})
        except errors.WatchExpiredError:
            # The pages are of one moment, which the server forgot before the last one was read: take all at once.
            found, page = await self._list_pages({})
        version = str(page["metadata"]["resourceVersion"])
        for name in [each for each in self.store if each not in found]:
            if not _newer_than_version(self.store[name], version):
                self._drop(self.store[name])
        for item in found.values():
            self._store(Change.MODIFIED, item)
        log.debug("Listed %d of %s in %.2f s", len(found), self._path, time.monotonic() - started)
        return version

    async def _list_pages(self, params: dict[str, str]) -> tuple[dict[str, Json], Json]:
        """Read page by page; return the objects by name, and the last page."""
        found: dict[str, Json] = {}
        params = {"labelSelector": self._selector, **params}
        while True:
            page = await self._client.list_page(self._path, params)
            self.heard_at = time.monotonic()
            for item in page.get("items") or []:
                found[item["metadata"]["name"]] = self._trim(item)
            if not page["metadata"].get("continue"):
                return found, page
            params["continue"] = page["metadata"]["continue"]

    async def _watch_once(self) -> None:
        """Follow one connection to its end."""
        params = {
            "labelSelector": self._selector,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(random.randint(*WATCH_SECONDS)),  # noqa: S311 - spreading load needs no secret
        }
        async with self._client.stream(f"watch {self._path}", self._path, params, self._silence_seconds) as chunks:
            opened = self.heard_at = time.monotonic()
            try:
                async for line in lines(chunks):
                    self.heard_at = time.monotonic()
                    self._take(json.loads(line))
                    self._works()
            finally:
                is_short = time.monotonic() - opened < SHORT_WATCH_SECONDS
                if not is_short:
                    self._works()
        if is_short:
            # A server that ends watches at once must not be asked again at once.
            await asyncio.sleep(self._first_pause_seconds)

    def _take(self, event: Json) -> None:
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            raise _status_error(self._path, item)
        self._version = str(item["metadata"]["resourceVersion"])
        if kind == Change.DELETED.value:
            self._drop(item)
        elif kind in (Change.ADDED.value, Change.MODIFIED.value):
            self._put(Change(kind), item)
        elif kind != "BOOKMARK":
            log.debug("Watch of %s brought an event of the unknown type %r", self._path, kind)

    def _put(self, change: Change, item: Json) -> None:
        self._store(change, self._trim(item))

    def _store(self, change: Change, kept: Json) -> None:
        """Store an object, unless what is held is newer: it may have come another way, ahead of the watch."""
        held = self.store.get(kept["metadata"]["name"])
        if held is None or not _newer(held, kept):
            self.store[kept["metadata"]["name"]] = kept
            self._changed(change, kept)

    def _drop(self, item: Json) -> None:
        held = self.store.get(item["metadata"]["name"])
        if held is not None and held["metadata"].get("uid") == item["metadata"].get("uid"):
            del self.store[item["metadata"]["name"]]
            self._changed(Change.DELETED, held)

    def _works(self) -> None:
        """Take note that the watch works; a list alone says little."""
        if self._failures:
            log.info("Watch of %s works again after %d failures", self._path, self._failures)
            self._failures = 0

    async def _recover(self, error: Exception) -> None:
        """Say it once, and pause: as long as the server asks, or longer with each failure."""
        self._failures += 1
        if isinstance(error, (errors.ConnectionLostError, errors.WatchExpiredError)) or self._failures > 1:
            log.debug("Watch of %s failed %d times: %s", self._path, self._failures, error)
        else:
            log.warning("Watch of %s failed, will try again: %s: %s", self._path, type(error).__name__, error)
        if isinstance(error, errors.UnauthorizedError):
            await self._reload_credentials()
        if isinstance(error, errors.WatchExpiredError) or not isinstance(error, errors.CronliftError):
            self._version = None  # too old, or an answer that we do not understand: begin anew
        pause = min(self._first_pause_seconds * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(max(pause * random.uniform(0.5, 1.0), asked_pause(error)))  # noqa: S311

    async def _reload_credentials(self) -> None:
        try:
            await self._client.reload_credentials()
        except errors.CronliftError as error:
            log.warning("Cannot read the token again: %s", error)


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut a stream into events; what follows the last newline is dropped, because a cut stream may end anywhere."""
    buffer = bytearray()
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) > EVENT_LIMIT_BYTES + len(chunk):
            raise ValueError(f"an event of more than {EVENT_LIMIT_BYTES} bytes")
        while (end := buffer.find(b"\n")) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            if line:
                yield line


def _status_error(path: str, status: Json) -> errors.ApiError:
    code = int(status.get("code") or 0)
    kind = errors.WatchExpiredError if code == 410 else errors.ApiError
    return kind(f"watch {path}", code, str(status.get("reason") or ""), str(status.get("message") or ""))


def _newer(item: Json, than: Json) -> bool:
    return _newer_than_version(item, str(than["metadata"].get("resourceVersion") or "0"))


def _newer_than_version(item: Json, version: str) -> bool:
    """Compare resource versions, which Kubernetes 1.35 declares to be ordered numbers and which always were."""
    try:
        return int(item["metadata"]["resourceVersion"]) > int(version)
    except (KeyError, ValueError):
        return False
