"""Translate a call of airflow-kube-job-operator 0.2.5: the YAML stays, arguments change their names."""

import ast
from collections.abc import Mapping

from cronlift.migrate.literals import value_of
from cronlift.migrate.translation import Arguments, Reader, Translation, manifest_path

DEFAULT_TAIL_LINES = 100
RENAMED = {"yaml_file_name": "manifest", "yaml_template_fields": "values"}
DROPPED = {
    "in_cluster": "the deployment says which cluster it is in",
    "yaml_write_filename": "log_manifest=True writes what was created into the task's log",
}
BY_HAND = {
    "config_file": "Name the cluster under clusters of the chart's values and write cluster=NAME",
    "cluster_context": "Name the cluster under clusters of the chart's values and write cluster=NAME",
    "kube_launcher": "There is no launcher to replace; tests use a fake API server, or cronlift render",
}
SPECIAL = ("log_yaml", "yaml_write_path", "delete_completed_job", "tail_logs", "tail_logs_every",
           "tail_logs_line_count")  # fmt: skip


def translate(arguments: Arguments, names: Mapping[str, str], folder: str) -> Translation:
    """Translate one call.

    Args:
        arguments: Keyword -> expression.
        names: What the file's names are imported from.
        folder: Absolute path of the DAG file's folder.
    """
    found = Translation(gone={*RENAMED, *DROPPED, *BY_HAND, *SPECIAL} & set(arguments))
    reader = Reader(arguments, names, found.faults)
    for name in [name for name in arguments if name in BY_HAND]:
        if not _is_none(arguments[name]):
            found.faults.append(f"{name}: {BY_HAND[name]}")
    found.notes += [f"{name} left out: {DROPPED[name]}" for name in arguments if name in DROPPED]
    _manifest(arguments, names, folder, found)
    if "yaml_template_fields" in arguments:
        found.new["values"] = arguments["yaml_template_fields"]
    _tail(reader, found)
    if reader.read("log_yaml", False) is True or reader.read("yaml_write_path") is not None:
        found.new["log_manifest"] = "True"
    if "delete_completed_job" in arguments and not reader.read("delete_completed_job"):
        found.notes.append('a Job that succeeded goes after five minutes; delete_policy="never" keeps it')
    return found


def _manifest(arguments: Arguments, names: Mapping[str, str], folder: str, found: Translation) -> None:
    node = arguments.get("yaml_file_name")
    if node is None:
        found.faults.append("yaml_file_name is missing. Write manifest=PATH")
        return
    try:
        path = value_of(node, names)
    except ValueError:
        found.new["manifest"] = node
        found.notes.append("manifest is computed: it must be relative to the DAG file or to its template_searchpath")
        return
    found.new["manifest"] = repr(manifest_path("yaml_file_name", folder, path, found.faults))


def _tail(reader: Reader, found: Translation) -> None:
    every, lines = reader.read("tail_logs_every"), reader.read("tail_logs_line_count")
    if not every and not lines and not reader.read("tail_logs"):
        found.notes.append('every line is shown, live; logs="off" shows none')
        return
    found.new["tail_lines"] = str(lines or DEFAULT_TAIL_LINES)
    if every:
        found.new["tail_every"] = f"timedelta(seconds={every})"


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
