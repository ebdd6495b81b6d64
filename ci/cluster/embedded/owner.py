"""The host-wide record of the one embedded cluster: whose it is, which processes it has, what it changed.

It lies in /run, as what it describes ends with the boot; a copy in the state folder serves when /run was emptied by
somebody without a reboot.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ci.cluster.embedded import layout
from ci.daemons import Daemon

RECORD = layout.RUN / "owner.json"
PIDS = layout.RUN / "pids"
KEY_PARTS = ("containerd", "etcd", "kube-apiserver", "kubelet")
"""A cluster of which none of these runs is dead."""


@dataclass
class Owner:
    """What `up` wrote down before it changed the host.

    Attributes:
        folder: The clone that the cluster belongs to.
        state: Its state folder.
        boot: The boot during which it was made.
        sysctls: Former value by name of each kernel setting that the cluster changes.
        chains: Former iptables chains, as "family table chain".
        ipsets: Former ipsets.
        folders: Folders outside the state that the cluster makes and that were there before.
        pods: The pods' address range, to find rules that name it.
        services: The Services' address range.
    """

    folder: str
    state: str
    boot: str
    sysctls: dict[str, str] = field(default_factory=dict)
    chains: list[str] = field(default_factory=list)
    ipsets: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    pods: str = ""
    services: str = ""


def boot_id() -> str:
    """Return the kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def read_owner(copy: Path | None = None) -> Owner | None:
    """Return the record of this boot, from /run or from a copy; None when there is none."""
    for path in (RECORD, copy):
        if path is None:
            continue
        try:
            found = Owner(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            continue
        if found.boot == boot_id():
            return found
    return None


def folders_before(copy: Path) -> list[str] | None:
    """Return what the clone's first record says of folders outside the state; they outlive a reboot as ours do."""
    try:
        return list(json.loads(copy.read_text())["folders"])
    except (OSError, ValueError, KeyError):
        return None


def write_owner(owner: Owner, copy: Path) -> None:
    """Write the record and its copy."""
    for path in (RECORD, copy):
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half")
        half.write_text(json.dumps(asdict(owner), indent=1))
        half.replace(path)


def recorded_parts() -> list[Daemon]:
    """Return every process that any clone's `up` recorded on this host."""
    return [Daemon(path.stem, PIDS, Path("/dev/null")) for path in sorted(PIDS.glob("*.json"))]


def running_parts() -> list[str]:
    """Return the names of the recorded processes that run."""
    return [daemon.name for daemon in recorded_parts() if daemon.pid()]


def is_alive() -> bool:
    """Return whether the recorded cluster lives, be it only in part."""
    return any(name in KEY_PARTS for name in running_parts())
