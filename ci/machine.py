"""Facts about this machine, read without changing it. Standard library only: `make doctor` runs before any venv."""

from __future__ import annotations

import concurrent.futures
import ipaddress
import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

PROBE_SECONDS = 8.0
"""A registry that has not answered by then would make every later step crawl."""

GIB = 1024**3
DOCKER_SECONDS = 20.0


def program_version(*command: str) -> str | None:
    """Return the first dotted number that a program prints, or None when it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
    return found[0] if done.returncode == 0 and found else None


def version_tuple(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, to compare with."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def docker_silence() -> str | None:
    """Return why no Docker engine can be used, in Docker's words; None when one answers."""
    if not shutil.which("docker"):
        return "no docker program"
    try:
        done = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            capture_output=True, text=True, timeout=DOCKER_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["docker info failed"])[-1]


def free_bytes(folder: Path) -> tuple[int, int]:
    """Return the free bytes of a folder's file system and the file system's number; the folder may not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free, folder.stat().st_dev


def memory_bytes() -> int:
    """Return what new programs can have without swapping (MemAvailable)."""
    found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return int(found[1]) * 1024 if found else 0


def cgroup_controllers() -> tuple[str, set[str]]:
    """Return `v1` or `v2`, and the controllers that are switched on."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    if unified.exists():
        return "v2", set(unified.read_text().split())
    rows = [line.split() for line in Path("/proc/cgroups").read_text().splitlines() if not line.startswith("#")]
    return "v1", {row[0] for row in rows if row[3] == "1"}


def taken_ports(ports: list[int]) -> list[int]:
    """Return those ports that another program holds on 127.0.0.1."""
    taken = []
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken.append(port)
    return taken


def api_server_answers(kubeconfig: Path) -> bool:
    """Return whether something listens where a kubeconfig of ours says that the API server is."""
    found = kubeconfig.is_file() and re.search(r"""server"?: ['"]?https://([\d.]+):(\d+)""", kubeconfig.read_text())
    if not found:
        return False
    try:
        socket.create_connection((found[1], int(found[2])), timeout=2).close()
    except OSError:
        return False
    return True


def routed_networks(table: str | None = None) -> list[str]:
    """Return the IPv4 networks that this host routes, the default route apart.

    Args:
        table: Text in the form of /proc/net/route; read from there by default.
    """
    text = Path("/proc/net/route").read_text() if table is None else table
    networks = []
    for line in text.splitlines()[1:]:
        _, destination, *_, mask = line.split()[:8]
        address, netmask = (str(ipaddress.IPv4Address(bytes.fromhex(word)[::-1])) for word in (destination, mask))
        if netmask != "0.0.0.0":  # noqa: S104 - a netmask, nothing listens
            networks.append(str(ipaddress.IPv4Network(f"{address}/{netmask}")))
    return networks


def unreachable(urls: dict[str, str]) -> dict[str, str]:
    """Return the reason by name for each address that gives no HTTP answer; asks them all at once."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reasons = pool.map(_why_silent, urls.values())
    return {name: reason for name, reason in zip(urls, reasons, strict=True) if reason}


def package_index() -> str:
    """Return the address of the package index that uv and pip will ask."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(name):
            return os.environ[name]
    return "https://pypi.org/simple/"


def go_proxy() -> str:
    """Return the address of the Go module proxy, `direct` and `off` apart."""
    words = re.split(r"[,|]", os.environ.get("GOPROXY", ""))
    return next((word for word in words if word.startswith("http")), "https://proxy.golang.org/")


def _why_silent(url: str) -> str | None:
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "cronlift-doctor"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS):  # noqa: S310 - the user's own registry settings
            return None
    except urllib.error.HTTPError as error:
        error.close()
        return None if error.code < 500 else f"HTTP {error.code}"
    except OSError as error:
        return str(getattr(error, "reason", error))
