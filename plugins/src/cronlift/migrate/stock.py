"""Translate a call of the stock KubernetesJobOperator: its Job becomes a manifest, most of the rest is not needed."""

import ast
from collections.abc import Mapping
from typing import Any

from cronlift.migrate.stock_arguments import (
    BY_HAND,
    DEFAULT_CONNECTION,
    DELETE_POLICIES,
    DROPPED,
    FIELDS,
    SPECIAL,
)
from cronlift.migrate.translation import Arguments, Reader, Translation, file_stem, manifest_path

RESULT_FILE = "/airflow/xcom/return.json"
"""Where images for the stock operator write their result; as terminationMessagePath it stays where it is."""


def translate(arguments: Arguments, names: Mapping[str, str], folder: str) -> Translation:
    """Translate one call.

    Args:
        arguments: Keyword -> expression.
        names: What the file's names are imported from.
        folder: Absolute path of the DAG file's folder.
    """
    found = Translation(gone={*FIELDS, *DROPPED, *BY_HAND, *SPECIAL} & set(arguments))
    reader = Reader(arguments, names, found.faults)
    _refuse_by_hand(arguments, found)
    found.notes += [f"{name} left out: {DROPPED[name]}" for name in arguments if name in DROPPED]
    fields = {name: reader.read(name) for name in arguments if name in FIELDS}
    fields = {name: value for name, value in fields.items() if value is not None}
    if "job_template_file" in arguments:
        path = manifest_path("job_template_file", folder, reader.read("job_template_file"), found.faults)
        found.new["manifest"] = repr(path)
        if fields:
            found.faults.append(f"job_template_file is given with {', '.join(fields)}. Write those into the file")
    elif "image" not in arguments:
        found.faults.append("image is not given in the call. Write it here, or the Job as YAML and manifest=PATH")
    else:
        found.own_stem = file_stem(str(reader.read("task_id", "task")))
        found.new["manifest"] = ""  # the file's name depends on what is there already
        found.manifest = _job(fields, found)
    _options(reader, found)
    return found


def _refuse_by_hand(arguments: Arguments, found: Translation) -> None:
    for name in [name for name in arguments if name in BY_HAND]:
        node = arguments[name]
        unset = isinstance(node, ast.Constant) and node.value in (None, DEFAULT_CONNECTION)
        if not unset:
            found.faults.append(f"{name}: {BY_HAND[name]}")


def _options(reader: Reader, found: Translation) -> None:
    """Translate what is no field of the Job."""
    if reader.read("get_logs", True) is False:
        found.new["logs"] = '"off"'
    if reader.read("wait_until_job_complete", False) is not True:
        found.notes.append("the task now ends with its Job; before, it succeeded as soon as the Job was there")
    if reader.read("unwrap_single", True) is False:
        found.faults.append("unwrap_single=False: A Job of one completion gives its value; correct the tasks that pull")
    policy = DELETE_POLICIES.get(reader.read("on_finish_action", "delete_succeeded_pod"), "on_success")
    if policy != "on_success":
        found.new["delete_policy"] = f'"{policy}"'
    if reader.read("do_xcom_push", False) is True:
        found.new["result_from"] = '"termination_message"'
        if found.manifest is not None:
            found.manifest["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"] = RESULT_FILE
            found.notes.append(f'the result is read from {RESULT_FILE} up to 4 KiB; for more, use result_from="log"')
        else:
            found.notes.append(f"set terminationMessagePath: {RESULT_FILE} in the container that gives the result")


def _job(fields: Mapping[str, Any], found: Translation) -> dict[str, Any]:
    parts: dict[str, dict[str, Any]] = {"metadata": {}, "job": {}, "pod": {}, "container": {"name": "base"}}
    for name, value in fields.items():
        part, key = FIELDS[name]
        value = _as_the_api_has_it(name, value)
        if isinstance(value, list) and key in parts[part]:
            value = parts[part][key] + value
        if value not in ([], {}):
            parts[part][key] = value
    if "backoff_limit" not in fields:
        found.notes.append("backoffLimit is 0 where Kubernetes' default was 6: attempts are the task's retries")
    if not {"security_context", "container_security_context"} & set(fields):
        found.notes.append("the Job has no securityContext, which a namespace of level restricted demands")
    metadata = {"metadata": parts["metadata"]} if parts["metadata"] else {}
    pod = {**parts["pod"], "containers": [parts["container"]]}
    template = {**metadata, "spec": pod}
    return {"apiVersion": "batch/v1", "kind": "Job", **metadata, "spec": {**parts["job"], "template": template}}


def _as_the_api_has_it(name: str, value: Any) -> Any:
    if name == "env_vars" and isinstance(value, dict):
        return [{"name": key, "value": each} for key, each in value.items()]
    if name == "configmaps":
        return [{"configMapRef": {"name": each}} for each in value]
    if name == "image_pull_secrets" and isinstance(value, str):
        return [{"name": each.strip()} for each in value.split(",")]
    return value
