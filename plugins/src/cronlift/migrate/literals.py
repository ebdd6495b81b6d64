"""From an expression in a DAG file to the plain value that it stands for, without running anything."""

import ast
from collections.abc import Mapping
from typing import Any

# Words that Kubernetes writes in capitals, other than at a field's beginning.
_CAPITALS = {"api", "fqdn", "id", "io", "ip", "ipc", "ips", "pid", "uri", "uuid"}


def value_of(node: ast.expr, names: Mapping[str, str]) -> Any:
    """Return the value of a literal, or of a model of the kubernetes client that is made of literals.

    Args:
        node: The expression.
        names: What the file's names are imported from, such as `k8s` -> `kubernetes.client.models`.

    Returns:
        None, a bool, number, string, list or dict; a model becomes a dict with the API's field names.

    Raises:
        ValueError: It is something else; the message quotes it.
    """
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return node.value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [value_of(item, names) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {_key(key, node): value_of(value, names) for key, value in zip(keys, values, strict=True)}
        case ast.Call(args=[]) if dotted_name(node.func, names).startswith("kubernetes.client."):
            fields = {_field(keyword, node): value_of(keyword.value, names) for keyword in node.keywords}
            return {name: value for name, value in fields.items() if value is not None}
    raise _refused(node)


def dotted_name(node: ast.expr, names: Mapping[str, str]) -> str:
    """Return what a name or an attribute refers to, such as `kubernetes.client.models.V1Volume`; "" for the rest."""
    match node:
        case ast.Name(id=name):
            return names.get(name, "")
        case ast.Attribute(value=value, attr=attribute):
            owner = dotted_name(value, names)
            return f"{owner}.{attribute}" if owner else ""
    return ""


def api_field(attribute: str) -> str:
    """Return the API's name of a model's attribute: `claim_name` -> `claimName`, `host_ip` -> `hostIP`."""
    first, *rest = attribute.strip("_").split("_")
    return first + "".join(word.upper().replace("IPS", "IPs") if word in _CAPITALS else word.title() for word in rest)


def _key(key: ast.expr | None, node: ast.expr) -> str:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return key.value
    raise _refused(node)


def _field(keyword: ast.keyword, node: ast.expr) -> str:
    if keyword.arg is None:
        raise _refused(node)
    return api_field(keyword.arg)


def _refused(node: ast.expr) -> ValueError:
    text = ast.unparse(node)
    return ValueError(text if len(text) <= 60 else f"{text[:57]}...")
