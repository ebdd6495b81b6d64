"""Make the objects that the API server gets, from a manifest's rendered documents and a team's defaults."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cronlift.errors import ManifestError
from cronlift.job import naming
from cronlift.job.checks import check
from cronlift.job.companions import build_companion
from cronlift.job.documents import Document, Places
from cronlift.job.metadata import stamp
from cronlift.job.naming import TaskIdentity
from cronlift.job.objects import Objects
from cronlift.job.ownership import check_ownership


@dataclass(frozen=True)
class Defaults:
    """What a team's manifests need not say.

    Args:
        namespace: The team's namespace; a manifest may name no other.
        service_account: The account of Pods that name none.
        execution_timeout: Becomes activeDeadlineSeconds when the manifest has none; None for no limit.
    """

    namespace: str
    service_account: str
    execution_timeout: timedelta | None = None


def build_objects(
    documents: Sequence[Document], identity: TaskIdentity, defaults: Defaults, spec_hash: str, places: Places
) -> Objects:
    """Make the objects that the API server gets.

    Args:
        documents: Parsed and rendered.
        identity: The try that it belongs to; names it.
        defaults: The team's.
        spec_hash: Written as an annotation; see `naming.ANNOTATION_SPEC_HASH`.
        places: For messages.

    Returns:
        New objects; the documents are not changed.

    Raises:
        ManifestError: A fault, among them a namespace that is not the team's.
    """
    faults = check(documents, places) or check_ownership(documents, places, defaults.namespace)
    if faults:
        raise ManifestError.all_of(faults)
    source = next(each for each in documents if each.kind == "Job")
    companions = (build_companion(each, identity, defaults.namespace) for each in documents if each is not source)
    return Objects(_build_job(source.content, identity, defaults, spec_hash), tuple(companions))


def _build_job(content: dict[str, Any], identity: TaskIdentity, defaults: Defaults, spec_hash: str) -> dict[str, Any]:
    job = copy.deepcopy(content)
    metadata = stamp(job, identity, {naming.ANNOTATION_SPEC_HASH: spec_hash})
    metadata.pop("generateName", None)
    metadata |= {"name": naming.job_name(identity), "namespace": defaults.namespace}
    spec, template = job["spec"], job["spec"]["template"]
    # With a limit for each index, one for the whole Job would end it at the first index that fails.
    # Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index
    if spec.get("backoffLimitPerIndex") is None:
        _default(spec, "backoffLimit", 0)
    if defaults.execution_timeout is not None:
        _default(spec, "activeDeadlineSeconds", max(1, int(defaults.execution_timeout.total_seconds())))
    stamp(template, identity)
    _default(template["spec"], "restartPolicy", "Never")
    _default(template["spec"], "serviceAccountName", defaults.service_account)
    _default(template["spec"], "automountServiceAccountToken", False)
    return job


def _default(owner: dict[str, Any], key: str, value: Any) -> None:
    """Fill what is left out, or left empty: to Kubernetes that is the same."""
    if owner.get(key) is None:
        owner[key] = value
