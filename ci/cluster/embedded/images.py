"""Put images into the node's containerd; there is no registry."""

from collections.abc import Sequence
from pathlib import Path

from ci.cluster.embedded.layout import CONTAINERD_SOCKET
from ci.cluster.embedded.scratch_image import write_scratch_image
from ci.errors import UserError
from ci.images import Image
from ci.paths import cache_dir
from ci.process import run
from ci.stages import Stage
from ci.tools import tool

PREFIX = "localhost/cronlift"


def reference(image: Image) -> str:
    """Return the name under which pods find the image."""
    return f"{PREFIX}/{image.name}:{image.tag}"


def tool_image(name: str) -> Image:
    """Return an image of one built tool, named by the tool's content key; its archive is made when missing."""
    program = tool(name)
    tag = program.parent.name.rpartition("-")[2]
    image = Image(name, tag, cache_dir() / "images" / f"{name}-{tag}.tar")
    if not image.archive.exists():
        write_scratch_image(image.archive, program, reference(image))
    return image


def load(images: Sequence[Image], log: Path) -> dict[str, str]:
    """Import the images that containerd does not have; tags are by content, so a name is enough to tell.

    Returns:
        Image name -> reference for pods.
    """
    present = set(ctr("images", "ls", "--quiet").split())
    for image in images:
        if reference(image) not in present:
            with Stage(f"Load image {image.name}:{image.tag}", log=log, expected_seconds=12):
                _import(image)
    return {image.name: reference(image) for image in images}


def ctr(*words: str | Path) -> str:
    """Run containerd's own client in the namespace of the kubelet."""
    return run("ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", *words)


def _import(image: Image) -> None:
    # Every archive carries the image's reference; the base name drops other names: a short one ("x:test") would make
    # CRI look for docker.io/library/x:test and fail. No --index-name: where the archive has the same name, containerd
    # moves it from the index to the image, and may collect the index as garbage before ctr has unpacked it.
    ctr("images", "import", "--base-name", f"{PREFIX}/{image.name}", image.archive)
    if reference(image) not in ctr("images", "ls", "--quiet").split():
        raise UserError(f"{image.archive} does not carry the name {reference(image)}", cure="Remove it, and try again")
