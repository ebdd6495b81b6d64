"""What is wrong with a manifest's documents, told from themselves alone: every fault, with its line and its cure."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from cronlift.errors import ManifestError
from cronlift.job.companions import check_companion, check_names
from cronlift.job.documents import Document, Faults, Places
from cronlift.job.guess import is_guessed
from cronlift.job.metadata import check_metadata
from cronlift.job.objects import COMPANION_KINDS

_CONTAINER_KINDS = ("containers", "initContainers")
_INSTEAD = {
    "CronJob": "The schedule belongs to the DAG: keep what is below spec.jobTemplate, as a Job.",
    "Pod": "Write it below spec.template of a Job.",
}


def check(documents: Sequence[Document], places: Places) -> list[ManifestError]:
    """Return every fault that the documents show by themselves; an empty list when there is none."""
    unfit = [fault for each in documents for fault in _check_json(each, places)]
    if unfit:
        return unfit
    jobs = [each for each in documents if each.kind == "Job"]
    if not jobs:
        return [_no_job(documents, places)]
    faults = [
        ManifestError(
            "the manifest holds a second Job",
            where=places.of(each, "kind"),
            cure="Give it a manifest and a task of its own: a task follows one Job.",
        )
        for each in jobs[1:]
    ]
    companions = []
    for each in documents:
        if each.kind in COMPANION_KINDS:
            companions.append(each)
            faults += check_companion(each, places)
        elif each.kind != "Job":
            faults.append(_unknown_kind(each, places))
    return faults + check_names(companions, places) + _check_job(jobs[0], places)


def _no_job(documents: Sequence[Document], places: Places) -> ManifestError:
    kinds = ", ".join(str(each.content.get("kind", "nothing")) for each in documents) or "nothing"
    # The one that was probably meant, or else the first.
    meant = min(documents, key=lambda each: str(each.kind) not in _INSTEAD, default=None)
    return ManifestError(
        f"the manifest holds no Job, but {kinds}",
        where=places.name if meant is None else places.of(meant, "kind"),
        cure=_INSTEAD.get(
            "" if meant is None else str(meant.kind),
            "Write one document with `apiVersion: batch/v1` and `kind: Job`; see kubectl explain job.",
        ),
    )


def _unknown_kind(document: Document, places: Places) -> ManifestError:
    return ManifestError(
        f"a document is of kind {document.kind!r}, and beside its Job a manifest may hold only "
        f"{', '.join(COMPANION_KINDS)}",
        where=places.of(document, "kind"),
        cure="Create the object once, by the chart or by kubectl, and let the Job refer to it by name.",
    )


def _check_json(document: Document, places: Places) -> list[ManifestError]:
    """Find what has no form in JSON, in which the API server gets it."""
    faults = Faults(document, places)
    for value, path in _leaves(document.content, ()):
        if isinstance(value, float) and not math.isfinite(value):
            faults.add(f"a value is {value}, which JSON cannot hold", "Put it in quotes, or write a number.", *path)
        elif value is not None and not isinstance(value, (str, int, float)):
            what = f"a value is of type {type(value).__name__}, which Kubernetes does not know"
            faults.add(what, "Write text, a number, true or false, a list or a mapping.", *path)
    for key, path in _keys(document.content, ()):
        if not isinstance(key, str):
            what = f"a key is {key!r}, which YAML reads as {type(key).__name__}"
            faults.add(what, "Put it in quotes.", *path)
    return faults.found


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Any, tuple[str | int, ...]]]:
    if isinstance(value, (dict, list)):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(each, (*path, key))
    else:
        yield value, path


def _keys(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Any, tuple[str | int, ...]]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield key, path
            yield from _keys(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _keys(each, (*path, index))


def _check_job(document: Document, places: Places) -> list[ManifestError]:
    job, faults = document.content, Faults(document, places)
    if job.get("apiVersion") != "batch/v1":
        what = f"apiVersion is {job.get('apiVersion')!r}, but a Job's is batch/v1"
        faults.add(what, "Write apiVersion: batch/v1.", "apiVersion")
    check_metadata(job, faults)
    template = _mapping_at(job, "spec", "template")
    pod = _mapping_at(job, "spec", "template", "spec")
    if template is None or pod is None:
        faults.add("spec.template.spec is missing", "Describe the Pod there: containers, with name and image.", "spec")
        return faults.found
    check_metadata(template, faults, "spec", "template")
    path = ("spec", "template", "spec")
    policy = pod.get("restartPolicy")
    if policy not in (None, "Never", "OnFailure") and not is_guessed(policy):
        what = f"restartPolicy is {policy!r}, but a Job allows Never and OnFailure"
        faults.add(what, "Leave it out: Never is the default.", *path, "restartPolicy")
    if not isinstance(pod.get("containers"), list) or not pod["containers"]:
        faults.add("the Pod has no containers", "List at least one, with name and image.", *path)
        return faults.found
    for kind in _CONTAINER_KINDS:
        containers = pod.get(kind) or []
        if not isinstance(containers, list):
            faults.add(f"{kind} is no list", "Write `- name:` and `image:` for each.", *path, kind)
            continue
        for index, container in enumerate(containers):
            _check_container(container, (*path, kind, index), faults)
    return faults.found


def _check_container(container: Any, path: tuple[str | int, ...], faults: Faults) -> None:
    if not isinstance(container, dict):
        faults.add(f"container {container!r} is no mapping", "Write `- name:` and `image:`.", *path)
        return
    for key in ("name", "image"):
        if not container.get(key):
            faults.add(f"a container has no {key}", f"Add `{key}:`.", *path)
    for key in ("command", "args"):
        words = container.get(key)
        if words is not None and not isinstance(words, list):
            what = f"{key} is {words!r}, not a list"
            faults.add(what, f'Write a list, such as {key}: ["sh", "-c", "..."].', *path, key)
        for word in words if isinstance(words, list) else []:
            if not isinstance(word, str):
                what = f"{key} holds {word!r}, which YAML reads as {type(word).__name__}"
                faults.add(what, "Put it in quotes.", *path, key)
    _check_env(container.get("env"), (*path, "env"), faults)


def _check_env(variables: Any, path: tuple[str | int, ...], faults: Faults) -> None:
    if variables is not None and not isinstance(variables, list):
        faults.add("env is no list", "Write `- name:` and `value:` for each variable.", *path)
    for index, variable in enumerate(variables if isinstance(variables, list) else []):
        if not isinstance(variable, dict):
            faults.add("an environment variable is no mapping", "Write `- name:` and `value:`.", *path, index)
            continue
        value = variable.get("value")
        if value is not None and not isinstance(value, str):
            name, kind = variable.get("name"), type(value).__name__
            what = f"environment variable {name} is {value!r}, which YAML reads as {kind}"
            faults.add(what, "Put the value in quotes.", *path, index)


def _mapping_at(value: Any, *path: str) -> dict[str, Any] | None:
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value if isinstance(value, dict) else None
