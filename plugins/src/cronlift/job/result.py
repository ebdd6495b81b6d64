"""The result that a Job hands to later tasks: where it is read, how its texts become one value.

A container gives it as JSON: in its termination message, or in lines of its log that begin with a mark. Everything
here is pure; who watches the Pods and reads their logs feeds it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NoReturn

from cronlift.errors import ResultError

RESULT_MARK = "cronlift-result:"
# An XCom is a row of Airflow's database, and every task that pulls it reads it whole.
RESULT_LIMIT_CHARACTERS = 1024 * 1024
# What Airflow sends between its processes, and so the least that a result may hold.
_INTEGERS = range(-(2**63), 2**64)
# More than anyone writes, and less than what exhausts the stack of those who pass it on.
DEPTH_LIMIT = 100
# As JSON writes it; after an even number of backslashes, or it is but the text backslash-u0000.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"


class ResultSource(Enum):
    """Where a Job's result is read."""

    TERMINATION_MESSAGE = "termination_message"
    LOG = "log"


@dataclass(frozen=True)
class PodResult:
    """What one Pod that succeeded left.

    Args:
        pod: Its name.
        texts: Container -> text, of those that left any.
        index: Its completion index in an Indexed Job; None in others.
        ended: When its last container ended, RFC 3339; sorts as text.
    """

    pod: str
    texts: Mapping[str, str]
    index: int | None = None
    ended: str = ""


@dataclass
class MarkedLines:
    """Collects the marked lines of a Job's logs; the lines of one container are joined without anything between.

    So a long value may be cut at any place, as by `fold`, and JSON may be printed over several lines.
    """

    _pieces: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _sizes: dict[tuple[str, str], int] = field(default_factory=dict)
    _cut: set[tuple[str, str]] = field(default_factory=set)
    _size: int = 0

    def add(self, pod: str, container: str, line: str) -> bool:
        """Take a line, whole, if it is marked.

        Args:
            pod: The Pod's name.
            container: The container's name.
            line: A line of its log, uncut, without timestamp and end.

        Returns:
            Whether it was marked, and so need not be shown.
        """
        if not line.startswith(RESULT_MARK):
            return False
        piece, key = line[len(RESULT_MARK) :].removeprefix(" "), (pod, container)
        self._sizes[key] = self._sizes.get(key, 0) + len(piece)
        self._size += len(piece)
        if self._size <= RESULT_LIMIT_CHARACTERS and key not in self._cut:
            self._pieces.setdefault(key, []).append(piece)
        else:
            self._cut.add(key)  # only counted from here on, and `texts` refuses
        return True

    def forget(self, pod: str, container: str | None = None) -> None:
        """Drop what a container printed, because it starts again, or a whole Pod, because it failed.

        Args:
            pod: The Pod's name.
            container: The container's name; None for all of the Pod.
        """
        for key in [each for each in self._sizes if each[0] == pod and container in (None, each[1])]:
            self._size -= self._sizes.pop(key)
            self._pieces.pop(key, None)
            self._cut.discard(key)

    def texts(self, pod: str) -> dict[str, str]:
        """Return container -> text of a Pod.

        Raises:
            ResultError: All marked lines of the Job together are too large.
        """
        if any(name == pod for name, _ in self._cut):
            _refuse_large(max(self._size, RESULT_LIMIT_CHARACTERS + 1))
        return {container: "".join(pieces) for (name, container), pieces in self._pieces.items() if name == pod}


def pod_results(pods: Sequence[Mapping[str, Any]], lines: MarkedLines | None = None) -> list[PodResult]:
    """Return what the Pods that succeeded left.

    Args:
        pods: The Job's Pods as last seen.
        lines: Of their logs; None to read termination messages.

    Raises:
        ResultError: The marked lines are too large.
    """
    found = []
    for pod in pods:
        status, metadata = pod.get("status") or {}, pod["metadata"]
        if status.get("phase") != "Succeeded":
            continue
        # Not those of initContainers: they prepare, and a native sidecar ends whenever it is told to.
        ended = {
            each["name"]: (each.get("state") or {}).get("terminated") or {}
            for each in status.get("containerStatuses") or []
        }
        messages = {name: each["message"] for name, each in ended.items() if each.get("message")}
        index = (metadata.get("annotations") or {}).get(_COMPLETION_INDEX)
        found.append(
            PodResult(
                pod=metadata["name"],
                texts=messages if lines is None else lines.texts(metadata["name"]),
                index=int(index) if index is not None else None,
                ended=max((each.get("finishedAt") or "" for each in ended.values()), default=""),
            )
        )
    return found


