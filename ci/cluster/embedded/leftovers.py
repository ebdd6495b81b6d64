"""Remove everything that a cluster, alive or dead, left on this host; each step does nothing when nothing is there."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from ci.cluster.embedded import host, layout
from ci.cluster.embedded.firewall import remove_chains, remove_sets
from ci.cluster.embedded.owner import Owner, recorded_parts
from ci.errors import CiError
from ci.stages import Stage, wait_until

SHIM_SOCKETS = Path("/run/containerd/s")
CNI_CACHE = Path("/var/lib/cni")
CONTAINER_LINKS = Path("/var/log/containers")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
OUTSIDE_FOLDERS = (
    SHIM_SOCKETS,
    SHIM_SOCKETS.parent / "fifo",
    SHIM_SOCKETS.parent,
    CNI_CACHE / "results",
    CNI_CACHE / "cache",
    CNI_CACHE,
    CONTAINER_LINKS,
    DEVICE_PLUGINS,
    DEVICE_PLUGINS.parent,
)
"""Fixed folders that containerd, CNI and the kubelet make outside of ours; deepest first."""

GONE_SECONDS = 20.0


def remove(owner: Owner, stage: Stage) -> None:
    """Remove processes, pods, mounts, network, rules, settings and files outside the state folder."""
    stage.say("processes")
    # The kubelet first: it would start anew what is ended after it.
    for daemon in sorted(recorded_parts(), key=lambda daemon: daemon.name != "kubelet"):
        # Nothing that a part would write at its end is kept, and the API server would take its time.
        if pid := daemon.pid():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        daemon.stop()
    kill_pods(stage)
    stage.say("mounts")
    sockets, pods = shim_sockets(), pod_ids()
    unmount_below(layout.RUN, Path(owner.state))
    stage.say("network")
    host.remove_network(owner.pods, owner.services)
    remove_chains(owner.chains)
    remove_sets(owner.ipsets)
    stage.say("files")
    host.remove_cgroups()
    _remove_outside_files(sockets, pods, owner)
    _remove_outside_folders(owner)
    host.restore_settings(owner.sysctls)
    shutil.rmtree(layout.RUN, ignore_errors=True)
    if layout.RUN.exists():
        raise CiError(f"{layout.RUN} could not be removed: {sorted(map(str, layout.RUN.rglob('*')))[:5]}")


def kill_pods(stage: Stage) -> None:
    """Kill the pods' processes and their shims."""

    def living() -> str | None:
        pids = [*shim_pids(), *host.pod_pids()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return f"processes of pods to end: {pids}" if pids else None

    wait_until(stage, living, timeout_seconds=GONE_SECONDS, pause_seconds=0.1)


def shim_pids() -> list[int]:
    """Return the shims of our containerd: each has our socket among its arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[0].endswith("containerd-shim-runc-v2") and str(layout.CONTAINERD_SOCKET) in words:
            found.append(int(path.parent.name))
    return found


def shim_sockets() -> list[Path]:
    """Return the sockets that our shims listened on; containerd keeps each name in the pod's bundle."""
    found = []
    for path in (layout.RUN / "containerd").glob("io.containerd.runtime.v2.task/*/*/address"):
        address = path.read_text().strip().removeprefix("unix://")
        if Path(address).parent == SHIM_SOCKETS:
            found.append(Path(address))
    return found


def unmount_below(*folders: Path) -> None:
    """Unmount everything below the folders, the deepest and latest first."""
    prefixes = tuple(f"{folder}/" for folder in folders)
    for target in reversed(mount_points()):
        if target.startswith(prefixes):
            subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)


def mount_points() -> list[str]:
    """Return every mount point, in the order of mounting."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4]) for line in lines]


def pod_ids() -> set[str]:
    """Return the ids of our pods' sandboxes, from their bundles and from CNI's records of our network."""
    bundles = (layout.RUN / "containerd").glob("io.containerd.runtime.v2.task/*/*")
    records = CNI_CACHE.glob(f"results/{layout.NODE}-*-eth0")
    return {path.name for path in bundles} | {path.name.split("-")[1] for path in records}


def _remove_outside_files(sockets: list[Path], pods: set[str], owner: Owner) -> None:
    for path in sockets:
        path.unlink(missing_ok=True)
    results_are_ours = str(CNI_CACHE / "results") not in owner.folders
    for path in CNI_CACHE.glob("results/*"):
        if results_are_ours or any(pod in path.name for pod in pods):
            path.unlink()
    for path in CONTAINER_LINKS.glob("*.log"):
        if path.is_symlink() and path.readlink().is_relative_to(owner.state):
            path.unlink()
    # The kubelet's files here cannot be told from another kubelet's: they go only when the folder is ours.
    if str(DEVICE_PLUGINS) not in owner.folders:
        for path in DEVICE_PLUGINS.glob("*"):
            path.unlink()


def _remove_outside_folders(owner: Owner) -> None:
    for folder in OUTSIDE_FOLDERS:
        if str(folder) not in owner.folders and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
