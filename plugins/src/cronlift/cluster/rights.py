"""Which rights a deployment needs in a team's namespace, and the Roles that give them.

The chart makes the same Roles; a test compares the two.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LAUNCHER = "cronlift-launcher"
JOB_ACCOUNT = "cronlift-job"
_RBAC = "rbac.authorization.k8s.io"
_ACCOUNT_PREFIX = "system:serviceaccount:"


@dataclass(frozen=True)
class Right:
    """One verb on one resource.

    Args:
        verb: Such as "create".
        resource: Such as "jobs", with its subresource: "pods/log".
        group: API group; empty for the core one.
        name: The only object that it is about; empty for all.
    """

    verb: str
    resource: str
    group: str = ""
    name: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule of a Role.

    Args:
        resources: Of one API group.
        verbs: What may be done with each.
        group: The API group; empty for the core one.
        names: The only objects that it is about; empty for all.
    """

    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    group: str = ""
    names: tuple[str, ...] = ()

    def rights(self) -> Iterator[Right]:
        """Yield each right that the rule gives."""
        for resource in self.resources:
            for verb in self.verbs:
                for name in self.names or ("",):
                    yield Right(verb, resource, self.group, name)

    def as_dict(self) -> dict[str, Any]:
        """Return the rule as a Role has it."""
        rule: dict[str, Any] = {"apiGroups": [self.group], "resources": list(self.resources)}
        if self.names:
            rule["resourceNames"] = list(self.names)
        return rule | {"verbs": list(self.verbs)}


LAUNCHER_RULES = (
    Rule(("jobs",), ("create", "get", "list", "watch", "patch", "delete"), group="batch"),
    Rule(("pods",), ("get", "list", "watch")),
    Rule(("pods/log",), ("get",)),
    Rule(("events",), ("list", "watch")),
)
"""What a task needs that runs one Job."""

DOCTOR_RULES = (
    Rule(("serviceaccounts",), ("get",), names=(JOB_ACCOUNT,)),
    Rule(("resourcequotas",), ("list",)),
)
"""What `cronlift doctor` reads, so that it can tell from inside the release what holds Jobs up."""

COMPANION_RULES = (Rule(("configmaps", "secrets", "persistentvolumeclaims"), ("create", "get", "patch")),)
"""What a manifest needs that brings other objects beside its Job. Who may create Jobs may read the namespace's Secrets
anyway, by mounting them; deletion is left to the garbage collector."""

FOREIGN_RIGHTS = (Right("create", "jobs", "batch"), Right("get", "pods/log"), Right("get", "secrets"))
"""What a launcher must not have outside its own namespace."""

IMPERSONATION = Rule(("serviceaccounts",), ("impersonate",), names=(LAUNCHER,))


def launcher_role(namespace: str, *, companions: bool) -> list[dict[str, Any]]:
    """Return the launcher's Role and its binding.

    Args:
        namespace: The team's.
        companions: Whether manifests may bring ConfigMaps, Secrets and PersistentVolumeClaims beside the Job.
    """
    rules = LAUNCHER_RULES + DOCTOR_RULES + (COMPANION_RULES if companions else ())
    return _role(namespace, LAUNCHER, rules, _account_of(f"{_ACCOUNT_PREFIX}{namespace}:{LAUNCHER}"))


def impersonator_role(namespace: str, user: str) -> list[dict[str, Any]]:
    """Return the Role by which somebody may become the launcher, and its binding.

    Args:
        namespace: The team's.
        user: A user name as the API server knows it; a ServiceAccount's begins with `system:serviceaccount:`.
    """
    subject = _account_of(user)
    name = subject["name"] if subject["kind"] == "ServiceAccount" else "cronlift-impersonator"
    return _role(namespace, name, (IMPERSONATION,), subject)


def _account_of(user: str) -> dict[str, str]:
    if user.startswith(_ACCOUNT_PREFIX):
        namespace, _, name = user.removeprefix(_ACCOUNT_PREFIX).partition(":")
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return {"kind": "User", "name": user, "apiGroup": _RBAC}


def _role(namespace: str, name: str, rules: tuple[Rule, ...], subject: dict[str, str]) -> list[dict[str, Any]]:
    metadata = {"name": name, "namespace": namespace}
    return [
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [rule.as_dict() for rule in rules],
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": dict(metadata),
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
            "subjects": [subject],
        },
    ]
