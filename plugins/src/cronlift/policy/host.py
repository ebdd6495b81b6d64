"""What reaches out of the Pod to its node: the Pod Security Standard `baseline`; kernel.py has the rest of it.

A namespace refuses the Pods, not the Job: without this the Job is created, and no Pod of it ever comes. Windows'
hostProcess has no rule because the API server takes it with hostNetwork alone.
"""

from cronlift.policy.expressions import has, listed
from cronlift.policy.pods import POD, PodView, at, is_open, items, texts
from cronlift.policy.rule import Breaches, Rule
from cronlift.policy.team import BASELINE, RESTRICTED, TeamRules

_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")
_BASELINE_CAPABILITIES = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
_RESTRICTED_CAPABILITIES = ("NET_BIND_SERVICE",)
_HOOKS = (
    *(("livenessProbe",), ("readinessProbe",), ("startupProbe",)),
    *(("lifecycle", "postStart"), ("lifecycle", "preStop")),
)
_ASKING = tuple((*hook, action) for hook in _HOOKS for action in ("httpGet", "tcpSocket"))


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


def _host_probes(pod: PodView, team: TeamRules) -> Breaches:
    for path, container in pod.containers():
        for keys in _ASKING:
            host = at(container, *keys).get("host")
            if host and not is_open(host):
                yield (*path, *keys, "host"), f"container {container.get('name')!r} has the node ask {host!r}"


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
            f"(variables.level == '{RESTRICTED}' ? {listed(_RESTRICTED_CAPABILITIES)} : "
            f"{listed(_BASELINE_CAPABILITIES)})))"
        ),
        level=BASELINE,
        bad="containers: [{securityContext: {capabilities: {add: [SYS_ADMIN]}}}]",
    ),
    Rule(
        id="host-probes",
        what="Probes and lifecycle hooks ask their own Pod, not another host: the node asks, past every NetworkPolicy.",
        cure="Remove host; or let the container itself ask, by exec.",
        breaches=_host_probes,
        cel=(
            "variables.containers.all(c, "
            + " && ".join(f"(!({has('c', *keys, 'host')}) || c.{'.'.join(keys)}.host == '')" for keys in _ASKING)
            + ")"
        ),
        level=BASELINE,
        bad="containers: [{livenessProbe: {tcpSocket: {host: db.example, port: 5432}}}]",
    ),
)
