"""The registry container beside the kind cluster: nodes pull from it what `load` pushes.

Source: kind's documentation, "Local Registry" (a container in the network `kind`, a hosts.toml on each node and the
ConfigMap of KEP-1755).
"""

import re
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from ci.cluster.docker import docker, find_container
from ci.errors import CiError
from ci.images import Image
from ci.pins import image_reference
from ci.process import run

CONTAINER = "cronlift-registry"
OWNER_LABEL = "cronlift.root"
ANSWER_SECONDS = 10.0
MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""The registry is on this host: a proxy of the environment must not be asked for it."""


class KindRegistry:
    """A registry on 127.0.0.1, kept in one container.

    Args:
        root: The clone that owns it, written in the container's label.
        port: On this host; inside the network `kind` it is always 5000.
    """

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.port = root, port

    @property
    def address(self) -> str:
        """Name of the registry in image references."""
        return f"localhost:{self.port}"

    def up(self) -> None:
        """Make the container, or start the stopped one."""
        found = find_container(CONTAINER)
        if found is None:
            docker(
                "run", "--detach", "--restart=always", "--name", CONTAINER, "--label", f"{OWNER_LABEL}={self.root}",
                "--publish", f"127.0.0.1:{self.port}:5000", "--network", "bridge", image_reference("REGISTRY"),
            )  # fmt: skip
        elif not found.running:
            docker("start", CONTAINER)

    def wire(self, node: str) -> None:
        """Let the node find the registry under the address that image references use."""
        found = find_container(CONTAINER)
        if found and "kind" not in found.networks:
            docker("network", "connect", "kind", CONTAINER)
        folder = f"/etc/containerd/certs.d/{self.address}"
        docker("exec", node, "mkdir", "-p", folder)
        hosts = f'[host."http://{CONTAINER}:5000"]\n'
        docker("exec", "--interactive", node, "cp", "/dev/stdin", f"{folder}/hosts.toml", stdin=hosts)

    def reference(self, image: Image) -> str:
        """Return how pods name the image."""
        return f"{self.address}/cronlift/{image.name}:{image.tag}"

    def has(self, image: Image) -> bool:
        """Tell whether the registry holds this very tag."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v2/cronlift/{image.name}/manifests/{image.tag}",
            method="HEAD",
            headers={"Accept": ", ".join(MANIFEST_TYPES)},
        )
        try:
            with DIRECT.open(request, timeout=ANSWER_SECONDS):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return False
            raise CiError(f"Registry {self.address} answered {error.code} when asked for {image.name}") from error
        except OSError as error:
            raise CiError(
                f"Registry {self.address} does not answer: {error}. Look at `docker logs {CONTAINER}`."
            ) from error

    def push(self, image: Image, log: Path) -> None:
        """Send the archive: by skopeo straight from the file, else by way of Docker's own image store."""
        reference = self.reference(image)
        if shutil.which("skopeo"):
            source, target = f"{archive_kind(image.archive)}:{image.archive}", f"docker://{reference}"
            run("skopeo", "copy", "--dest-tls-verify=false", source, target, log=log)
            return
        printed = docker("load", "--input", image.archive)
        loaded = re.findall(r"^Loaded image(?: ID)?: (\S+)$", printed, re.MULTILINE)
        if not loaded:
            raise CiError(f"docker load {image.archive} named no image; it printed: {printed.strip()!r}")
        docker("tag", loaded[-1], reference)
        docker("push", "--quiet", reference)
        docker("rmi", reference)


def archive_kind(archive: Path) -> str:
    """Return skopeo's word for the archive: `docker save` writes the OCI layout only since Docker 25.

    Raises:
        CiError: The file is no image archive.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                if member.name in ("oci-layout", "index.json"):
                    return "oci-archive"
    except (OSError, tarfile.TarError) as error:
        raise CiError(f"Image archive {archive} cannot be read: {error}. Remove it and run make up again.") from error
    return "docker-archive"
