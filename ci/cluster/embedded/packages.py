"""The distribution packages that the embedded cluster needs: list what is missing, then install it."""

import os
import shutil
import sys
from pathlib import Path

from ci.errors import UserError
from ci.process import run
from ci.stages import Stage

NEEDED = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "iproute2": "ip",
    "ethtool": "ethtool",
    "socat": "socat",
    "ipset": "ipset",
    "mount": "mount",
    "kmod": "modprobe",
}
"""Package -> a program of it, by name on PATH or by full path."""


def missing() -> list[str]:
    """Return the packages whose program is not on this machine."""
    return [package for package, program in NEEDED.items() if not _has(program)]


def install_missing(log: Path) -> None:
    """Print and install what is missing.

    Raises:
        UserError: Something is missing and `INSTALL=0`, or this is neither Debian nor Ubuntu.
    """
    packages = missing()
    if not packages:
        return
    command = f"apt-get update && apt-get install --yes --no-install-recommends {' '.join(packages)}"
    if os.environ.get("INSTALL") == "0":
        raise UserError("Distribution packages are missing", packages, cure=f"As root: {command}")
    if not shutil.which("apt-get"):
        raise UserError(
            "Programs are missing, and this is neither Debian nor Ubuntu",
            [f"{NEEDED[package]} (Debian package {package})" for package in packages],
            cure="Install them with this distribution's package manager, or use kind: install Docker.",
        )
    sys.stderr.write(f"Installing distribution packages: {' '.join(packages)}\n")
    with Stage("Install distribution packages", log=log, expected_seconds=40):
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", log=log, env=environment)
        run("apt-get", "install", "--yes", "--no-install-recommends", *packages, log=log, env=environment)


def _has(program: str) -> bool:
    # A user's PATH often lacks the folders where iptables lives.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return Path(program).exists() if program.startswith("/") else bool(shutil.which(program, path=path))
