"""Job images that a manifest uses and an environment does not have: its DAG would import in the others alone."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_USE = re.compile(
    r"\{[{%][^{}%]{0,500}?\bimages(?:\.(?P<attribute>[A-Za-z_]\w*)|\[\s*['\"](?P<item>[^'\"]+)['\"]\s*\])"
)
"""`{{ images.NAME }}` and `{{ images['NAME'] }}`."""


@dataclass(frozen=True)
class ImageUse:
    """Where a job image is named.

    Attributes:
        name: Of the image.
        file: From the root.
        line: From 1.
    """

    name: str
    file: str
    line: int


def image_uses(file: str, text: str) -> Iterator[ImageUse]:
    """Yield the job images that a manifest, a template or a DAG file names."""
    for found in _USE.finditer(text):
        yield ImageUse(found["attribute"] or found["item"], file, text.count("\n", 0, found.end()) + 1)


def lacking(uses: Iterable[ImageUse], environments: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield what an environment lacks, in words: each name once for each environment.

    Args:
        uses: Of images that are built here or known to one of the environments; any other does not import anyway.
        environments: File of its values -> its job images.
    """
    first: dict[str, ImageUse] = {}
    for use in sorted(uses, key=lambda each: (each.file, each.line)):
        first.setdefault(use.name, use)
    for file, images in environments.items():
        for name, use in sorted(first.items()):
            if name not in images:
                known = next((each[name] for each in environments.values() if name in each), None)
                yield (
                    f"{file}: jobImages has no {name!r}, which {use.file}:{use.line} uses: its DAG would be an import "
                    f"error there. {_cure(name, known, file)}"
                )


def _cure(name: str, known: str | None, file: str) -> str:
    repository = re.sub(r"(?::[^/:@]+)?(?:@.+)?$", "", known) if known else "<repository>"
    only = f" --env {file.rpartition('/')[2].removesuffix('.yaml')}" if known else ""
    return f'Run make bump IMAGE={repository} TAG=... ARGS="--add-as {name}{only}"'
