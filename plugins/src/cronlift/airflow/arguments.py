"""Check the operator's arguments in its constructor, so that a wrong one is an import error with its cure."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cronlift.errors import OperatorArgumentError

DELETE_POLICIES = ("on_success", "on_failure", "always", "never")
RESULT_SOURCES = ("termination_message", "log")
LOG_MODES = ("live", "off")
_EXAMPLE = 'manifest="jobs/export.yaml"'


def check_arguments(
    task_id: str,
    *,
    manifest: Any,
    cluster: Any,
    delete_policy: Any,
    start_timeout: Any,
    result_from: Any,
    logs: Any,
    tail_lines: Any,
    tail_every: Any,
    templated: Any = True,
    values: Any = None,
) -> None:
    """Refuse arguments that can never work; `values` is checked once its references are resolved.

    Args:
        task_id: For the message.
        manifest: See the operator; so are the others.
        cluster: A string or None.
        delete_policy: One of DELETE_POLICIES.
        start_timeout: A positive timedelta or None.
        result_from: One of RESULT_SOURCES or None.
        logs: One of LOG_MODES.
        tail_lines: A positive number or None.
        tail_every: A positive timedelta or None; only with tail_lines.
        templated: True or False.
        values: Given only to a manifest that is templated.

    Raises:
        OperatorArgumentError: With every fault.
    """
    faults = [
        *_manifest(manifest),
        *_one_of("delete_policy", delete_policy, DELETE_POLICIES),
        *([] if result_from is None else _one_of("result_from", result_from, RESULT_SOURCES)),
        *_one_of("logs", logs, LOG_MODES),
        *_positive_duration("start_timeout", start_timeout),
        *_positive_duration("tail_every", tail_every),
    ]
    if cluster is not None and (not isinstance(cluster, str) or not cluster):
        faults.append(f"cluster is {cluster!r}. Give the name of one of the deployment's clusters, or leave it out.")
    if tail_lines is not None and (not isinstance(tail_lines, int) or isinstance(tail_lines, bool) or tail_lines < 1):
        faults.append(f"tail_lines is {tail_lines!r}. Give a number of lines, such as tail_lines=100.")
    if tail_every is not None and tail_lines is None:
        faults.append("tail_every is given without tail_lines. Say how many lines, such as tail_lines=100.")
    if tail_lines is not None and logs == "off":
        faults.append('tail_lines is given with logs="off". Leave one of them out.')
    if not isinstance(templated, bool):
        faults.append(f"templated is {templated!r}. Give True or False.")
    elif not templated and values:
        faults.append("values is given with templated=False, which uses none. Leave one of them out.")
    if faults:
        raise OperatorArgumentError("\n".join(f"Task {task_id}: {fault}" for fault in faults))


def check_values(task_id: str, values: Mapping[Any, Any] | None) -> None:
    """Refuse names that a manifest could not use, or that would hide what Airflow gives it.

    Raises:
        OperatorArgumentError: With every fault.
    """
    if values is None:
        return
    if not isinstance(values, Mapping):
        raise OperatorArgumentError(
            f'Task {task_id}: values is a {type(values).__name__}. Give a dict, such as values={{"shard": 1}}.'
        )
    from cronlift.job.names import refused_value_names

    faults = refused_value_names(values)
    if faults:
        raise OperatorArgumentError("\n".join(f"Task {task_id}: {fault}" for fault in faults))


def _manifest(manifest: Any) -> list[str]:
    if not isinstance(manifest, (str, dict)):
        return [f"manifest is a {type(manifest).__name__}. Give a path, YAML text or a dict: {_EXAMPLE}."]
    if not manifest or (isinstance(manifest, str) and not manifest.strip()):
        return [f"manifest is empty. Give a path, YAML text or a dict: {_EXAMPLE}."]
    if isinstance(manifest, str) and "\n" not in manifest.strip():
        from cronlift.job.sources import FILE_SUFFIXES, is_path

        if not is_path(manifest) and ":" not in manifest and "{" not in manifest:
            return [
                f"manifest {manifest!r} is neither YAML nor a path that ends in {', '.join(FILE_SUFFIXES)}. "
                f"Write it like {_EXAMPLE}."
            ]
    return []


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> list[str]:
    return [] if value in allowed else [f"{name} is {value!r}. Use one of {', '.join(map(repr, allowed))}."]


def _positive_duration(name: str, value: Any) -> list[str]:
    if value is None or (isinstance(value, timedelta) and value > timedelta(0)):
        return []
    return [f"{name} is {value!r}. Give a timedelta above zero, such as {name}=timedelta(minutes=10)."]
