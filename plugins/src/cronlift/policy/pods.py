"""A Job's Pod as the rules look at it, rendered or with guesses in it."""

from collections.abc import Iterator, Mapping
from typing import Any

from cronlift.job.guess import is_guessed

Path = tuple[str | int, ...]
POD: Path = ("spec", "template", "spec")
CONTAINER_KINDS = ("containers", "initContainers")


class PodView:
    """The Pod of a Job, whatever its author wrote there: what has another shape than Kubernetes' counts as missing.

    Args:
        job: The Job.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = job
        self.spec = at(job, "spec", "template", "spec")

    def containers(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """Yield every container with its path, init containers last."""
        for kind in CONTAINER_KINDS:
            for index, each in items(self.spec, kind):
                yield (*POD, kind, index), each

    def security_contexts(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """Yield the Pod's security context with its path, then each container's."""
        for path, owner in ((POD, self.spec), *self.containers()):
            yield (*path, "securityContext"), at(owner, "securityContext")

    def volumes(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """Yield every volume with its path."""
        for index, each in items(self.spec, "volumes"):
            yield (*POD, "volumes", index), each


def at(value: Any, *path: str) -> Mapping[str, Any]:
    """Return the mapping at a path; an empty one where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def items(owner: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the mappings of a list, with their index."""
    listed = owner.get(key)
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(each, Mapping):
            yield index, each


def texts(value: Any) -> list[str]:
    """Return the texts of a list; none where it is no list."""
    return [str(each) for each in value] if isinstance(value, list) else []


def is_open(value: Any) -> bool:
    """Tell whether a value is known at the run only: a guess stands for it."""
    return isinstance(value, str) and is_guessed(value)
