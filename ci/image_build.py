"""Build and pull images with what the machine has: a Docker engine, or buildah without any daemon.

Everything that buildah keeps lies under the user's cache, so the host's own container storage is not touched.
"""

import fcntl
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Protocol

from ci.errors import CommandError, UserError
from ci.image_recipes import BASE_EXCLUDES, BASE_INCLUDES, BASE_PACKAGES, Plan
from ci.paths import cache_dir
from ci.pins import pins
from ci.process import run
from ci.stages import Stage

REGISTRY_SECONDS = 4.0
"""A registry that is reachable answers in well under a second; a firewall often drops without a word."""

CA_SECRET = "ca-bundle"  # noqa: S105 - the secret's name; the Dockerfiles mount it under /run/secrets


class Builder(Protocol):
    """Something that can build and pull."""

    def build(self, plan: Plan, reference: str, archive: Path, log: Path) -> None:
        """Build the plan's Dockerfile and write it as an OCI archive that carries `reference`."""

    def pull(self, upstream: str, reference: str, archive: Path, log: Path) -> None:
        """Fetch an image from its registry into an OCI archive that carries `reference`."""

    def forget(self, reference: str) -> None:
        """Drop what is kept of an image whose archive was pruned."""

    def close(self) -> None:
        """Leave nothing on the host but files in the cache."""


def choose_builder(log: Path) -> Builder:
    """Return Docker when an engine answers, else buildah, installed first where it is missing."""
    return _choose_builder_class()(log)


@cache
def _choose_builder_class() -> "type[DockerBuilder | BuildahBuilder]":
    # The clusters load images, so their package imports ours.
    from ci.cluster.docker import why_docker_is_silent

    return BuildahBuilder if why_docker_is_silent() else DockerBuilder


def registry_choice() -> bool | None:
    """Return what the user decided by REGISTRY=yes|no; None for auto, and for the address that `make push` goes to.

    Raises:
        UserError: Another value.
    """
    value = os.environ.get("REGISTRY") or "auto"
    if "." in value or ":" in value:
        return None
    choices = {"auto": None, "yes": True, "no": False}
    if value not in choices:
        raise UserError(f"REGISTRY={value} is not known", cure="Use REGISTRY=auto, REGISTRY=yes or REGISTRY=no.")
    return choices[value]


@cache
def registry_answers() -> bool:
    """Ask the registries of the base and of the chart's default images, once."""
    hosts = {pins()[name].partition("/")[0] for name in ("DEBIAN_IMAGE", "POSTGRES_IMAGE", "GIT_SYNC_IMAGE")}
    return all(_answers("registry-1.docker.io" if host == "docker.io" else host) for host in sorted(hosts))


def _answers(host: str) -> bool:
    try:
        with urllib.request.urlopen(f"https://{host}/v2/", timeout=REGISTRY_SECONDS) as answer:
            return answer.status == 200
    except urllib.error.HTTPError as error:
        # A registry that wants a login says so in this header; a proxy's error page does not.
        return error.code == 401 and "registry" in error.headers.get("Docker-Distribution-Api-Version", "")
    except OSError:
        return False


class DockerBuilder:
    """Builds with the Docker engine (BuildKit)."""

    def __init__(self, log: Path) -> None:
        pass

    def build(self, plan: Plan, reference: str, archive: Path, log: Path) -> None:
        """Build and save."""
        if plan.base:
            rootfs = base_rootfs(plan.base, log)
            base = f"localhost/cronlift/debian:{plan.base}"
            run("docker", "import", "--change", 'CMD ["bash"]', rootfs, base, log=log)
        run(
            "docker", "build", "--progress", "plain", "--tag", reference, "--file", plan.dockerfile,
            *_arguments(plan), *_secret(), plan.context, log=log, env={"DOCKER_BUILDKIT": "1"},
        )  # fmt: skip
        run("docker", "save", "--output", archive, reference, log=log)

    def pull(self, upstream: str, reference: str, archive: Path, log: Path) -> None:
        """Pull, name and save."""
        run("docker", "pull", upstream, log=log)
        run("docker", "tag", upstream, reference, log=log)
        run("docker", "save", "--output", archive, reference, log=log)

    def forget(self, reference: str) -> None:
        """Remove the name; the engine's own clean-up does the rest."""
        with suppress(CommandError):  # it is only there when this engine built it
            run("docker", "rmi", reference)

    def close(self) -> None:
        """Nothing to do: the engine looks after itself."""


