"""What reaches out of the Pod to its node: the Pod Security Standard `baseline`, as far as Jobs use it.

What is left out here (SELinux types, sysctls, procMount, AppArmor, Windows) the namespace's own admission refuses.
"""

from cronlift.policy.pods import POD, PodView, at, items, texts
from cronlift.policy.rule import Breaches, Rule
from cronlift.policy.team import BASELINE, RESTRICTED, TeamRules

_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")
_BASELINE_CAPABILITIES = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
_RESTRICTED_CAPABILITIES = ("NET_BIND_SERVICE",)


def _host_path(pod: PodView, team: TeamRules) -> Breaches:
    for path, volume in pod.volumes():
        if volume.get("hostPath") is not None:
            yield (*path, "hostPath"), f"volume {volume.get('name')!r} is a folder of the node"


def _host_namespaces(pod: PodView, team: TeamRules) -> Breaches:
    for key in _NAMESPACES:
        if pod.spec.get(key) is True:
            yield (*POD, key), f"{key} is true"


def _host_ports(pod: PodView, team: TeamRules) -> Breaches:
    for path, container in pod.containers():
        for index, port in items(container, "ports"):
            if port.get("hostPort"):
                yield (*path, "ports", index, "hostPort"), f"container {container.get('name')!r} opens a node's port"


def _privileged(pod: PodView, team: TeamRules) -> Breaches:
    for path, container in pod.containers():
        if at(container, "securityContext").get("privileged") is True:
            yield (*path, "securityContext", "privileged"), f"container {container.get('name')!r} is privileged"


def _capabilities(pod: PodView, team: TeamRules) -> Breaches:
    allowed = _RESTRICTED_CAPABILITIES if team.level == RESTRICTED else _BASELINE_CAPABILITIES
    for path, container in pod.containers():
        added = texts(at(container, "securityContext", "capabilities").get("add"))
        if more := [each for each in added if each not in allowed]:
            where = (*path, "securityContext", "capabilities", "add")
            yield where, f"container {container.get('name')!r} adds {', '.join(more)}"


def _listed(words: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{each}'" for each in words) + "]"


_SECURITY = "has(c.securityContext)"

RULES = (
    Rule(
        id="host-path",
        what="No volume is a folder of the node.",
        cure="Use emptyDir for scratch space, or a PersistentVolumeClaim for what stays.",
        breaches=_host_path,
        cel="!has(variables.pod.volumes) || variables.pod.volumes.all(v, !has(v.hostPath))",
        level=BASELINE,
        bad="volumes: [{name: data, hostPath: {path: /srv/data}}]",
    ),
    Rule(
        id="host-namespaces",
        what="The Pod does not share the node's network, processes or memory.",
        cure="Remove the line. A Job reaches the network by its Pod's own address.",
        breaches=_host_namespaces,
        cel=" && ".join(f"!(has(variables.pod.{key}) && variables.pod.{key})" for key in _NAMESPACES),
        level=BASELINE,
        bad="hostNetwork: true",
    ),
    Rule(
        id="host-ports",
        what="No container opens a port of the node.",
        cure="Remove hostPort; a Job that must be reached needs a Service.",
        breaches=_host_ports,
        cel=("variables.containers.all(c, !has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort == 0))"),
        level=BASELINE,
        bad="containers: [{ports: [{containerPort: 80, hostPort: 80}]}]",
    ),
    Rule(
        id="privileged",
        what="No container is privileged.",
        cure="Remove the line; what needs the node's own rights is no job for a shared cluster.",
        breaches=_privileged,
        cel=(
            f"variables.containers.all(c, !({_SECURITY} && has(c.securityContext.privileged) && "
            "c.securityContext.privileged))"
        ),
        level=BASELINE,
        bad="containers: [{securityContext: {privileged: true}}]",
    ),
    Rule(
        id="capabilities",
        what="No container adds capabilities beyond those that its team's Pod Security Standard allows.",
        cure="Remove them from capabilities.add; restricted allows NET_BIND_SERVICE alone.",
        breaches=_capabilities,
        cel=(
            f"variables.containers.all(c, !({_SECURITY} && has(c.securityContext.capabilities) && "
            "has(c.securityContext.capabilities.add)) || c.securityContext.capabilities.add.all(a, a in "
            f"(variables.level == '{RESTRICTED}' ? {_listed(_RESTRICTED_CAPABILITIES)} : "
            f"{_listed(_BASELINE_CAPABILITIES)})))"
        ),
        level=BASELINE,
        bad="containers: [{securityContext: {capabilities: {add: [SYS_ADMIN]}}}]",
    ),
)
