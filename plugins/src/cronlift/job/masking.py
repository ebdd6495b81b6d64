"""Objects as people may read them: without what a Secret holds, and without the values of environment variables.

What a program is told by `command` and `args`, and what a ConfigMap holds, is shown: both lie open in the cluster for
everybody who may read Jobs. A password belongs into a Secret.
"""

import copy
from typing import Any

import yaml

from cronlift.job.objects import Objects

MASK = "***"
_CONTAINER_KINDS = ("containers", "initContainers", "ephemeralContainers")
# Written by `kubectl apply`: the whole object once more, in one string.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def mask(objects: Objects) -> list[dict[str, Any]]:
    """Copy a task's objects with `***` in place of what may be secret.

    Args:
        objects: The task's.

    Returns:
        The companions, then the Job: the order in which a person applies them.
    """
    return [_masked(each) for each in (*objects.companions, objects.job)]


def masked_yaml(objects: Objects) -> str:
    """Return a task's masked objects as YAML documents; see `mask`."""
    return yaml.safe_dump_all(mask(objects), sort_keys=False, default_flow_style=False)


def _masked(found: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(found)
    pod = found.get("spec", {}).get("template", {})
    for metadata in (found.get("metadata", {}), pod.get("metadata", {})):
        annotations = metadata.get("annotations") or {}
        if _LAST_APPLIED in annotations:
            annotations[_LAST_APPLIED] = MASK
    if found.get("kind") == "Secret":
        for block in ("data", "stringData"):
            if found.get(block):
                found[block] = dict.fromkeys(found[block], MASK)
    for kind in _CONTAINER_KINDS:
        for container in pod.get("spec", {}).get(kind) or []:
            _mask_env(container)
    return found


def _mask_env(container: dict[str, Any]) -> None:
    for variable in container.get("env") or []:
        # A value that refers to other variables only, such as $(POD_NAME), is masked too: better too much.
        if variable.get("value"):
            variable["value"] = MASK
