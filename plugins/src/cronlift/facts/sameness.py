"""Which Python files make the same DAGs in every process, told from their source: the others are parsed twice.

What can differ is what an order of hashes decides, a time, a random number, an address. A file is cleared only where
nothing of that is in it, and nothing is imported that could hold it; a doubt costs a second parse, and nobody a fault.
"""

import ast
from collections.abc import Mapping
from pathlib import PurePosixPath

_KNOWN = frozenset(
    (
        *("__future__", "abc", "calendar", "collections", "collections.abc", "dataclasses", "datetime", "enum"),
        *("functools", "itertools", "json", "math", "operator", "pathlib", "pendulum", "re", "string", "textwrap"),
        *("typing", "zoneinfo", "airflow", "cronlift"),
    )
)
"""Modules in which nothing varies but by the names below. Not among them: os, random, time, uuid, and what we do not
know, such as a package of the image that may build DAGs from a set."""

_KNOWN_FAMILIES = ("airflow.sdk", "airflow.providers.standard", "airflow.timetables", "cronlift")

_DOUBTFUL_NAMES = frozenset(
    (
        *("set", "frozenset", "hash", "id", "eval", "exec", "__import__"),
        *("now", "utcnow", "today", "yesterday", "tomorrow"),
        *("iterdir", "glob", "rglob", "walk", "stat"),
    )
)
_DOUBTFUL_ATTRIBUTES = frozenset(
    ("tags", "upstream_task_ids", "downstream_task_ids", "upstream_list", "downstream_list")
)
"""Sets of Airflow's own, and lists that it makes of sets."""

_VIEWS = frozenset(("keys", "items"))
_SET_OPERATORS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)


def same_in_every_process(sources: Mapping[str, str]) -> frozenset[str]:
    """Return the files that make the same DAGs in every process.

    Args:
        sources: Path from the folder that Python imports from -> text, of every Python file below it.
    """
    imports = {path: _imports_unless_doubtful(text) for path, text in sources.items()}
    homes: dict[str, set[str]] = {}
    for path in sources:
        homes.setdefault(PurePosixPath(path).parts[0].removesuffix(".py"), set()).add(path)
    cleared = {path: names for path, names in imports.items() if names is not None}
    while True:
        doubtful = [path for path, names in cleared.items() if not all(_is_clear(x, homes, cleared) for x in names)]
        if not doubtful:
            return frozenset(cleared)
        for path in doubtful:
            del cleared[path]


def _is_clear(module: str, homes: Mapping[str, set[str]], cleared: Mapping[str, object]) -> bool:
    own = homes.get(module.partition(".")[0])
    if own is not None:
        return own <= cleared.keys()
    return module in _KNOWN or any(module == each or module.startswith(f"{each}.") for each in _KNOWN_FAMILIES)


def _imports_unless_doubtful(text: str) -> set[str] | None:
    """Return the modules that a file imports; None where something in it may vary, or it cannot be read."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):
        return None
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names = attributes | {node.id for node in nodes if isinstance(node, ast.Name)}
    names |= {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    of_views = names & _VIEWS and any(isinstance(getattr(node, "op", None), _SET_OPERATORS) for node in nodes)
    has_sets = any(isinstance(node, (ast.Set, ast.SetComp)) for node in nodes)
    if names & _DOUBTFUL_NAMES or attributes & _DOUBTFUL_ATTRIBUTES or of_views or has_sets:
        return None
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    if any(node.level for node in froms):
        return None
    return found | {str(node.module) for node in froms}
