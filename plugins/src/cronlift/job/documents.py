"""The documents of a manifest, and where in its file their fields are."""

from dataclasses import dataclass
from typing import Any

import yaml

from cronlift.errors import ManifestError


@dataclass(frozen=True)
class Document:
    """One object of a manifest and where it begins.

    Args:
        content: The object.
        node: Its YAML node, which knows the lines; None when the DAG gave a dict.
    """

    content: dict[str, Any]
    node: yaml.Node | None = None

    @property
    def kind(self) -> Any:
        """What it says to be; None when it does not say."""
        return self.content.get("kind")


class Places:
    """Where things are, in words: `jobs/x.yaml:12: spec.template`.

    Args:
        name: The manifest's name.
        has_lines: Whether lines of the parsed text are lines of the file.
    """

    def __init__(self, name: str, *, has_lines: bool) -> None:
        self.name, self.has_lines = name, has_lines

    def of(self, document: Document, *path: str | int) -> str:
        """Return the place of a field, or of its nearest parent that exists."""
        line = _line(document.node, path) if document.node is not None else None
        field = ".".join(str(part) for part in path)
        base = f"{self.name}:{line}" if line is not None and self.has_lines else self.name
        return f"{base}: {field}" if field else base

    def of_mark(self, mark: yaml.Mark | None) -> str:
        """Return the place of a mark that the YAML parser set."""
        return f"{self.name}:{mark.line + 1}" if mark is not None and self.has_lines else self.name


class Faults:
    """Collects the faults of one document.

    Args:
        document: The document.
        places: For messages.
    """

    def __init__(self, document: Document, places: Places) -> None:
        self._document, self._places = document, places
        self.found: list[ManifestError] = []

    def add(self, what: str, cure: str, *path: str | int) -> None:
        """Add a fault.

        Args:
            what: One sentence without a full stop.
            cure: What to do about it.
            path: Of the field.
        """
        self.found.append(ManifestError(what, where=self._places.of(self._document, *path), cure=cure))


def _line(node: yaml.Node | None, path: tuple[str | int, ...]) -> int | None:
    line = node.start_mark.line + 1 if node is not None else None
    for part in path:
        child = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if getattr(key, "value", None) == part:
                    child, line = value, key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            child = node.value[part]
            line = child.start_mark.line + 1
        if child is None:
            return line
        node = child
    return line
