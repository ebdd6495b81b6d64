"""What stands between a container and its node's kernel: with host.py, the Pod Security Standard `baseline`.

The standard is that of Kubernetes 1.34: older ones know fewer sysctls and SELinux types, and 1.35 lets a Pod in a user
namespace unmask /proc at this level.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

import re
from collections.abc import Sequence

from cronlift.policy.expressions import has, listed
from cronlift.policy.pods import POD, PodView, at, is_open, items
from cronlift.policy.rule import Breaches, Rule
from cronlift.policy.team import BASELINE, TeamRules

_PROFILES = ("RuntimeDefault", "Localhost")
_SELINUX = {
    "type": ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"),
    "user": ("",),
    "role": ("",),
}
_SYSCTLS = (
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
    *("net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"),
    *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
    *("net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
)
_ANNOTATIONS = ("spec", "template", "metadata", "annotations")
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_APPARMOR_VALUES = "^(|runtime/default|localhost/.*)$"


def _seccomp(pod: PodView, team: TeamRules) -> Breaches:
    return _others(pod, _PROFILES, "seccompProfile", "type")


def _selinux(pod: PodView, team: TeamRules) -> Breaches:
    for key, allowed in _SELINUX.items():
        yield from _others(pod, allowed, "seLinuxOptions", key)


def _apparmor(pod: PodView, team: TeamRules) -> Breaches:
    yield from _others(pod, _PROFILES, "appArmorProfile", "type")
    for key, value in at(pod.job, *_ANNOTATIONS).items():
        if str(key).startswith(_APPARMOR) and not re.search(_APPARMOR_VALUES, str(value or "")) and not is_open(value):
            yield (*_ANNOTATIONS, key), f"annotation {key} is {value!r}"


def _proc_mount(pod: PodView, team: TeamRules) -> Breaches:
    return _others(pod, ("Default",), "procMount")


def _sysctls(pod: PodView, team: TeamRules) -> Breaches:
    for index, each in items(at(pod.spec, "securityContext"), "sysctls"):
        name = each.get("name")
        if name not in _SYSCTLS and not is_open(name):
            yield (*POD, "securityContext", "sysctls", index), f"sysctl {name!r} is none of the safe ones"


def _others(pod: PodView, allowed: Sequence[str], *keys: str) -> Breaches:
    """Yield where the Pod or a container says something else of its security than what is allowed."""
    for path, security in pod.security_contexts():
        said = at(security, *keys[:-1]).get(keys[-1])
        if said is not None and said not in allowed and not is_open(said):
            yield (*path, *keys), f"{'.'.join(keys)} is {said!r}"


def _cel_allowed(owner: str, allowed: Sequence[str], *keys: str) -> str:
    where = ("securityContext", *keys)
    return f"(!({has(owner, *where)}) || {'.'.join((owner, *where))} in {listed(allowed)})"


def _cel_all(allowed: Sequence[str], *keys: str) -> str:
    containers = f"variables.containers.all(c, {_cel_allowed('c', allowed, *keys)})"
    return f"{_cel_allowed('variables.pod', allowed, *keys)} && {containers}"


_CEL_ANNOTATIONS = f"object.{'.'.join(_ANNOTATIONS)}"
_CEL_SYSCTLS = "variables.pod.securityContext.sysctls"

RULES = (
    Rule(
        id="seccomp-unconfined",
        what="Nothing runs without a seccomp profile: neither the Pod nor a container says Unconfined.",
        cure="Write seccompProfile: {type: RuntimeDefault}, or Localhost for a profile of the node's.",
        breaches=_seccomp,
        cel=_cel_all(_PROFILES, "seccompProfile", "type"),
        level=BASELINE,
        bad="securityContext: {seccompProfile: {type: Unconfined}}",
    ),
    Rule(
        id="selinux",
        what="SELinux options are those of containers: a type made for them, and no user or role.",
        cure=f"Remove seLinuxOptions, or give it one of the types {', '.join(_SELINUX['type'][1:])}.",
        breaches=_selinux,
        cel=" && ".join(_cel_all(allowed, "seLinuxOptions", key) for key, allowed in _SELINUX.items()),
        level=BASELINE,
        bad="securityContext: {seLinuxOptions: {type: spc_t}}",
    ),
    Rule(
        id="apparmor",
        what="Nothing runs without an AppArmor profile where the node has one, by field or by the old annotation.",
        cure="Remove it, or write appArmorProfile: {type: RuntimeDefault}, or Localhost for a profile of the node's.",
        breaches=_apparmor,
        cel=(
            f"{_cel_all(_PROFILES, 'appArmorProfile', 'type')} && "
            f"(!({has('object', *_ANNOTATIONS)}) || {_CEL_ANNOTATIONS}.all(k, !k.startsWith('{_APPARMOR}') || "
            f"{_CEL_ANNOTATIONS}[k].matches('{_APPARMOR_VALUES}')))"
        ),
        level=BASELINE,
        bad="securityContext: {appArmorProfile: {type: Unconfined}}",
    ),
    Rule(
        id="proc-mount",
        what="Every container's /proc is masked.",
        cure="Remove procMount.",
        breaches=_proc_mount,
        cel=f"variables.containers.all(c, {_cel_allowed('c', ('Default',), 'procMount')})",
        level=BASELINE,
        bad="hostUsers: false\ncontainers: [{securityContext: {procMount: Unmasked}}]",
    ),
    Rule(
        id="sysctls",
        what="The Pod sets only kernel parameters that concern it alone.",
        cure="Remove it from sysctls; the Pod Security Standards list the safe ones. Others are set on the node.",
        breaches=_sysctls,
        cel=(
            f"!({has('variables.pod', 'securityContext', 'sysctls')}) || "
            f"{_CEL_SYSCTLS}.all(s, s.name in {listed(_SYSCTLS)})"
        ),
        level=BASELINE,
        bad="securityContext: {sysctls: [{name: kernel.msgmax, value: '65536'}]}",
    ),
)
