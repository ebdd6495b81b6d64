"""What a task creates in the cluster: one Job, and the objects that its manifest brings along."""

from dataclasses import dataclass
from typing import Any

COMPANION_KINDS = ("ConfigMap", "Secret", "PersistentVolumeClaim")
"""What a manifest may hold beside its Job; all are of apiVersion v1."""


@dataclass(frozen=True)
class Objects:
    """A task's objects, as the API server is to get them.

    Args:
        job: The Job; its `spec.suspend` is as the manifest says.
        companions: ConfigMaps, Secrets and PersistentVolumeClaims in the manifest's order, named, in the Job's
            namespace, with its labels and annotations; ownerReferences are left to whoever creates them.
    """

    job: dict[str, Any]
    companions: tuple[dict[str, Any], ...] = ()
