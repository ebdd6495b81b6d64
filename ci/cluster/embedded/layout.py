"""Where the embedded cluster keeps its files and at which addresses it listens. Pure."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ci import paths
from ci.errors import UserError

NODE = "cronlift"
BRIDGE = "cronlift0"
CGROUP = "cronlift"
"""Of all pods, in every hierarchy."""

DAEMONS_CGROUP = "cronlift-daemons"
"""Of the cluster's own processes, as a host's init gives its services one."""

CLUSTER_DOMAIN = "cluster.local"

RUN = Path("/run/cronlift")
"""Host-wide and emptied by a reboot. Sockets live here because their path may have 107 characters at most."""

CONTAINERD_SOCKET = RUN / "containerd.sock"
KUBELET_ROOT = RUN / "kubelet"
"""A bind mount of the state's folder: the kubelet makes sockets in its root folder."""

STATE = paths.STATE / "cluster"
"""Everything that outlives a reboot: etcd's data, images, keys, volumes."""

LOGS = paths.LOGS

AUDIT_LOG = STATE / "audit/requests.log"
"""Every request of the audited accounts to the API server, one JSON object a line."""

AUDITED_NAMESPACES = ("cronlift", "cronlift-bench")
"""Of the platform's release and of the benchmark's; what their ServiceAccounts do in another's name counts too."""

# One port for each listener, away from Kubernetes' own defaults: other clusters on this host keep theirs.
API_SERVER_PORT = 16443
ETCD_PORT = 16379
ETCD_PEER_PORT = 16380
KUBELET_PORT = 16250
KUBELET_HEALTH_PORT = 16248
PROXY_METRICS_PORT = 16249
PROXY_HEALTH_PORT = 16256
CONTROLLER_MANAGER_PORT = 16257
SCHEDULER_PORT = 16259

UI_PORT = 30080
"""The NodePort of the chart's local values: no socket of ours, but its rules would take the port from its owner."""

LOOPBACK_PORTS = (
    ETCD_PORT, ETCD_PEER_PORT, KUBELET_HEALTH_PORT, PROXY_METRICS_PORT, PROXY_HEALTH_PORT, CONTROLLER_MANAGER_PORT,
    SCHEDULER_PORT,
)  # fmt: skip


@dataclass(frozen=True)
class Ranges:
    """The addresses of pods and Services.

    Attributes:
        pods: A /22: room for the node's 250 pods and for addresses not yet given back.
        services: A /16.
    """

    pods: str
    services: str

    @property
    def gateway(self) -> str:
        """The bridge's address: the host as its pods see it."""
        return str(ipaddress.ip_network(self.pods)[1])

    @property
    def dns(self) -> str:
        """The Service address of cluster DNS."""
        return str(ipaddress.ip_network(self.services)[10])

    @property
    def api_service(self) -> str:
        """The Service address of the API server."""
        return str(ipaddress.ip_network(self.services)[1])

    @property
    def api_server(self) -> str:
        """The API server's URL; the same for the host and for pods."""
        return f"https://{self.gateway}:{API_SERVER_PORT}"


CANDIDATES = (
    Ranges("10.245.0.0/22", "10.96.0.0/16"),
    Ranges("10.229.0.0/22", "10.228.0.0/16"),
    Ranges("172.29.0.0/22", "172.28.0.0/16"),
    Ranges("192.168.232.0/22", "10.227.0.0/16"),
)


def choose_ranges(taken: Iterable[str]) -> Ranges:
    """Return the first candidate that this host does not use already.

    Args:
        taken: Networks that the host routes and addresses that it uses ("192.0.2.0/24", "10.96.0.53").

    Raises:
        UserError: Each candidate clashes; names the network that each clashes with.
    """
    networks = [ipaddress.ip_network(word, strict=False) for word in taken]
    faults = []
    for candidate in CANDIDATES:
        ours = [ipaddress.ip_network(candidate.pods), ipaddress.ip_network(candidate.services)]
        clash = next(
            (f"{own} overlaps {other}" for own in ours for other in networks if own.version == other.version
             and own.overlaps(other)), None,
        )  # fmt: skip
        if clash is None:
            return candidate
        faults.append(clash)
    raise UserError(
        "This host already routes every address range that the local cluster could use",
        faults,
        cure="Disconnect the VPN or remove one of these routes (ip route), then run the same command again.",
    )