def result_of(source: ResultSource, job: Mapping[str, Any], results: Sequence[PodResult]) -> Any:
    """Join what a Job's Pods left into its result.

    Args:
        source: Where it was read, for messages.
        job: The Job that succeeded, as the API server has it.
        results: Of the Pods that succeeded.

    Returns:
        The value, when the Job is of one completion. Else a list: in order of completion index when the Job is
        Indexed, with None for an index that did not succeed (successPolicy), or in order of the Pods' ends.

    Raises:
        ResultError: A Pod left nothing, or no JSON, or too much, or its end was not seen.
    """
    _refuse_large(sum(len(text) for each in results for text in each.texts.values()))
    if not gives_list(job):
        last = max(results, key=lambda each: each.ended, default=None)
        if last is None:
            raise ResultError(
                "The Job succeeded, but none of its Pods is there to read the result from. Clear the task to run the "
                "Job again."
            )
        return _value(source, last)
    spec, status = job.get("spec") or {}, job.get("status") or {}
    if spec.get("completionMode") == "Indexed":
        by_index = {each.index: each for each in sorted(results, key=lambda each: each.ended)}
        _refuse_missing(len(by_index), status)
        count = int(spec["completions"])
        return [_value(source, by_index[index]) if index in by_index else None for index in range(count)]
    _refuse_missing(len(results), status)
    return [_value(source, each) for each in sorted(results, key=lambda each: (each.ended, each.pod))]


def gives_list(job: Mapping[str, Any]) -> bool:
    """Tell whether a Job's result is a list: it has several completions, or several Pods that share a work queue."""
    spec = job.get("spec") or {}
    completions = spec.get("completions")
    if completions is not None:
        return int(completions) > 1
    return int(spec.get("parallelism") or 1) > 1


def _value(source: ResultSource, result: PodResult) -> Any:
    if not result.texts:
        raise ResultError(f"Pod {result.pod} succeeded, but left no result. {_how(source)}")
    if len(result.texts) > 1:
        names = ", ".join(sorted(result.texts))
        raise ResultError(
            f"Several containers of Pod {result.pod} left a result: {names}. Let only one of them give a result."
        )
    ((container, text),) = result.texts.items()
    whose = f"The result of container {container} of Pod {result.pod}"
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{whose} is no JSON: {error}. It begins with {text[:80]!r}. {_how(source)}") from error
    try:
        _refuse_unstorable(value)
    except ValueError as error:
        raise ResultError(f"{whose} cannot be kept by Airflow: {error}. It begins with {text[:80]!r}.") from error
    return value


def _refuse_unstorable(value: Any) -> None:
    """Refuse what Airflow cannot pass on or PostgreSQL's JSON not hold.

    That is infinity, as 1e999 becomes, half a surrogate pair, the character NUL, an integer beyond 64 bits, and lists
    in lists without an end. In an event to a worker the last four would end the triggerer (3.3.2), again and again.

    Raises:
        ValueError: It holds one of them.
    """
    _refuse_unsendable(value)
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    text.encode()
    if _NUL.search(text):
        raise ValueError("it holds the character NUL")


def _refuse_unsendable(value: Any, depth: int = 0) -> None:
    if depth > DEPTH_LIMIT:
        raise ValueError(f"it is nested deeper than {DEPTH_LIMIT} levels")
    if isinstance(value, int) and value not in _INTEGERS:
        raise ValueError(f"the number {str(value)[:24]}... has more than 64 bits; write it as a text, in quotes")
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            _refuse_unsendable(each, depth + 1)


def _how(source: ResultSource) -> str:
    if source is ResultSource.LOG:
        return f'Print one JSON value on a line that begins with the mark, such as: {RESULT_MARK} {{"rows": 3}}'
    return (
        "Write one JSON value of at most 4096 bytes into the file /dev/termination-log (or to the container's "
        'terminationMessagePath); for more, use result_from="log".'
    )


def _refuse_large(size: int) -> None:
    if size > RESULT_LIMIT_CHARACTERS:
        raise ResultError(
            f"The Job's result has {size} characters, more than the {RESULT_LIMIT_CHARACTERS} that Airflow's database "
            "is spared. Write it to a file or an object store, and give its address as the result."
        )


def _refuse_missing(seen: int, status: Mapping[str, Any]) -> None:
    succeeded = int(status.get("succeeded") or 0)
    if seen < succeeded:
        raise ResultError(
            f"The Job counts {succeeded} Pods that succeeded, but only {seen} of them are there to read the result "
            "from. Clear the task to run the Job again; find out who deletes Pods (kubectl get events)."
        )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed in JSON")
