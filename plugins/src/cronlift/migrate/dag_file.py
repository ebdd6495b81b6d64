"""Rewrite one DAG file: find the calls, translate each, put imports right."""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from cronlift.migrate import kube_job, stock
from cronlift.migrate.edits import Edits
from cronlift.migrate.literals import dotted_name
from cronlift.migrate.manifest_text import manifest_text
from cronlift.migrate.translation import OWN_MANIFESTS, Translation

_OPERATORS = {
    "airflow.providers.cncf.kubernetes.operators.job.KubernetesJobOperator": stock.translate,
    "airflow_kjo.KubernetesJobOperator": kube_job.translate,
    "airflow_kjo.kubernetes_job_operator.KubernetesJobOperator": kube_job.translate,
}
_NAME = "KubernetesJobOperator"


@dataclass(frozen=True)
class Note:
    """A sentence about a line of the file.

    Args:
        line: From 1.
        text: What changed for the task, or why the call was left, with the cure.
        left: Whether the call was left as it is.
    """

    line: int
    text: str
    left: bool = False


@dataclass
class Migration:
    """What becomes of a file.

    Args:
        source: Its new text.
        manifests: Path, relative to the file -> text of each YAML file to write.
        notes: In order of line.
    """

    source: str
    manifests: dict[str, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def migrate(source: str, file: PurePosixPath, read: Callable[[str], str | None]) -> Migration:
    """Rewrite a DAG file.

    Args:
        source: Its text.
        file: Its absolute path.
        read: Returns the text of a file beside it, by its relative path; None when there is none.

    Returns:
        The new text; the old one when there is nothing to translate.

    Raises:
        SyntaxError: The file is no Python.
    """
    tree, edits, found = ast.parse(source), Edits(source), Migration(source)
    names = _imported_names(tree)
    done: list[tuple[ast.Call, Translation]] = []
    left = []
    for node, call in _uses(tree, names):
        translated = _translate(node, call, names, file, found, read)
        if call is None or translated.faults:
            found.notes += [Note(node.lineno, f"left as it is: {fault}", left=True) for fault in translated.faults]
            left.append(node)
        else:
            found.notes += [Note(node.lineno, note) for note in translated.notes]
            done.append((call, translated))
    if done:
        clock = _timedelta(names)
        _edit_imports(tree, edits, names, done, apart=bool(left), with_timedelta=clock is None)
        for call, translated in done:
            _edit_call(call, translated, edits, clock or "timedelta")
            if left or not isinstance(call.func, ast.Name):
                edits.replace(call.func, f"cronlift.{_NAME}")
        found.source = edits.result()
    found.notes.sort(key=lambda note: note.line)
    return found


def _imported_names(tree: ast.Module) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            for each in node.names:
                root = each.name.partition(".")[0]
                names[each.asname or root] = each.name if each.asname else root
    return names


def _uses(tree: ast.Module, names: Mapping[str, str]) -> Iterator[tuple[ast.expr, ast.Call | None]]:
    """Yield every place that names an operator to translate, and the call when it is a plain call."""
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and dotted_name(node, names) in _OPERATORS:
            yield node, calls.get(id(node))


def _translate(
    node: ast.expr,
    call: ast.Call | None,
    names: Mapping[str, str],
    file: PurePosixPath,
    found: Migration,
    read: Callable[[str], str | None],
) -> Translation:
    if call is None:
        return Translation(faults=["it is no plain call. Write .partial(manifest=...).expand(values=[...]) by hand"])
    if call.args or any(keyword.arg is None for keyword in call.keywords):
        return Translation(faults=["arguments come by position, * or **. Write each as name=value"])
    arguments = {str(keyword.arg): keyword.value for keyword in call.keywords}
    translated = _OPERATORS[dotted_name(node, names)](arguments, names, str(file.parent))
    if translated.manifest is not None and not translated.faults:
        _place_manifest(translated, file, found, read)
    return translated


def _place_manifest(
    translated: Translation, file: PurePosixPath, found: Migration, read: Callable[[str], str | None]
) -> None:
    try:
        text = manifest_text(translated.manifest or {})
    except ValueError as error:
        translated.faults.append(str(error))
        return
    stem = translated.own_stem
    for path in (f"{OWN_MANIFESTS}/{stem}.yaml", f"{OWN_MANIFESTS}/{file.stem}_{stem}.yaml"):
        there = found.manifests.get(path, read(path))
        if there in (None, text):
            found.manifests[path] = text
            translated.new["manifest"] = f'"{path}"'
            return
    translated.faults.append(f"{path} is there with another content. Rename or remove it")


def _edit_call(call: ast.Call, translated: Translation, edits: Edits, timedelta: str) -> None:
    gone = [index for index, keyword in enumerate(call.keywords) if keyword.arg in translated.gone]
    anchor = call.keywords[gone[0]]
    indent = edits.indent(anchor)
    texts = [
        f"{name}={value.replace('timedelta', timedelta) if isinstance(value, str) else edits.text(value)}"
        for name, value in translated.new.items()
    ]
    edits.replace(anchor, (", " if indent is None else f",\n{indent}").join(texts))
    edits.remove_arguments(call, set(gone[1:]))


def _timedelta(names: Mapping[str, str]) -> str | None:
    """Return how the file writes `timedelta`; None when it does not import it."""
    for name, what in names.items():
        if what in ("datetime.timedelta", "datetime"):
            return name if what == "datetime.timedelta" else f"{name}.timedelta"
    return None


def _edit_imports(
    tree: ast.Module,
    edits: Edits,
    names: Mapping[str, str],
    done: list[tuple[ast.Call, Translation]],
    *,
    apart: bool,
    with_timedelta: bool,
) -> None:
    """Import cronlift where the other operator is imported: in its place, or beside it when some calls are left."""
    timed = any("timedelta(" in value for _, each in done for value in each.new.values() if isinstance(value, str))
    clock = "from datetime import timedelta\n" if timed and with_timedelta else ""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        ours = [each for each in node.names if any(key.startswith(f"{prefix}{each.name}") for key in _OPERATORS)]
        if not ours or (isinstance(node, ast.ImportFrom) and (node.level or not node.module)):
            continue
        indent = edits.indent(node) or ""
        whole = any(f"{prefix}{each.name}" in _OPERATORS for each in ours)
        if apart or not whole:
            lines = [*clock.splitlines(), "import cronlift", edits.text(node)]
        else:
            rest = [each for each in node.names if each not in ours]
            kept = [f"from {node.module} import {', '.join(map(ast.unparse, rest))}"] if rest else []  # type: ignore[union-attr]
            lines = [*clock.splitlines(), *kept, f"from cronlift import {', '.join(map(ast.unparse, ours))}"]
        edits.replace(node, f"\n{indent}".join(lines))
        clock = ""
