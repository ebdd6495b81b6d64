"""What a Job asks of the cluster while it runs."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from cronlift.job.quantity import parse_quantity

Side = Literal["requests", "limits"]


def job_resources(job: Mapping[str, Any], side: Side, defaults: Mapping[str, str]) -> dict[str, float]:
    """Add up what all Pods of a Job that run at once request, or are limited to.

    Args:
        job: A Job as the API server gets it.
        side: Which of the two.
        defaults: See `amounts_of`.

    Returns:
        Resource -> amount, in cores, bytes or whatever the resource counts; what is no quantity counts nothing.
    """
    spec = job.get("spec") or {}
    pod = ((spec.get("template") or {}).get("spec")) or {}
    return {name: amount * pods_at_once(spec) for name, amount in pod_resources(pod, side, defaults).items()}


def pods_at_once(spec: Mapping[str, Any]) -> int:
    """Return how many Pods of a Job run at once; 1 where that is known at the run only.

    Args:
        spec: Of the Job.
    """
    parallelism, completions = spec.get("parallelism"), spec.get("completions")
    if not isinstance(parallelism, int):
        return 1
    return min(parallelism, completions) if isinstance(completions, int) else parallelism


def pod_resources(pod: Mapping[str, Any], side: Side, defaults: Mapping[str, str]) -> dict[str, float]:
    """Add up what one Pod requests, or is limited to, as the scheduler and a ResourceQuota count it.

    Args:
        pod: Spec of the Pod.
        side: Which of the two.
        defaults: See `amounts_of`.

    Source:
        https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers: the
        larger of all containers and sidecars together, and each init container beside the sidecars started before it.
    """
    sidecars: dict[str, float] = {}
    peaks: dict[str, float] = {}
    for container in _mappings(pod.get("initContainers")):
        asked = _amounts(container, side, defaults)
        if container.get("restartPolicy") == "Always":
            sidecars = _sum(sidecars, asked)
        peaks = _most(peaks, sidecars if container.get("restartPolicy") == "Always" else _sum(sidecars, asked))
    together = dict(sidecars)
    for container in _mappings(pod.get("containers")):
        together = _sum(together, _amounts(container, side, defaults))
    return _most(peaks, together)


def amounts_of(container: Mapping[str, Any], side: str, defaults: Mapping[str, str]) -> dict[str, Any]:
    """Return what a container's Pod will say, which is more than its Job says.

    Args:
        container: Of a Job.
        side: "requests" or "limits".
        defaults: Of the team's namespace: "requests.cpu" and the like -> amount.

    Returns:
        Resource -> amount as it is written: the container's own, else for requests its own limit, else the default.

    Source:
        SetDefaults_Pod in Kubernetes' pkg/apis/core/v1/defaults.go, then the admission plugin LimitRanger; both see
        Pods alone.
    """
    given = {key.removeprefix(f"{side}."): text for key, text in defaults.items() if key.startswith(f"{side}.")}
    return {**given, **_said(container, "limits"), **_said(container, side)}


def images_of(pod: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the images of a Pod's containers, sorted, each once."""
    containers = [*_mappings(pod.get("initContainers")), *_mappings(pod.get("containers"))]
    return tuple(sorted({str(each["image"]) for each in containers if each.get("image")}))


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (each for each in (value if isinstance(value, list) else []) if isinstance(each, Mapping))


def _said(container: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    resources = container.get("resources")
    said = resources.get(side) if isinstance(resources, Mapping) else None
    return said if isinstance(said, Mapping) else {}


def _amounts(container: Mapping[str, Any], side: Side, defaults: Mapping[str, str]) -> dict[str, float]:
    found = {}
    for name, text in amounts_of(container, side, defaults).items():
        try:
            found[str(name)] = float(parse_quantity(str(text)))
        except ValueError:
            continue
    return found


def _sum(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    return {name: first.get(name, 0.0) + second.get(name, 0.0) for name in {*first, *second}}


def _most(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    return {name: max(first.get(name, 0.0), second.get(name, 0.0)) for name in {*first, *second}}
