"""What works in a manifest, but probably not as its author means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cronlift.job.companions import is_kept
from cronlift.job.documents import Document, Places
from cronlift.job.guess import JOB_NAME_GUESS, is_guessed
from cronlift.job.objects import COMPANION_KINDS

# A result is read when the Job has ended; another triggerer may have to do it, a minute later.
SHORT_TTL_SECONDS = 60
_QUEUE_LABEL = "kueue.x-k8s.io/queue-name"


@dataclass(frozen=True)
class Advice:
    """One warning.

    Args:
        what: One sentence without a full stop.
        where: `file:line: field`.
        cure: What to do about it.
    """

    what: str
    where: str
    cure: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.cure}"


def advise(documents: Sequence[Document], places: Places, retries: int = 0) -> list[Advice]:
    """Return the warnings that documents without faults deserve.

    Args:
        documents: Rendered, or of a trial rendering.
        places: For messages.
        retries: Of the task.
    """
    found = []
    for each in documents:
        if each.kind == "Job":
            found += [Advice(what, places.of(each, *path), cure) for what, cure, path in _of_job(each.content, retries)]
        elif each.kind in COMPANION_KINDS:
            found += [
                Advice(what, places.of(each, "metadata", "name"), cure) for what, cure in _of_companion(each.content)
            ]
    return found


def _of_job(job: dict[str, Any], retries: int) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    spec = job["spec"]
    limit = spec.get("backoffLimit")
    if _is_number(limit) and limit > 0 and retries > 0:
        yield (
            f"the task has retries={retries} and its Job backoffLimit: {limit}, which multiply",
            "Leave backoffLimit out to let Airflow count the attempts.",
            ("spec", "backoffLimit"),
        )
    ttl = spec.get("ttlSecondsAfterFinished")
    if _is_number(ttl) and ttl < SHORT_TTL_SECONDS:
        yield (
            f"ttlSecondsAfterFinished is {ttl}, so the Job may vanish before its log and its result are read",
            "Leave it out: the task's delete_policy removes the Job five minutes after its end.",
            ("spec", "ttlSecondsAfterFinished"),
        )
    if (
        spec["template"]["spec"].get("restartPolicy") == "OnFailure"
        and not limit
        and "backoffLimitPerIndex" not in spec
    ):
        yield (
            "restartPolicy is OnFailure without a backoffLimit: the first restart fails the Job, and Kubernetes then "
            "deletes the Pod with its log",
            "Leave restartPolicy out, or set backoffLimit to the restarts that are allowed.",
            ("spec", "template", "spec", "restartPolicy"),
        )
    if spec.get("suspend") is True and _QUEUE_LABEL not in ((job.get("metadata") or {}).get("labels") or {}):
        yield (
            f"the Job is suspended, and has no label {_QUEUE_LABEL}",
            "Remove suspend, unless something of yours starts the Job.",
            ("spec", "suspend"),
        )


def _of_companion(companion: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kind, name = companion["kind"], companion["metadata"]["name"]
    if is_kept(companion):
        if JOB_NAME_GUESS in name:
            yield (
                f"the {kind} is kept, and has another name in each try, so they pile up",
                "Give it one name for all runs, or remove the annotation.",
            )
    elif not is_guessed(name):
        yield (
            f"the {kind} is called {name!r} in every run, and goes with the first Job that ends while others use it",
            'Call it "{{ job_name }}-..." to have one for each try, or annotate it cronlift.dev/keep: "true".',
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
