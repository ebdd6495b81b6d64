"""Read rendered YAML as Kubernetes does, and nothing that could stop or fill the process that reads it."""

from collections.abc import Iterator
from typing import Any

import yaml

from cronlift.errors import ManifestError
from cronlift.job.documents import Document, Places

# A Job with a hundred containers has some thousand; aliases of aliases make millions out of a few lines.
NODE_LIMIT = 100_000
DEPTH_LIMIT = 100
_TEXT = "tag:yaml.org,2002:str"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class _TextLikeKubernetes:
    """Tags as Kubernetes reads them: dates stay text, and so does `12:30`, which YAML 1.1 takes for 750."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """Return the tag of a node."""
        tag = str(super().resolve(kind, value, implicit))  # type: ignore[misc]
        if kind is yaml.ScalarNode and (tag == _TIMESTAMP or (tag in _NUMBERS and ":" in value)):
            return _TEXT
        return tag


class ManifestLoader(_TextLikeKubernetes, yaml.SafeLoader):
    """YAML read by PyYAML's own parser, which tells a fault best."""

    def fetch_flow_collection_start(self, token_class: type[yaml.Token]) -> None:
        """Scan a bracket or brace; PyYAML's time for many of them grows with the square of their number."""
        super().fetch_flow_collection_start(token_class)
        if self.flow_level > DEPTH_LIMIT:
            raise RecursionError


# Forty times as fast: the DAG processor reads every manifest again and again. libyaml itself stops at 1000 levels.
_FastLoader: Any = (
    type("_FastLoader", (_TextLikeKubernetes, yaml.CSafeLoader), {}) if hasattr(yaml, "CSafeLoader") else None
)


def parse(text: Any, places: Places) -> list[Document]:
    """Parse a rendered manifest.

    Args:
        text: YAML text of one or more documents, or a dict. A `kind: List` counts as the documents in its `items`.
        places: For messages.

    Returns:
        The documents that are not empty.

    Raises:
        ManifestError: A syntax error, a key given twice, a document that is no mapping, or one that is far too large.
    """
    if isinstance(text, dict):
        return list(_items_of(Document(_plain_copy(text, places)), places))
    if _FastLoader is not None:
        try:
            return _load_all(_FastLoader(text), places)
        except (yaml.YAMLError, RecursionError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
            pass  # read again below, for the words of the fault
    try:
        return _load_all(ManifestLoader(text), places)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ManifestError(
            f"YAML syntax error: {error.problem or error.context}" + _quote(text, mark, places),
            where=places.of_mark(mark),
            cure="Correct the YAML; a value that holds `: ` or begins with `{` or `*` needs quotes.",
        ) from error
    except RecursionError as error:
        raise _too_deep(places.name) from error
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        # Besides its own errors, PyYAML lets out whatever int() and the like say of a value.
        raise ManifestError(f"YAML error: {error}", where=places.name, cure="Correct the YAML.") from error


def _load_all(loader: Any, places: Places) -> list[Document]:
    try:
        return list(_load(loader, places))
    finally:
        loader.dispose()


def _load(loader: Any, places: Places) -> Iterator[Document]:
    while loader.check_node():
        node = loader.get_node()
        if node is None:
            continue
        _refuse_huge(node, places)
        _refuse_duplicate_keys(node, places)
        content = loader.construct_document(node)
        if content is None:
            continue
        if not isinstance(content, dict):
            raise ManifestError(
                f"a document is {type(content).__name__}, not a Kubernetes object",
                where=places.of_mark(node.start_mark),
                cure="Begin it with `apiVersion:` and `kind:`.",
            )
        yield from _items_of(Document(content, node), places)


def _items_of(document: Document, places: Places) -> Iterator[Document]:
    """Yield a document itself, or what a List holds: the one way for a dict to hold several objects."""
    items = document.content.get("items")
    if document.kind != "List" or not isinstance(items, list):
        yield document
        return
    nodes = _item_nodes(document.node)
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise ManifestError(
                f"the List holds a {type(item).__name__}, not a Kubernetes object",
                where=places.of(document, "items", index),
                cure="Begin each with `apiVersion:` and `kind:`.",
            )
        yield Document(item, nodes[index] if index < len(nodes) else None)


def _item_nodes(node: yaml.Node | None) -> list[yaml.Node]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value.value for key, value in pairs if key.value == "items"), [])


def _plain_copy(value: Any, places: Places, depth: int = 0) -> Any:
    """Copy dicts and lists; whatever else is in them is judged later."""
    if depth > DEPTH_LIMIT:
        raise _too_deep(places.name)
    if isinstance(value, dict):
        return {key: _plain_copy(each, places, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_copy(each, places, depth + 1) for each in value]
    return value


def _refuse_huge(root: yaml.Node, places: Places) -> None:
    """Refuse a document that becomes too large or too deep when its aliases are written out."""
    known: dict[int, tuple[int, int]] = {}  # size and height of each node
    parents: set[int] = set()

    def measure(node: yaml.Node, depth: int) -> tuple[int, int]:
        if id(node) in parents or depth > DEPTH_LIMIT:  # an alias may point at what it is part of
            raise _too_deep(places.of_mark(node.start_mark))
        if id(node) not in known:
            parents.add(id(node))
            below = [measure(child, depth + 1) for child in _children(node)]
            parents.discard(id(node))
            known[id(node)] = 1 + sum(size for size, _ in below), 1 + max((height for _, height in below), default=0)
        if depth + known[id(node)][1] > DEPTH_LIMIT:
            raise _too_deep(places.of_mark(node.start_mark))
        return known[id(node)]

    total, _ = measure(root, 0)
    if total > NODE_LIMIT:
        raise ManifestError(
            f"the document holds {total} values when its aliases are written out, more than {NODE_LIMIT}",
            where=places.of_mark(root.start_mark),
            cure="Remove aliases of aliases; large data belongs into the image or a volume.",
        )


def _refuse_duplicate_keys(root: yaml.Node, places: Places) -> None:
    pending, done = [root], {id(root)}
    while pending:
        node = pending.pop()
        seen: set[str] = set()
        for key in (key for key, _ in node.value) if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    where = places.of_mark(key.start_mark)
                    raise ManifestError(f"key {key.value!r} is given twice", where=where, cure="Remove one.")
                seen.add(key.value)
        for child in _children(node):
            if id(child) not in done:
                done.add(id(child))
                pending.append(child)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _too_deep(where: str) -> ManifestError:
    return ManifestError(
        f"the document is nested more than {DEPTH_LIMIT} deep, or holds itself",
        where=where,
        cure="Remove the alias or the brackets that do it.",
    )


def _quote(text: str, mark: yaml.Mark | None, places: Places) -> str:
    """Quote the line at fault where its number alone would not show it."""
    lines = text.splitlines()
    if mark is None or places.has_lines or mark.line >= len(lines):
        return ""
    return f", in the rendered line {mark.line + 1}: {lines[mark.line].strip()[:120]!r}"
