"""Bring an image's new tag into values and manifests, and leave every other byte as people wrote it.

A values file names an image in two ways: under `jobImages`, as name and whole reference, and under `images`, as a block
of repository, tag and digest. A manifest or a DAG file names it as `image: repository:tag`; those that say
`{{ images.name }}` need no change.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from cronlift import yaml_text
from cronlift.errors import AuthoringError

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFERENCE = re.compile(
    r"(?P<repository>[^\s:@]+(?::\d+/[^\s:@]+)?)(?::(?P<tag>\w[\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_AFTER = r"(?::\w[\w.-]*)?(?:@sha256:[0-9a-f]{64})?(?![\w./:@-])"


@dataclass(frozen=True)
class Version:
    """What a reference says behind the repository.

    Args:
        tag: Of the image; empty when the digest alone says it.
        digest: `sha256:` and 64 hex digits; empty when the tag alone says it.
    """

    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True)
class Named:
    """An image as a values file names it.

    Args:
        name: Key under `jobImages` or `images`.
        repository: Without tag and digest.
    """

    name: str
    repository: str


@dataclass(frozen=True)
class Change:
    """One place where a reference changes.

    Args:
        file: From the repository's root.
        line: From 1.
        before: What it said.
        after: What it says now.
    """

    file: str
    line: int
    before: str
    after: str


def read_version(text: str) -> Version:
    """Read TAG, DIGEST or TAG@DIGEST.

    Raises:
        AuthoringError: It is none of them, or `latest`.
    """
    tag, at, digest = text.partition("@")
    if not at and _DIGEST.fullmatch(text):
        tag, digest = "", text
    if tag == "latest":
        raise AuthoringError(
            "the tag 'latest' means another image every day, so nobody could say what ran",
            cure="Give the tag that the build made, such as 1.4.2 or 8d1e44a09b7c.",
        )
    if (tag and not _TAG.fullmatch(tag)) or (digest and not _DIGEST.fullmatch(digest)) or not (tag or digest):
        raise AuthoringError(
            f"{text!r} is no tag",
            cure="A tag has letters, digits, _, . and -, 128 at most; a digest is sha256: and 64 hex digits.",
        )
    return Version(tag, digest)


def named_images(text: str) -> list[Named]:
    """Return the images that a values file names.

    Raises:
        YAMLError: The text is none.
    """
    return [
        *(Named(name, _repository(node.value)) for name, node in _scalars(text, "jobImages")),
        *(Named(name, block["repository"].value) for name, block in _blocks(text) if block["repository"].value),
    ]


def bump_values(file: str, text: str, repositories: frozenset[str], version: Version) -> tuple[str, list[Change]]:
    """Bring the version into a values file, wherever it names one of the repositories.

    Args:
        file: Its name, for the changes.
        text: Of the file.
        repositories: Without tag and digest.
        version: The new one.

    Returns:
        The new text, and what changed; nothing where it is there already.
    """
    edits: list[tuple[yaml.ScalarNode, str]] = []
    for _, node in _scalars(text, "jobImages"):
        if _repository(node.value) in repositories:
            edits.append((node, f"{_repository(node.value)}{version}"))
    for _, block in _blocks(text):
        if block["repository"].value in repositories:
            # A digest wins over the tag, so an old one must not stay.
            edits += [(block[key], wanted) for key, wanted in _parts(version) if key in block]
            if version.digest and "digest" not in block:
                where = f"{file}:{block['repository'].start_mark.line + 1}"
                raise AuthoringError(
                    "the image has no key digest", where=where, cure='Add `digest: ""` beside its tag.'
                )
    changes = []
    for node, wanted in sorted(edits, key=lambda each: each[0].start_mark.index, reverse=True):
        if node.value != wanted:
            changes.append(Change(file, node.start_mark.line + 1, node.value, wanted))
            text = text[: node.start_mark.index] + _as_written(node, wanted) + text[node.end_mark.index :]
    return text, changes[::-1]


def bump_text(file: str, text: str, repositories: frozenset[str], version: Version) -> tuple[str, list[Change]]:
    """Bring the version into a manifest, a template or a DAG file, wherever `image:` names one of the repositories.

    The file may be a template and so no YAML: it is read by lines. A reference in a comment is left alone.

    Args:
        file: Its name, for the changes.
        text: Of the file.
        repositories: Without tag and digest.
        version: The new one.
    """
    pattern = re.compile(
        rf"(?P<key>\bimage[\"']?\s*[:=]\s*[\"']?)(?P<ref>(?:{'|'.join(map(re.escape, sorted(repositories)))}){_AFTER})"
    )
    lines, changes = text.splitlines(keepends=True), []
    for number, line in enumerate(lines):

        def put(found: re.Match[str], number: int = number, line: str = line) -> str:
            before, after = found["ref"], f"{_repository(found['ref'])}{version}"
            if re.search(r"(^|\s)#", line[: found.start()]) or before == after:
                return found[0]
            changes.append(Change(file, number + 1, before, after))
            return found["key"] + after

        lines[number] = pattern.sub(put, line)
    return "".join(lines), changes


def add_job_image(text: str, name: str, reference: str) -> str:
    """Return a values file with one more job image.

    Raises:
        AuthoringError: Its `jobImages` is written in braces.
    """
    added = yaml_text.add_entries(text, "jobImages", f"  {name}: {reference}\n")
    if added is None:
        cure = "Write `jobImages:` and its entries on lines of their own."
        raise AuthoringError("nothing can be added to jobImages, which is written in braces", cure=cure)
    return added


def _repository(reference: str) -> str:
    found = _REFERENCE.fullmatch(reference)
    return found["repository"] if found else reference


def _parts(version: Version) -> tuple[tuple[str, str], ...]:
    return ("tag", version.tag), ("digest", version.digest)


def _scalars(text: str, *path: str) -> Iterator[tuple[str, yaml.ScalarNode]]:
    node = yaml_text.node_at(text, *path)
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        if isinstance(value, yaml.ScalarNode):
            yield str(key.value), value


def _blocks(text: str) -> Iterator[tuple[str, dict[str, yaml.ScalarNode]]]:
    """Yield the blocks below `images` that have a repository, by name, each as key -> value."""
    node = yaml_text.node_at(text, "images")
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        block = {
            str(name.value): each
            for name, each in (value.value if isinstance(value, yaml.MappingNode) else [])
            if isinstance(each, yaml.ScalarNode)
        }
        if "repository" in block:
            yield str(key.value), block


def _as_written(node: yaml.ScalarNode, value: str) -> str:
    """Return a value in the quotes that the old one had, or in some where it would not be text without."""
    if node.style in ("'", '"'):
        return f"{node.style}{value}{node.style}"
    # Helm's YAML reads 123e45 as a number, PyYAML does not.
    is_number = re.fullmatch(r"[-+]?[0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?", value)
    return value if value and yaml.safe_load(value) == value and not is_number else f'"{value}"'