class BuildahBuilder:
    """Builds as root without a daemon, by chroot, in a storage of its own."""

    def __init__(self, log: Path) -> None:
        if os.geteuid() != 0:
            raise UserError(
                "Images cannot be built: no Docker engine answers, and buildah needs root here",
                cure="Start Docker, or run the same command with sudo.",
            )
        if missing := [program for program in ("buildah", "skopeo", "mmdebstrap") if not shutil.which(program)]:
            from ci.cluster.embedded.packages import ensure_packages

            ensure_packages(missing)
        self._root = cache_dir() / "buildah" / "root"
        self._run_root = cache_dir() / "buildah" / "run"

    def build(self, plan: Plan, reference: str, archive: Path, log: Path) -> None:
        """Build with cached layers and export without compressing: it stays on this machine."""
        if plan.base:
            self._ensure_base(plan.base, log)
        self._buildah(
            "build", "--isolation", "chroot", "--network", "host", "--layers", "--force-rm", "--format", "oci",
            "--pull-never" if plan.base else "--pull", "--tag", reference, "--file", plan.dockerfile,
            *_ignore_file(plan), *_arguments(plan), *_secret(), plan.context, log=log,
        )  # fmt: skip
        source = f"containers-storage:[overlay@{self._root}+{self._run_root}]{reference}"
        target = f"oci-archive:{archive}:{reference}"
        run("skopeo", "copy", "--dest-oci-accept-uncompressed-layers", source, target, log=log)

    def pull(self, upstream: str, reference: str, archive: Path, log: Path) -> None:
        """Copy from the registry to the archive as it is."""
        # A reference with tag and digest is one too many for skopeo; the digest decides.
        source = re.sub(r":[^/:@]+@", "@", upstream)
        run("skopeo", "copy", f"docker://{source}", f"oci-archive:{archive}:{reference}", log=log)

    def forget(self, reference: str) -> None:
        """Remove the name and the layers that nothing else uses."""
        with suppress(CommandError):  # it is only there when it was built, not pulled, in this storage
            self._buildah("rmi", reference)

    def close(self) -> None:
        """Undo the mount of the storage on itself, which containers/storage leaves behind."""
        overlay = self._root / "overlay"
        mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for _ in range(mounted.count(str(overlay))):
            run("umount", overlay)

    def _ensure_base(self, tag: str, log: Path) -> None:
        reference = f"localhost/cronlift/debian:{tag}"
        if self._buildah("images", "--quiet", "--filter", f"reference={reference}").strip():
            return
        rootfs = base_rootfs(tag, log)
        container = self._buildah("from", "scratch").strip()
        try:
            self._buildah("add", container, rootfs, "/", log=log)
            self._buildah("config", "--cmd", "bash", container, log=log)
            self._buildah("commit", "--format", "oci", container, reference, log=log)
        finally:
            self._buildah("rm", container, log=log)

    def _buildah(self, *words: str | Path, log: Path | None = None) -> str:
        return run(
            "buildah", "--root", self._root, "--runroot", self._run_root, "--storage-driver", "overlay", *words, log=log
        )


def base_rootfs(tag: str, log: Path) -> Path:
    """Return the root file system of a minimal Debian as a tar, made from its packages on first use."""
    archive = cache_dir() / "images" / f"debian-{tag}.rootfs"
    if archive.is_file():
        return archive
    half = archive.with_suffix(".half.tar")
    half.unlink(missing_ok=True)
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in BASE_EXCLUDES]
    options += [f"--dpkgopt=path-include={pattern}" for pattern in BASE_INCLUDES]
    with Stage("Make the base from Debian's packages", log=log, expected_seconds=60):
        run(
            "mmdebstrap", "--variant=minbase", f"--include={','.join(BASE_PACKAGES)}", *options,
            # What mmdebstrap copies from this host has no place in an image.
            '--customize-hook=rm -f "$1/etc/resolv.conf" "$1/etc/hostname"',
            '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/log/*',
            pins()["DEBIAN_RELEASE"], half, log=log,
        )  # fmt: skip
    half.replace(archive)
    return archive


def _ignore_file(plan: Plan) -> list[str | Path]:
    """Name what BuildKit finds by itself: a .dockerignore that belongs to one Dockerfile."""
    path = plan.dockerfile.with_name("Dockerfile.dockerignore")
    return ["--ignorefile", path] if path.is_file() else []


def _arguments(plan: Plan) -> list[str]:
    return [word for key, value in plan.arguments for word in ("--build-arg", f"{key}={value}")]


def _secret() -> list[str]:
    """Lend the build the host's own CA bundle, for networks that inspect TLS; no layer holds it."""
    bundle = os.environ.get("SSL_CERT_FILE", "")
    return ["--secret", f"id={CA_SECRET},src={bundle}"] if bundle and Path(bundle).is_file() else []


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time, of all clones, build images."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with Stage("Wait for another build of images"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
