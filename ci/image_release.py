"""Bring images to where clusters find them: `python -m ci.image_release build|push [NAME...]`.

Each image is built only when its content tag is new, then run against its structure.yaml, written down in
build/sbom/NAME.cdx.json, and given to the scanner of SCAN. `push` asks the registry first: a tag that is there is left
alone, built or not. What was done is in build/images.json, and as digests in build/images.sha256 for a signer.
"""

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ci import image_recipes, image_runner, image_structure
from ci.cluster.docker import why_docker_is_silent
from ci.docker_runner import DockerRunner
from ci.errors import UserError
from ci.image_push import Registry, open_registry
from ci.image_sbom import write_sbom
from ci.image_scan import scan
from ci.images import Image, build, plans_of
from ci.paths import ROOT
from ci.stages import Stage, exit_with_words

BUILD = ROOT / "build"


@dataclass(frozen=True)
class Released:
    """What became of an image.

    Attributes:
        name: Short name.
        tag: Content tag.
        reference: Where it lies now.
        digest: Of its manifest in the registry; empty when it was only built.
        state: `built`, `pushed`, or `there` when the registry had it already.
        sbom: Path of its bill of materials; empty when none was made.
    """

    name: str
    tag: str
    reference: str
    digest: str
    state: str
    sbom: str


def own_images(names: Sequence[str] = ()) -> list[str]:
    """Return the images of this repo, or those that are named.

    Raises:
        UserError: A name is none of them; what the chart takes from elsewhere is not ours to push.
    """
    own = [name for name in image_recipes.names() if name not in image_recipes.UPSTREAM]
    known = [*own, *image_recipes.VARIANTS]
    if unknown := [name for name in names if name not in known]:
        raise UserError("There is no such image of ours", unknown, cure=f"Known: {', '.join(known)}.")
    return list(names) or own


def prove(image: Image, scanner: str, folder: Path = BUILD) -> Path:
    """Run an image, write its bill of materials, and have it scanned.

    Returns:
        The bill of materials.

    Raises:
        UserError: It is not what its structure.yaml says, or the scanner refuses it.
    """
    source = image_recipes.VARIANTS.get(image.name, (image.name, ()))[0]
    structure = image_structure.read_structure(source)
    with Stage(f"Run image {image.name}"), runner_of(image) as runner:
        if wrong := image_structure.faults(image, structure, runner):
            raise UserError(
                f"Image {image.name}:{image.tag} is not what images/{source}/structure.yaml says",
                wrong,
                cure="Correct the Dockerfile, or the structure when the change is wanted.",
            )
    with Stage(f"Write down what image {image.name} has"):
        sbom = write_sbom(image, folder / "sbom")
    if scanner:
        with Stage(f"Scan image {image.name}"):
            places = {"sbom": str(sbom), "archive": str(image.archive), "name": image.name, "tag": image.tag}
            scan(scanner, places)
    return sbom


@contextmanager
def runner_of(image: Image) -> Iterator[image_structure.Runner]:
    """Yield something that runs the image: Docker where it answers, else runc as root."""
    if not why_docker_is_silent():
        yield DockerRunner(image)
        return
    if os.geteuid() != 0:
        raise UserError("Images cannot be run: no Docker engine answers, and runc needs root", cure="Use sudo.")
    work = Path(tempfile.mkdtemp(prefix="cronlift-run-"))
    try:
        yield image_runner.unpack(image, work)
    finally:
        image_runner.remove(work)


def build_all(names: Sequence[str], scanner: str) -> list[Released]:
    """Build what is new, and prove each image."""
    images = build(own_images(names))
    return [
        Released(image.name, image.tag, f"localhost/cronlift/{image.name}:{image.tag}", "", "built",
                 str(prove(image, scanner)))
        for image in images
    ]  # fmt: skip


def push_all(names: Sequence[str], registry: Registry, scanner: str, *, describe_all: bool) -> list[Released]:
    """Push what the registry lacks; nothing is pushed before every new image is proven.

    Args:
        names: Images; by default all of this repo.
        registry: Where to.
        scanner: SCAN, or empty.
        describe_all: Fetch what is there already too, and prove it: a release tells of all its images.
    """
    plans = plans_of(own_images(names))
    references = {plan.name: registry.reference(plan.name, plan.tag) for plan in plans}
    there = {plan.name: registry.digest(references[plan.name]) for plan in plans}
    missing = [name for name, digest in there.items() if digest is None]
    built = {image.name: image for image in build(missing)} if missing else {}
    sboms = {name: prove(image, scanner) for name, image in built.items()}
    found = []
    for plan in plans:
        digest, state = there[plan.name], "there"
        if digest is None:
            with Stage(f"Push image {plan.name}:{plan.tag}"):
                digest, state = registry.push(built[plan.name].archive, references[plan.name]), "pushed"
        elif describe_all:
            sboms[plan.name] = _prove_published(plan.name, plan.tag, registry, scanner)
        sbom = str(sboms.get(plan.name, ""))
        found.append(Released(plan.name, plan.tag, references[plan.name], digest, state, sbom))
    return found


def _prove_published(name: str, tag: str, registry: Registry, scanner: str) -> Path:
    with tempfile.TemporaryDirectory(prefix="cronlift-pull-") as folder:
        archive = Path(folder, f"{name}.tar")
        registry.pull(registry.reference(name, tag), archive)
        return prove(Image(name, tag, archive), scanner)


def record(found: Sequence[Released], folder: Path = BUILD) -> None:
    """Write images.json, and images.sha256 with the digests of images and bills as `sha256sum` has them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "images.json").write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    lines = []
    for each in found:
        if each.digest:
            lines.append(f"{each.digest.removeprefix('sha256:')}  {each.reference.rpartition(':')[0]}")
        if each.sbom:
            path = Path(each.sbom)
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
    (folder / "images.sha256").write_text("".join(f"{line}\n" for line in lines))


def main() -> None:
    """Print a line for each image: state, reference, digest."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    parser.add_argument("action", choices=("build", "push"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="by default all images of this repo")
    parser.add_argument("--registry", default="", help="host and folder to push to: ghcr.io/acme/cronlift")
    parser.add_argument(
        "--scan", default=os.environ.get("SCAN", ""), help="scanner's command, with {sbom} or {archive}"
    )
    parser.add_argument("--all", action="store_true", help="describe and scan published images too")
    options = parser.parse_args()
    if options.action == "build":
        found = build_all(options.names, options.scan)
    elif not options.registry:
        raise UserError("It is not said where to push to", cure="make push REGISTRY=ghcr.io/acme/cronlift")
    else:
        with open_registry(options.registry) as registry:
            found = push_all(options.names, registry, options.scan, describe_all=options.all)
    record(found)
    for each in found:
        print(f"{each.state:<7} {each.reference}{'@' + each.digest if each.digest else ''}")


if __name__ == "__main__":
    with exit_with_words():
        main()
