"""Build the images of this repo: each under a tag of its content, each once for all clones.

`python -m ci.images [NAME...] [--json]` builds what is missing and prints where it lies. Every folder of images/ with a
Dockerfile is an image; what pods of the platform need besides (Postgres, git-sync) is pulled, or replaced by the
stand-ins of ci/cluster/standins where no registry answers.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci import image_build, image_recipes
from ci.errors import UserError
from ci.paths import LOGS, cache_dir
from ci.stages import Stage, exit_with_words

KEPT_ARCHIVES = 3
"""Per image: the newest, and those of another branch or clone."""


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        name: Short name, the folder under images/ ("airflow").
        tag: Hash of all build inputs, 12 hex digits.
        archive: OCI archive in the user's cache.
    """

    name: str
    tag: str
    archive: Path


def build(names: Sequence[str] = ()) -> list[Image]:
    """Build or pull what is not in the cache, and return the images in the order of `names`.

    Args:
        names: Short names; by default all images of the platform, without variants.

    Raises:
        UserError: A name is unknown, or nothing on this machine can build images.
        CommandError: A build failed; its last lines and the path of the whole log are shown.
    """
    wanted = list(names) or image_recipes.names()
    known = [*image_recipes.names(), *image_recipes.VARIANTS]
    if unknown := [name for name in wanted if name not in known]:
        raise UserError(
            "There is no such image",
            unknown,
            cure=f"Known: {', '.join(known)}. A new one is a folder images/<name> with a Dockerfile.",
        )
    folder = cache_dir() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with image_build.locked(folder / "lock"):
        plans = plans_of(wanted)
        images = [_image(plan) for plan in plans]
        for plan, image in zip(plans, images, strict=True):
            if image.archive.is_file():
                os.utime(image.archive)
                continue
            _make(plan, image)
    return images


def plans_of(names: Sequence[str]) -> list[image_recipes.Plan]:
    """Return how each image is made here, and so its tag; asks the registries only when that matters."""
    with_registry = _use_registry(names)
    return [image_recipes.plan(name, with_registry=with_registry) for name in names]


def _use_registry(wanted: Sequence[str]) -> bool:
    """Decide for one kind of base; what the cache holds in full is used without asking the network."""
    choice = image_build.registry_choice()
    if choice is not None:
        return choice
    for with_registry in (True, False):
        plans = [image_recipes.plan(name, with_registry=with_registry) for name in wanted]
        if all(_image(plan).archive.is_file() for plan in plans):
            return with_registry
    return image_build.registry_answers()


def _image(plan: image_recipes.Plan) -> Image:
    return Image(plan.name, plan.tag, cache_dir() / "images" / f"{plan.name}-{plan.tag}.tar")


def _make(plan: image_recipes.Plan, image: Image) -> None:
    log = LOGS / f"image-{plan.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    builder = image_build.choose_builder(log)
    half = image.archive.with_suffix(".half")
    half.unlink(missing_ok=True)
    reference = f"localhost/cronlift/{image.name}:{image.tag}"
    try:
        if plan.upstream:
            with Stage(f"Pull image {image.name}", log=log, expected_seconds=40):
                builder.pull(plan.upstream, reference, half, log)
        else:
            with Stage(f"Build image {image.name}", log=log, expected_seconds=plan.expected_seconds) as stage:
                stage.note = image.tag
                builder.build(plan, reference, half, log)
        half.replace(image.archive)
        _prune(image, builder)
    finally:
        half.unlink(missing_ok=True)
        builder.close()


def _prune(image: Image, builder: image_build.Builder) -> None:
    """Remove all but the newest archives of this image, with what the builder keeps for them."""
    archives = [
        path
        for path in image.archive.parent.glob(f"{image.name}-*.tar")
        if path.stem.removeprefix(f"{image.name}-").isalnum()
    ]
    archives.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for old in archives[KEPT_ARCHIVES:]:
        old.unlink(missing_ok=True)
        builder.forget(f"localhost/cronlift/{image.name}:{old.stem.removeprefix(f'{image.name}-')}")


def main() -> None:
    """Build the images named on the command line and print their references and archives."""
    parser = argparse.ArgumentParser(prog="python -m ci.images", description=__doc__)
    known = ", ".join([*image_recipes.names(), *image_recipes.VARIANTS])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {known}; by default all but the variants")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    options = parser.parse_args()
    images = build(options.names)
    if options.json:
        print(json.dumps([{"name": image.name, "tag": image.tag, "archive": str(image.archive)} for image in images]))
        return
    for image in images:
        print(f"{image.name:<12} localhost/cronlift/{image.name}:{image.tag}  {image.archive}")


if __name__ == "__main__":
    with exit_with_words():
        main()
