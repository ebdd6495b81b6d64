"""The distribution packages that the embedded cluster needs: list what is missing, then install it."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ci.errors import CommandError, UserError
from ci.paths import LOGS
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


def install_missing() -> None:
    """Print and install what the cluster lacks.

    Raises:
        UserError: Something is missing and may not or cannot be installed.
    """
    _install([(package, NEEDED[package]) for package in missing()])


def ensure_packages(packages: Iterable[str]) -> None:
    """Print and install those of the packages that the distribution's records do not show as installed.

    Args:
        packages: Names in Debian and Ubuntu.

    Raises:
        UserError: Something is missing and may not or cannot be installed.
    """
    _install([(package, package) for package in packages if not _is_recorded(package)])


def _install(wanted: Sequence[tuple[str, str]]) -> None:
    if not wanted:
        return
    packages = [package for package, _ in wanted]
    command = f"apt-get update && apt-get install --yes --no-install-recommends {' '.join(packages)}"
    if not shutil.which("apt-get"):
        raise UserError(
            "Programs are missing, and this is neither Debian nor Ubuntu",
            [f"{program} (Debian package {package})" for package, program in wanted],
            cure="Install them with this distribution's package manager, or install Docker: then kind is used.",
        )
    if os.environ.get("INSTALL") == "0" or os.geteuid() != 0:
        raise UserError("Distribution packages are missing", packages, cure=f"As root: {command}")
    sys.stderr.write(f"Installing distribution packages: {' '.join(packages)}\n")
    log = LOGS / "packages.log"
    with Stage("Install distribution packages", log=log, expected_seconds=40):
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", log=log, env=environment)
        run("apt-get", "install", "--yes", "--no-install-recommends", *packages, log=log, env=environment)


def _is_recorded(package: str) -> bool:
    try:
        return run("dpkg-query", "--show", "--showformat=${db:Status-Status}", package) == "installed"
    except CommandError:
        return False


def _has(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else bool(shutil.which(program, path=search_path()))


def search_path() -> str:
    """Return PATH with the folders where iptables lives, which a user's PATH often lacks."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
