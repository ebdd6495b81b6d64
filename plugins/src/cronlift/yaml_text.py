"""Change one value of a YAML text and leave every other byte, comments and quotes among them, as people wrote it."""

import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def node_at(text: str, *path: str) -> yaml.Node | None:
    """Return the node of a key; None when the text does not have it.

    Args:
        text: One YAML document.
        path: Keys from the top.

    Raises:
        YAMLError: The text is none.
    """
    node = yaml.compose(text, Loader=_LOADER)
    for key in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for name, value in pairs if name.value == key), None)
    return node


def nodes_of(text: str) -> Iterator[yaml.Node]:
    """Yield the root of every document.

    Raises:
        YAMLError: The text is no YAML.
    """
    yield from (node for node in yaml.compose_all(text, Loader=_LOADER) if node is not None)


def last_line(node: yaml.Node) -> int:
    """Return the last line, from 0, on which something of a node stands; a block's own mark lies behind comments."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return last_line(node.value[-1])
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return int(node.end_mark.line) - 1
    return int(node.end_mark.line)


def add_entries(text: str, key: str, block: str) -> str | None:
    """Add lines at the end of a top-level mapping.

    Args:
        text: One YAML document.
        key: Of the mapping; added at the end of the text where it is not there.
        block: The lines; indented by two blanks, or as the entries that are there.

    Returns:
        The new text; None when the mapping is written in braces, and so takes no further line.
    """
    node = node_at(text, key)
    if node is None:
        return f"{text.rstrip()}\n{key}:\n{block}".lstrip()
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        lines = text.splitlines(keepends=True)
        at = last_line(node) + 1
        head = "".join(lines[:at])
        block = textwrap.indent(textwrap.dedent(block), " " * node.value[0][0].start_mark.column)
        return f"{head}{'' if head.endswith(chr(10)) else chr(10)}{block}{''.join(lines[at:])}"
    if not node.value or node.value == "null":
        rest = text[node.end_mark.index :].removeprefix("\n")
        return f"{text[: node.start_mark.index].rstrip(' ')}\n{block}{rest}"
    return None
