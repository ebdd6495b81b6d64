"""What all tasks of a process share: one session, one client per user and cluster, one watch per namespace.

Everything belongs to an event loop. A triggerer has one for its life; `dag.test()` makes one for each task.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

import aiohttp

from cronlift.cluster.client import CALLS_AT_ONCE, KubernetesClient
from cronlift.cluster.config import ClusterConfig, load_config
from cronlift.cluster.memory import BurstMemory
from cronlift.cluster.metrics import Metrics, NullMetrics
from cronlift.cluster.watch import SharedWatch
from cronlift.errors import ClusterConfigError

# An idle connection is worth a TLS handshake; longer than the pauses between the tasks of a busy deployment.
KEEP_ALIVE_SECONDS = 90.0
# A log stream may rightly be silent for hours, so the kernel finds out whether its connection still lives: after 30 s
# of silence it asks every 10 s, and gives up after six questions without an answer.
PROBE_AFTER_SECONDS, PROBE_EVERY_SECONDS, PROBES = 30, 10, 6
_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


class Hub:
    """The shared connections of one event loop.

    Args:
        config: The own cluster and our credentials; None to find them at first use.
        metrics: Where measurements go; None for nowhere.
        configs: Other clusters by name: each is called once, in a thread, when it is first asked for.

    Attributes:
        memory: Takes note of each start.
    """

    def __init__(
        self,
        config: ClusterConfig | None = None,
        metrics: Metrics | None = None,
        configs: Mapping[str, Callable[[], ClusterConfig]] | None = None,
    ) -> None:
        self.metrics = metrics or NullMetrics()
        self.memory = BurstMemory()
        self._loaders: dict[str | None, Callable[[], ClusterConfig]] = {None: load_config}
        self._loaders.update(configs or {})
        self._configs: dict[str | None, ClusterConfig] = {None: config} if config is not None else {}
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()
        self._slots: dict[str | None, asyncio.Semaphore] = {}
        self._watches: dict[tuple[str | None, str, str, str], SharedWatch] = {}

    async def client(self, impersonate: str, cluster: str | None = None) -> KubernetesClient:
        """Return a client that acts as a user.

        Args:
            impersonate: The user.
            cluster: Name of another cluster; None for the own one.

        Raises:
            ClusterConfigError: There is no such cluster, or its credentials cannot be read.
        """
        if cluster not in self._loaders:
            known = ", ".join(sorted(name for name in self._loaders if name is not None)) or "none"
            raise ClusterConfigError(
                f"There is no cluster {cluster!r}. Other clusters of this deployment: {known}. "
                "Correct the task's `cluster`, or leave it out to use the own one."
            )
        async with self._opening:
            if cluster not in self._configs:
                self._configs[cluster] = await asyncio.to_thread(self._loaders[cluster])
            if self._session is None or self._session.closed:
                # No limit: a log stream holds its connection as long as its container runs.
                connector = aiohttp.TCPConnector(
                    limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, socket_factory=probed_socket
                )
                self._session = aiohttp.ClientSession(connector=connector)
        slots = self._slots.setdefault(cluster, asyncio.Semaphore(CALLS_AT_ONCE))
        return KubernetesClient(self._session, self._configs[cluster], impersonate, self.metrics, slots)

    def watch(self, client: KubernetesClient, namespace: str, selector: str, cluster: str | None = None) -> SharedWatch:
        """Return the watch of a cluster's namespace as a user, made at first use and dropped when it has been idle."""
        key = (cluster, client.impersonate or "", namespace, selector)
        if key not in self._watches:

            def forget() -> None:
                self._watches.pop(key, None)

            self._watches[key] = SharedWatch(
                client, namespace, selector, on_idle=forget, cluster=cluster or "", metrics=self.metrics
            )
        return self._watches[key]

    async def close(self) -> None:
        """Stop every watch and close every connection."""
        self.memory.cancel()
        watches, self._watches = list(self._watches.values()), {}
        for watch in watches:
            await watch.close()
        if self._session is not None:
            await self._session.close()


def probed_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket whose dead connection ends in an error, and not in silence."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # macOS lacks the first of these.
    for name, value in (
        ("TCP_KEEPIDLE", PROBE_AFTER_SECONDS),
        ("TCP_KEEPINTVL", PROBE_EVERY_SECONDS),
        ("TCP_KEEPCNT", PROBES),
    ):
        if hasattr(socket, name):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


def hub(make: Callable[[], Hub] = Hub) -> Hub:
    """Return the running event loop's hub.

    Args:
        make: Makes it when the loop has none yet.
    """
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = make()
    return _hubs[loop]


def use(new: Hub) -> None:
    """Give the running event loop a hub of its own, with another cluster than the one found by default."""
    _hubs[asyncio.get_running_loop()] = new
