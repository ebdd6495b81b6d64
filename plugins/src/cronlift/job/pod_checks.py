"""What no cluster runs of a Pod whose fields are all well: names, images, volumes that are not there, and amounts."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cronlift.errors import ManifestError
from cronlift.job.documents import Document, Faults, Places
from cronlift.job.guess import is_guessed
from cronlift.job.quantity import parse_quantity

_POD = ("spec", "template", "spec")
_CONTAINER_KINDS = ("containers", "initContainers")
_MOUNT_KINDS = ("volumeMounts", "volumeDevices")

# An RFC 1123 label, as containers and volumes are named.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_LIMIT = 63
# The API server takes any text for an image; kubelet then says InvalidImageName.
# Source: https://github.com/distribution/reference/blob/main/regexp.go, the grammar of references.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*(?:\.[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*)*)(?::[0-9]+)?"
_IMAGE = re.compile(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
_Path = tuple[str | int, ...]


def check_values(documents: Sequence[Document], places: Places) -> list[ManifestError]:
    """Return a fault for each name of a container or volume, and each image, that Kubernetes cannot use.

    Args:
        documents: Rendered, or of a trial; what a trial guesses is no fault.
        places: For messages.
    """
    found = []
    for pod, faults in _pods(documents, places):
        for path, container in _containers(pod):
            _check_label("container", container.get("name"), (*path, "name"), faults)
            _check_image(container.get("image"), (*path, "image"), faults)
        for index, volume in _items(pod, "volumes"):
            _check_label("volume", volume.get("name"), (*_POD, "volumes", index, "name"), faults)
        found += faults.found
    return found


def check_relations(documents: Sequence[Document], places: Places) -> list[ManifestError]:
    """Return a fault for each two things in a Pod that do not go together, each of which is well by itself.

    Args:
        documents: Rendered, or of a trial. Conditions may show together what never is together: such a fault counts
            only where other guesses show it too.
        places: For messages.
    """
    found = []
    for pod, faults in _pods(documents, places):
        _check_unique(pod, faults)
        volumes = _volume_names(pod)
        for path, container in _containers(pod):
            if volumes is not None:
                _check_mounts(container, volumes, path, faults)
            _check_amounts(container, path, faults)
        _check_amounts(pod, _POD, faults)
        found += faults.found
    return found


def _pods(documents: Sequence[Document], places: Places) -> Iterator[tuple[Mapping[str, Any], Faults]]:
    for each in documents:
        pod: Any = each.content if each.kind == "Job" else None
        for key in _POD:
            pod = pod.get(key) if isinstance(pod, dict) else None
        if isinstance(pod, dict):
            yield pod, Faults(each, places)


def _containers(pod: Mapping[str, Any]) -> Iterator[tuple[_Path, Mapping[str, Any]]]:
    for kind in _CONTAINER_KINDS:
        for index, each in _items(pod, kind):
            yield (*_POD, kind, index), each


def _items(owner: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    listed = owner.get(key)
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(each, dict):
            yield index, each


def _check_label(what: str, name: Any, path: _Path, faults: Faults) -> None:
    if not isinstance(name, str) or not name or is_guessed(name):
        return
    if len(name) > _LABEL_LIMIT or not _LABEL.fullmatch(name):
        better = re.sub("[^a-z0-9]+", "-", name.lower())[:_LABEL_LIMIT].strip("-")
        faults.add(
            f"{name!r} is no name for a {what}",
            f"Use lower-case letters, digits and `-`, at most {_LABEL_LIMIT}, such as {better or what}.", *path,
        )  # fmt: skip


def _check_image(image: Any, path: _Path, faults: Faults) -> None:
    # Where the deployment's images are not known, a manifest that is no template has them as they are written.
    if not isinstance(image, str) or not image or is_guessed(image) or "{{" in image:
        return
    if not _IMAGE.fullmatch(image):
        faults.add(
            f"{image!r} is no name of an image",
            "Write registry/name:tag, the name in lower case without spaces, such as registry.example/report:1.4.2.",
            *path,
        )


def _check_unique(pod: Mapping[str, Any], faults: Faults) -> None:
    volumes = (((*_POD, "volumes", index), each) for index, each in _items(pod, "volumes"))
    for what, owners in (("container", _containers(pod)), ("volume", volumes)):
        seen = set()
        for path, each in owners:
            name = each.get("name")
            if not isinstance(name, str) or is_guessed(name):
                continue
            if name in seen:
                faults.add(f"a second {what} is called {name!r}", "Give each a name of its own.", *path, "name")
            seen.add(name)


def _volume_names(pod: Mapping[str, Any]) -> list[str] | None:
    """Return the names of a Pod's volumes; None when not all of them are known."""
    volumes = pod.get("volumes")
    listed = [] if volumes is None else volumes
    if not isinstance(listed, list):
        return None
    names = [each.get("name") if isinstance(each, dict) else None for each in listed]
    known = [each for each in names if isinstance(each, str) and not is_guessed(each)]
    return known if len(known) == len(names) else None


def _check_mounts(container: Mapping[str, Any], volumes: Sequence[str], path: _Path, faults: Faults) -> None:
    for kind in _MOUNT_KINDS:
        for index, mount in _items(container, kind):
            name = mount.get("name")
            if not isinstance(name, str) or is_guessed(name) or name in volumes:
                continue
            near = difflib.get_close_matches(name, volumes, n=1)
            hint = f"Did you mean {near[0]}? Otherwise add" if near else "Add"
            faults.add(
                f"container {container.get('name')!r} mounts volume {name!r}, which the Pod does not have",
                f"{hint} it to {'.'.join(_POD)}.volumes.", *path, kind, index, "name",
            )  # fmt: skip


def _check_amounts(owner: Mapping[str, Any], path: _Path, faults: Faults) -> None:
    """Find requests above their limits."""
    resources = owner.get("resources")
    requests, limits = (resources.get(side) if isinstance(resources, dict) else None for side in ("requests", "limits"))
    if not isinstance(requests, dict) or not isinstance(limits, dict):
        return
    for name, asked in requests.items():
        most = limits.get(name)
        if most is None or is_guessed(asked) or is_guessed(most):
            continue
        try:
            above = parse_quantity(str(asked)) > parse_quantity(str(most))
        except ValueError:  # a fault of its own
            continue
        if above:
            what = f"the request of {name} is {asked}, above its limit of {most}"
            faults.add(what, "Lower the request or raise the limit.", *path, "resources", "requests", name)
