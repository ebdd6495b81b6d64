"""What all tasks of a process share: one session per cluster, one client per user, one watch per namespace.

Everything belongs to an event loop. A triggerer has one for its life; `dag.test()` makes one for each task.
"""

import asyncio
import logging
from weakref import WeakKeyDictionary

import aiohttp

from cronlift.cluster.client import KubernetesClient
from cronlift.cluster.config import ClusterConfig, load_config
from cronlift.cluster.watch import SharedWatch

log = logging.getLogger(__name__)

# An idle connection is worth a TLS handshake; longer than the pauses between the tasks of a busy deployment.
KEEP_ALIVE_SECONDS = 90.0
_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


class Hub:
    """The shared connections of one event loop.

    Args:
        config: The cluster and our credentials; None to find them at first use.
    """

    def __init__(self, config: ClusterConfig | None = None) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()
        self._watches: dict[tuple[str, str, str], SharedWatch] = {}

    async def client(self, impersonate: str) -> KubernetesClient:
        """Return a client that acts as a user.

        Raises:
            ClusterConfigError: There is no cluster.
        """
        async with self._opening:
            if self._config is None:
                self._config = await asyncio.to_thread(load_config)
            if self._session is None or self._session.closed:
                # No limit: a log stream holds its connection as long as its container runs.
                connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
                self._session = aiohttp.ClientSession(connector=connector)
        return KubernetesClient(self._session, self._config, impersonate)

    def watch(self, client: KubernetesClient, namespace: str, selector: str) -> SharedWatch:
        """Return the watch of a namespace as a user, made at first use and dropped when it has been idle."""
        key = (client.impersonate or "", namespace, selector)
        if key not in self._watches:

            def forget() -> None:
                self._watches.pop(key, None)

            self._watches[key] = SharedWatch(client, namespace, selector, on_idle=forget)
        return self._watches[key]

    async def close(self) -> None:
        """Stop every watch and close every connection."""
        watches, self._watches = list(self._watches.values()), {}
        for watch in watches:
            await watch.close()
        if self._session is not None:
            await self._session.close()


def hub() -> Hub:
    """Return the running event loop's hub."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


def use(new: Hub) -> None:
    """Give the running event loop a hub of its own, with another cluster than the one found by default."""
    _hubs[asyncio.get_running_loop()] = new
