"""Look at the host before anything is changed: every reason why the cluster cannot run here, at once."""

import os
import shutil
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from ci.cluster.embedded import host, layout
from ci.cluster.embedded.firewall import chains, foreign_kubernetes_chains
from ci.cluster.embedded.owner import is_alive, read_owner
from ci.errors import UserError

FREE_BYTES = 5 * 2**30
"""Images unpack to about 3 GiB; the rest is for etcd, volumes and logs."""


def require_root(euid: int | None = None) -> None:
    """Refuse to run as another user.

    Args:
        euid: The user; by default this process's.

    Raises:
        UserError: Not root; says exactly what to run.
    """
    if (os.geteuid() if euid is None else euid) != 0:
        command = " ".join(sys.orig_argv)
        raise UserError(
            "The embedded cluster needs root: it makes network devices, mounts and cgroups",
            cure=f"Run: sudo {command}   (or install Docker: then kind is used, which needs no root)",
        )


def check(state: Path) -> None:
    """Look for everything that would make the cluster fail.

    Args:
        state: The state folder of this clone's cluster.

    Raises:
        UserError: A live cluster of another clone, or any other reason; all at once.
    """
    owner = read_owner(state / "owner.json")
    if owner and owner.state != str(state) and is_alive() and Path(owner.folder).exists():
        raise UserError(
            "Another clone's cluster runs on this host, and there can be one at a time",
            [f"It belongs to {owner.folder}"],
            cure=f"End it with: make -C {owner.folder} down",
        )
    found = [*_kernel_faults(), *_cgroup_faults(), *_disk_faults(state)]
    if owner is None:
        found += chain_faults(chains())
        ports = (*layout.LOOPBACK_PORTS, layout.API_SERVER_PORT, layout.KUBELET_PORT, layout.UI_PORT)
        found += [f"Port {port} is in use by another program (ss -ltnp shows it)" for port in ports if is_taken(port)]
        if not (state / "ranges.json").exists():
            layout.choose_ranges(host.used_networks())
    if found:
        raise UserError("The embedded cluster cannot start on this host", found, cure="Put these right, then go on.")


def chain_faults(names: Iterable[str]) -> list[str]:
    """Return what is wrong with the iptables chains of a host without our cluster."""
    foreign = foreign_kubernetes_chains(names)
    if not foreign:
        return []
    return [
        f"Another Kubernetes uses this host's iptables ({len(foreign)} chains, such as {foreign[0].split()[2]}), "
        "and two would rewrite each other's rules. End it; if it is gone already, reboot or remove its KUBE- chains"
    ]


def is_taken(port: int) -> bool:
    """Return whether a program listens on the port of any of this host's addresses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - every address is asked; nothing listens
        except OSError:
            return True
    return False


def _kernel_faults() -> list[str]:
    host.load_modules()
    found = []
    if not Path("/proc/sys/net/bridge").exists():
        found.append("The kernel has no br_netfilter module: NetworkPolicies could not be enforced")
    if "\toverlay\n" not in Path("/proc/filesystems").read_text():
        found.append("The kernel has no overlay file system: containers have no root without it")
    return found


def _cgroup_faults() -> list[str]:
    if (host.CGROUP_ROOT / "cgroup.controllers").exists():
        present = set((host.CGROUP_ROOT / "cgroup.controllers").read_text().split())
    else:
        present = {path.name for path in host.CGROUP_ROOT.glob("*") if path.is_dir()}
    lacking = {"cpu", "cpuset", "memory", "pids"} - present
    return [f"The kernel offers no cgroup controllers {', '.join(sorted(lacking))}"] if lacking else []


def _disk_faults(state: Path) -> list[str]:
    folder = next(path for path in (state, *state.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free >= FREE_BYTES:
        return []
    return [f"{folder} has {free / 2**30:.1f} GiB free, the cluster needs {FREE_BYTES / 2**30:.0f} GiB"]
