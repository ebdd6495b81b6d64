"""Which of Airflow's variables and connections a manifest reads: only its own team's.

Airflow keeps the variables and connections of all teams in one place, and the triggerer may read them all. So those
that a team's manifests may read begin with the team's name, as its DAG ids do: `billing__db`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from cronlift.errors import ManifestError
from cronlift.job.environment import bare_environment
from cronlift.job.sources import Sources

SEPARATOR = "__"
_VARIABLE_KINDS = ("value", "json")


@dataclass(frozen=True)
class Reading:
    """One place that reads a variable or a connection by a name that is written there.

    Args:
        what: "variable" or "connection".
        name: Its name.
        where: `file:line`.
    """

    what: str
    name: str
    where: str


def belongs_to(name: str, team: str) -> bool:
    """Tell whether a variable or connection of that name is a team's."""
    return name.startswith(team + SEPARATOR) and len(name) > len(team + SEPARATOR)


def refusal(what: str, name: str, team: str, where: str = "") -> ManifestError:
    """Say why a variable or connection may not be read, and the cure."""
    return ManifestError(
        f"{what} {name!r} is not team {team!r}'s, so its manifests may not read it",
        where=where,
        cure=f"A team reads only names that begin with its own: create the {what} {team}{SEPARATOR}{_own_part(name)}.",
    )


def check_access(sources: Sources, team: str) -> list[ManifestError]:
    """Return a fault for each variable or connection of another team that a manifest names; computed names show later.

    Args:
        sources: What `collect` found.
        team: The team's name.
    """
    return [
        refusal(each.what, each.name, team, each.where) for each in readings(sources) if not belongs_to(each.name, team)
    ]


def readings(sources: Sources) -> Iterator[Reading]:
    """Yield each variable and connection that the templates name: `var.value.X`, `conn.X`, `conn.get('X')`."""
    if not sources.templated:
        return
    environment = bare_environment()
    for name, text in [*sources.files.items(), *((sources.entry, leaf) for leaf in _leaves(sources.document))]:
        if "var" not in text and "conn" not in text:
            continue
        tree = environment.parse(text)
        for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Call)):
            if (found := _reading(node)) is not None:
                yield Reading(*found, f"{name}:{node.lineno}")


def _reading(node: nodes.Node) -> tuple[str, str] | None:
    """Return what a node reads and its name, when it is the step that names it."""
    if isinstance(node, nodes.Call):
        if not isinstance(node.node, nodes.Getattr) or node.node.attr != "get" or not node.args:
            return None
        what, name = _accessor(node.node.node), node.args[0]
        return (what, name.value) if what and isinstance(name, nodes.Const) and isinstance(name.value, str) else None
    if not isinstance(node, (nodes.Getattr, nodes.Getitem)):
        return None
    what, key = _accessor(node.node), _key(node)
    return (what, key) if what and key is not None and key != "get" else None


def _accessor(node: nodes.Node) -> str | None:
    """Tell what `var.value`, `var.json` and `conn` give."""
    if isinstance(node, nodes.Name):
        return "connection" if node.name == "conn" else None
    if isinstance(node, (nodes.Getattr, nodes.Getitem)) and _key(node) in _VARIABLE_KINDS:
        return "variable" if isinstance(node.node, nodes.Name) and node.node.name == "var" else None
    return None


def _key(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(key)
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)


def _own_part(name: str) -> str:
    return name.partition(SEPARATOR)[2] or name
