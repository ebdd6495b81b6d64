"""What the cluster changes on this host apart from processes: bridge, route, kernel settings, cgroups."""

import json
import os
import subprocess
from pathlib import Path

from ci.cluster.embedded import layout
from ci.cluster.embedded.layout import Ranges
from ci.process import run

OWN_SETTINGS = {
    "net.ipv4.ip_forward": "1",
    # Without it a NetworkPolicy does not see the traffic between two pods of the one bridge.
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
}
SETTINGS = (
    *OWN_SETTINGS,
    # These are set by kube-proxy (NodePorts on 127.0.0.1) and by the kubelet.
    "net.ipv4.conf.all.route_localnet",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)
CGROUP_ROOT = Path("/sys/fs/cgroup")
SHARES_PER_CPU = 1024
"""Kubernetes' weight of a CPU in cgroup v1."""

CGROUP_TYPES = {"cgroup", "cgroup2"}
"""On a hybrid host runc makes its cgroups in the second hierarchy too."""


def read_settings() -> dict[str, str]:
    """Return the present value of each setting that the cluster changes."""
    load_modules()
    return {name: _setting(name).read_text().strip() for name in SETTINGS if _setting(name).exists()}


def restore_settings(former: dict[str, str]) -> None:
    """Write back the settings that differ now."""
    for name, value in former.items():
        path = _setting(name)
        if path.exists() and path.read_text().strip() != value:
            path.write_text(value)


def make_network(ranges: Ranges) -> None:
    """Make bridge, route and settings, as far as they are missing."""
    for name, value in OWN_SETTINGS.items():
        if _setting(name).read_text().strip() != value:
            _setting(name).write_text(value)
    if not Path("/sys/class/net", layout.BRIDGE).exists():
        run("ip", "link", "add", layout.BRIDGE, "type", "bridge")
    # The API server advertises this address, so it is there before any pod is.
    run("ip", "address", "replace", f"{ranges.gateway}/{ranges.pods.partition('/')[2]}", "dev", layout.BRIDGE)
    run("ip", "link", "set", layout.BRIDGE, "up")
    # Service addresses are translated before routing; what is left of them must never go to the default gateway.
    run("ip", "route", "replace", "blackhole", ranges.services)


def remove_network(pods: str, services: str) -> None:
    """Remove the route, the bridge and the pods' links on it."""
    for port in Path("/sys/class/net").glob("*/master"):
        if port.resolve().name == layout.BRIDGE:
            _try("ip", "link", "delete", port.parent.name)
    if Path("/sys/class/net", layout.BRIDGE).exists():
        _try("ip", "link", "delete", layout.BRIDGE)
    if services:
        _try("ip", "route", "delete", "blackhole", services)


def load_modules() -> None:
    """Load the kernel modules that Debian does not load by itself; they stay, as others may use them by then."""
    if not _setting("net.bridge.bridge-nf-call-iptables").exists():
        _try("modprobe", "br_netfilter")
    if "\toverlay\n" not in Path("/proc/filesystems").read_text():
        _try("modprobe", "overlay")


def used_networks() -> list[str]:
    """Return what this host routes, and its name servers; our own bridge and route left out."""
    routes = json.loads(run("ip", "-json", "-4", "route", "show", "table", "all"))
    found = [
        route["dst"]
        for route in routes
        if route.get("dst", "default") != "default"
        and route.get("dev") != layout.BRIDGE
        and route.get("type") not in ("blackhole", "local", "broadcast", "multicast")
    ]
    return found + [address for address in resolvers() if ":" not in address]


def resolvers() -> list[str]:
    """Return the IPv4 name servers of this host that a pod can reach; empty when there is none."""
    # systemd-resolved puts its stub on loopback into the first file and the real servers into the second.
    for path in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        try:
            words = [line.split() for line in path.read_text().splitlines()]
        except OSError:
            continue
        found = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
        if usable := [address for address in found if ":" not in address and not address.startswith("127.")]:
            return usable
    return []


def make_cgroups() -> None:
    """Make the cgroups of pods and of daemons, in each hierarchy that this host has.

    Processes outside of any group count one by one: a few runtimes that start containers would leave all pods together
    as much time as one of them. So the daemons and what they start share a group, and the pods' group weighs as much
    as the kubelet makes it weigh at the root.
    """
    if (CGROUP_ROOT / "cgroup.controllers").exists():
        (CGROUP_ROOT / layout.CGROUP).mkdir(exist_ok=True)
        for path in (CGROUP_ROOT, CGROUP_ROOT / layout.CGROUP):
            for controller in (CGROUP_ROOT / "cgroup.controllers").read_text().split():
                (path / "cgroup.subtree_control").write_text(f"+{controller}")
    for folder in _hierarchies():
        (folder / layout.CGROUP).mkdir(exist_ok=True)
    for folder in _cpu_hierarchies():
        (folder / layout.DAEMONS_CGROUP).mkdir(exist_ok=True)
        if (shares := folder / layout.CGROUP / "cpu.shares").exists():  # v2 weighs groups alike, which is near enough
            shares.write_text(str(SHARES_PER_CPU * (os.cpu_count() or 1)))


def join_daemons(pid: int) -> None:
    """Move a daemon into the daemons' cgroup; what it starts later follows."""
    for folder in _cpu_hierarchies():
        (folder / layout.DAEMONS_CGROUP / "cgroup.procs").write_text(str(pid))


def pod_pids() -> list[int]:
    """Return every process of every pod, sandboxes included."""
    found = set()
    for folder in _own_cgroups(layout.CGROUP):
        for path in folder.rglob("cgroup.procs"):
            try:
                found |= {int(word) for word in path.read_text().split()}
            except OSError:
                continue
    return sorted(found - {0})  # 0 stands for a process of another PID namespace


def remove_cgroups() -> None:
    """Remove the cgroups, deepest first; they are empty once the pods' processes are gone."""
    for own in _own_cgroups(layout.CGROUP, layout.DAEMONS_CGROUP):
        for folder, _, _ in os.walk(own, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                continue


def _own_cgroups(*names: str) -> list[Path]:
    return [folder / name for folder in _hierarchies() for name in names if (folder / name).is_dir()]


def _hierarchies() -> list[Path]:
    if (CGROUP_ROOT / "cgroup.controllers").exists():
        return [CGROUP_ROOT]
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted({Path(words[4]) for words in lines if words[words.index("-") + 1] in CGROUP_TYPES})


def _cpu_hierarchies() -> list[Path]:
    """Return where CPU time is shared out: one hierarchy, of v1 or v2."""
    return [folder for folder in _hierarchies() if folder == CGROUP_ROOT or (folder / "cpu.shares").exists()]


def _setting(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def _try(*command: str) -> None:
    subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)
