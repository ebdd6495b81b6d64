"""Gather a Job's result while its Pods end: what is read late may be gone with its Pod."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cronlift.cluster.client import Json
from cronlift.job.result import MarkedLines, PodResult, ResultSource, pod_results, result_of

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


class Results:
    """The result of one Job.

    Args:
        source: Where it is read.

    Attributes:
        lines: Takes the lines of the logs; None when the result is not read there.
    """

    def __init__(self, source: ResultSource) -> None:
        self._source = source
        self.lines = MarkedLines() if source is ResultSource.LOG else None
        self._succeeded: dict[str, Json] = {}

    def look(self, pods: Sequence[Json]) -> None:
        """Take note of Pods that have ended; call it at every change."""
        for pod in pods:
            name, phase = pod["metadata"]["name"], (pod.get("status") or {}).get("phase")
            if phase == "Succeeded":
                self._succeeded[name] = pod
            elif phase == "Failed" and self.lines is not None:
                self.lines.forget(name)

    def value(self, job: Json) -> Any:
        """Return the Job's result, once its logs are read.

        Raises:
            ResultError: It is missing, malformed or too large.
        """
        found = pod_results(list(self._succeeded.values()), self.lines)
        return result_of(self._source, job, [self._of_main_container(each) for each in found])

    def _of_main_container(self, result: PodResult) -> PodResult:
        """Let the main container speak for its Pod, when it says anything: sidecars have endings of their own."""
        main = main_container(self._succeeded[result.pod])
        return replace(result, texts={main: result.texts[main]}) if main in result.texts else result


def main_container(pod: Json) -> str:
    """Return the name of a Pod's main container: the one that kubectl takes by default, else the first."""
    named = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    containers = (pod.get("spec") or {}).get("containers") or [{"name": ""}]
    return str(named or containers[0]["name"])
