"""What the Pod Security Standard `restricted` asks for on top: said here at the Job, where its author sees it.

A namespace refuses the Pods, not the Job: without this the Job is created, and no Pod of it ever comes.
"""

from collections.abc import Mapping
from typing import Any

from cronlift.policy.expressions import has
from cronlift.policy.pods import POD, PodView, at, is_open, texts
from cronlift.policy.rule import Breaches, Rule
from cronlift.policy.team import RESTRICTED, TeamRules

_VOLUMES = (
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
)


def _non_root(pod: PodView, team: TeamRules) -> Breaches:
    whole = at(pod.spec, "securityContext")
    for path, container in pod.containers():
        own = at(container, "securityContext")
        said = own.get("runAsNonRoot", whole.get("runAsNonRoot"))
        if said is not True and not is_open(said):
            where = (*path, "securityContext", "runAsNonRoot")
            yield where, f"container {container.get('name')!r} may run as root: runAsNonRoot is not true"


def _user(pod: PodView, team: TeamRules) -> Breaches:
    if _is_root(at(pod.spec, "securityContext")):
        yield (*POD, "securityContext", "runAsUser"), "the Pod runs as user 0"
    for path, container in pod.containers():
        if _is_root(at(container, "securityContext")):
            where = (*path, "securityContext", "runAsUser")
            yield where, f"container {container.get('name')!r} runs as user 0"


def _is_root(security: Mapping[str, Any]) -> bool:
    user = security.get("runAsUser")
    return isinstance(user, int) and not isinstance(user, bool) and user == 0


def _escalation(pod: PodView, team: TeamRules) -> Breaches:
    for path, container in pod.containers():
        said = at(container, "securityContext").get("allowPrivilegeEscalation")
        if said is not False and not is_open(said):
            where = (*path, "securityContext", "allowPrivilegeEscalation")
            yield where, f"container {container.get('name')!r} does not say allowPrivilegeEscalation: false"


def _drop(pod: PodView, team: TeamRules) -> Breaches:
    for path, container in pod.containers():
        dropped = texts(at(container, "securityContext", "capabilities").get("drop"))
        if "ALL" not in dropped and not any(is_open(each) for each in dropped):
            where = (*path, "securityContext", "capabilities", "drop")
            yield where, f"container {container.get('name')!r} does not drop all capabilities"


def _seccomp(pod: PodView, team: TeamRules) -> Breaches:
    whole = at(pod.spec, "securityContext", "seccompProfile").get("type")
    for path, container in pod.containers():
        said = at(container, "securityContext", "seccompProfile").get("type", whole)
        if not said:
            where = (*path, "securityContext", "seccompProfile")
            yield where, f"container {container.get('name')!r} has no seccompProfile"


def _volume_kinds(pod: PodView, team: TeamRules) -> Breaches:
    for path, volume in pod.volumes():
        kinds = [key for key in volume if key != "name"]
        # hostPath has a rule of its own, with a better cure.
        if kinds and not any(kind in (*_VOLUMES, "hostPath") for kind in kinds):
            yield path, f"volume {volume.get('name')!r} is of kind {kinds[0]}"


def _cel_each(wanted: str, whole: str = "") -> str:
    """Return that each container keeps something, or the Pod does and the container says nothing else."""
    field, _, test = wanted.partition(" ")
    keys = ("securityContext", *field.split("."))
    own = has("c", *keys)
    if not whole:
        return f"variables.containers.all(c, {own} && c.securityContext.{field} {test})"
    pod = f"{has('variables.pod', *keys)} && variables.pod.securityContext.{field} {test}"
    return f"variables.containers.all(c, {own} ? c.securityContext.{field} {test} : ({pod}))"


_CEL_NOT_ROOT = (
    "!(has({0}.securityContext) && has({0}.securityContext.runAsUser) && {0}.securityContext.runAsUser == 0)"
)

RULES = (
    Rule(
        id="non-root",
        what="Every container says that it does not run as root.",
        cure="Add securityContext: {runAsNonRoot: true, runAsUser: 1000} to the Pod.",
        breaches=_non_root,
        cel=_cel_each("runAsNonRoot == true", "pod"),
        level=RESTRICTED,
        bad="securityContext: {runAsNonRoot: null}",
    ),
    Rule(
        id="user",
        what="No container runs as user 0.",
        cure="Give runAsUser another number, such as 1000.",
        breaches=_user,
        cel=f"{_CEL_NOT_ROOT.format('variables.pod')} && variables.containers.all(c, {_CEL_NOT_ROOT.format('c')})",
        level=RESTRICTED,
        bad="securityContext: {runAsUser: 0}",
    ),
    Rule(
        id="escalation",
        what="No container may gain rights.",
        cure="Add securityContext: {allowPrivilegeEscalation: false} to the container.",
        breaches=_escalation,
        cel=_cel_each("allowPrivilegeEscalation == false"),
        level=RESTRICTED,
        bad="containers: [{securityContext: {allowPrivilegeEscalation: null}}]",
    ),
    Rule(
        id="drop-capabilities",
        what="Every container drops all capabilities.",
        cure="Add securityContext: {capabilities: {drop: [ALL]}} to the container.",
        breaches=_drop,
        cel=(
            "variables.containers.all(c, has(c.securityContext) && has(c.securityContext.capabilities) && "
            "has(c.securityContext.capabilities.drop) && 'ALL' in c.securityContext.capabilities.drop)"
        ),
        level=RESTRICTED,
        bad="containers: [{securityContext: {capabilities: {drop: [NET_RAW]}}}]",
    ),
    Rule(
        id="seccomp",
        what="Every container has a seccomp profile.",
        cure="Add securityContext: {seccompProfile: {type: RuntimeDefault}} to the Pod.",
        breaches=_seccomp,
        cel=_cel_each("seccompProfile.type != ''", "pod"),
        level=RESTRICTED,
        bad="securityContext: {seccompProfile: null}",
    ),
    Rule(
        id="volume-kinds",
        what="Volumes are of kinds that belong to the Pod or to Kubernetes, not to a host or a file server.",
        cure=f"Use one of {', '.join(_VOLUMES)}.",
        breaches=_volume_kinds,
        cel=(
            "!has(variables.pod.volumes) || variables.pod.volumes.all(v, has(v.hostPath) || "
            + " || ".join(f"has(v.{kind})" for kind in _VOLUMES)
            + ")"
        ),
        level=RESTRICTED,
        bad="volumes: [{name: share, nfs: {server: files.example, path: /srv}}]",
    ),
)
