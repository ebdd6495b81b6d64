"""What the objects of a release need to find in the cluster: Secrets with their keys, priority and storage classes.

A missing one shows otherwise as a pod that waits, one after the other, or as no pod at all. Templates cannot look
(GitOps tools render without a cluster), so `make deploy` does, with the rights of the person who deploys.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Ask = Callable[[str, str, str], Object | None]
"""Kind, namespace (empty for none) and name -> the object, None where there is none."""

MADE_BY_OTHERS = {"ExternalSecret": "Secret", "SealedSecret": "Secret"}
"""Kind -> what its operator makes, under the same name."""


@dataclass(frozen=True, order=True)
class Need:
    """One object that must be there before the release.

    Attributes:
        kind: Secret, ConfigMap, PriorityClass or StorageClass.
        namespace: Empty for a kind without one.
        name: Its name.
        keys: Those that pods read; empty for the object alone.
    """

    kind: str
    namespace: str
    name: str
    keys: tuple[str, ...] = ()


def needs(things: list[Object]) -> list[Need]:
    """Return what these objects name and do not make, each once with all of its keys.

    Args:
        things: A rendered release.
    """
    made = {(t["kind"], t["metadata"].get("namespace", ""), t["metadata"]["name"]) for t in things}
    # What belongs into a namespace that the release itself makes cannot be there before it.
    later = {name for kind, _, name in made if kind == "Namespace"}
    made |= {(MADE_BY_OTHERS[kind], *place) for kind, *place in made if kind in MADE_BY_OTHERS}
    keys: dict[tuple[str, str, str], set[str]] = {}
    for thing in things:
        for kind, namespace, name, key in _named(thing):
            if (kind, namespace, name) not in made and namespace not in later:
                keys.setdefault((kind, namespace, name), set()).update({key} - {""})
    return sorted(Need(*place, tuple(sorted(found))) for place, found in keys.items())


def missing(wanted: list[Need], ask: Ask, values: Object) -> list[str]:
    """Return a line for each that is not there or lacks keys: which, named by which value, and the cure.

    Args:
        wanted: As `needs` returns them.
        ask: Looks into the cluster.
        values: The release's, to say which of them names it.
    """
    lines = []
    for need in wanted:
        found = ask(need.kind, need.namespace, need.name)
        lacks = [key for key in need.keys if key not in ((found or {}).get("data") or {})]
        if found and not lacks:
            continue
        where = f"{need.namespace}/{need.name}" if need.namespace else need.name
        named = ", ".join(sorted(places(values, need.name))) or "the rendered objects"
        what = f"has no key {', '.join(lacks)}" if found else "does not exist"
        lines.append(f"{need.kind} {where}, named by {named}, {what}: {_cure(need, lacks, is_there=bool(found))}")
    return lines


def places(values: Any, name: str, path: str = "") -> Iterator[str]:
    """Yield the paths of the values that are this name."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from places(value, name, f"{path}.{key}" if path else str(key))
    elif isinstance(values, list):
        for number, value in enumerate(values):
            yield from places(value, name, f"{path}[{number}]")
    elif values == name:
        yield path


def _cure(need: Need, lacks: list[str], *, is_there: bool) -> str:
    if need.kind in ("PriorityClass", "StorageClass"):
        return f"make it, or name one of: kubectl get {need.kind.lower()}."
    if is_there:
        return "add it with kubectl edit, or where your Secrets come from."
    kind, words = {
        ("tls.crt",): ("secret tls", "--cert=... --key=..."),
        (".dockerconfigjson",): (
            "secret docker-registry",
            "--docker-server=... --docker-username=... --docker-password=...",
        ),
    }.get(need.keys, ("", ""))
    kind = kind or {"Secret": "secret generic", "ConfigMap": "configmap"}[need.kind]
    words = words or " ".join(f"--from-literal={key}=..." for key in lacks) or "..."
    return f"kubectl -n {need.namespace} create {kind} {need.name} {words}"


def _named(thing: Object) -> Iterator[tuple[str, str, str, str]]:
    """Yield (kind, namespace, name, key) of what an object names."""
    namespace = thing["metadata"].get("namespace", "")
    spec = thing.get("spec") or {}
    if thing["kind"] == "Ingress":
        for tls in spec.get("tls", []):
            yield "Secret", namespace, tls["secretName"], "tls.crt"
    if thing["kind"] == "ServiceAccount":
        for secret in thing.get("imagePullSecrets", []):
            yield "Secret", namespace, secret["name"], ".dockerconfigjson"
    for claim in [thing] if thing["kind"] == "PersistentVolumeClaim" else spec.get("volumeClaimTemplates", []):
        if name := claim["spec"].get("storageClassName"):
            yield "StorageClass", "", name, ""
    pod = spec.get("jobTemplate", {}).get("spec", spec)
    pod = pod if thing["kind"] == "Pod" else pod.get("template", {}).get("spec", {})
    yield from ((kind, "" if kind == "PriorityClass" else namespace, *rest) for kind, *rest in _of_pod(pod))


def _of_pod(pod: Object) -> Iterator[tuple[str, str, str]]:
    if name := pod.get("priorityClassName"):
        yield "PriorityClass", name, ""
    for secret in pod.get("imagePullSecrets", []):
        yield "Secret", secret["name"], ".dockerconfigjson"
    for volume in pod.get("volumes", []):
        for kind, part, name in (("Secret", "secret", "secretName"), ("ConfigMap", "configMap", "name")):
            if part in volume and not volume[part].get("optional"):
                for item in volume[part].get("items") or [{"key": ""}]:
                    yield kind, volume[part][name], item["key"]
    for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
        for source in (entry.get("valueFrom", {}) for entry in container.get("env", [])):
            for kind, part in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                if part in source and not source[part].get("optional"):
                    yield kind, source[part]["name"], source[part]["key"]
