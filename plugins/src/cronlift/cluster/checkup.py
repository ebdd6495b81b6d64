"""Whether a deployment has on a cluster what it needs, as findings that a person can act on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from cronlift.cluster import rights
from cronlift.cluster.access import AccessClient
from cronlift.cluster.client import Json
from cronlift.cluster.quota import fullest
from cronlift.cluster.rights import Right, Rule
from cronlift.errors import ApiError, ClusterError, ForbiddenError, NotFoundError

# The chart's kubeVersion: native sidecars, and the reasons of a Job's end that verdicts are read from.
OLDEST_MINOR = 29
NEARLY_FULL = Decimal("0.9")
APPLY = "Apply what is printed below, or run `helm upgrade` again, which makes the same."

Answer = TypeVar("Answer")


class Mark(Enum):
    """What a finding means."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Args:
        subject: What it is about, such as "team demo"; findings are shown by subject.
        mark: What it means; only bad ones make the checkup fail.
        what: What was found, in words.
        cure: What to do about it; empty for good ones.
        apply: Objects that would put it right.
    """

    subject: str
    mark: Mark
    what: str
    cure: str = ""
    apply: tuple[Json, ...] = ()


@dataclass(frozen=True)
class TeamPlace:
    """A team's namespace on a cluster.

    Args:
        subject: As the findings shall name it.
        namespace: The team's.
        service_account: The account of its Jobs' Pods.
        ourselves: Acts as whoever runs the checkup.
        launcher: Acts as the team's launcher.
        strangers: Namespaces in which the launcher must have no rights.
        companions: Whether the team's manifests may bring other objects beside the Job; None when that is not known.
    """

    subject: str
    namespace: str
    service_account: str
    ourselves: AccessClient
    launcher: AccessClient
    strangers: tuple[str, ...] = ()
    companions: bool | None = None


async def check_cluster(client: AccessClient, host: str, subject: str) -> tuple[list[Finding], str]:
    """Check that a cluster answers, what version it has, and who we are there.

    Returns:
        The findings, and our user name; empty when the cluster does not answer.
    """
    try:
        version, user = await client.version(), await client.user()
    except ClusterError as error:
        cure = "Check the address, the network (networkPolicy.kubernetesApiPorts) and the credentials."
        return [Finding(subject, Mark.BAD, str(error), cure)], ""
    found = [_judge_version(subject, host, version), Finding(subject, Mark.GOOD, f"we are {user}")]
    return found, user


def _judge_version(subject: str, host: str, version: str) -> Finding:
    words = f"{host} answers: Kubernetes {version}"
    try:
        major, minor = (int(part) for part in version.lstrip("v").split(".")[:2])
    except ValueError:
        return Finding(subject, Mark.NOTE, f"{words}, whose version cannot be read", f"1.{OLDEST_MINOR} is needed.")
    if (major, minor) < (1, OLDEST_MINOR):
        return Finding(subject, Mark.BAD, f"{words}, too old", f"Upgrade it to 1.{OLDEST_MINOR} or newer.")
    return Finding(subject, Mark.GOOD, words)


async def check_team(place: TeamPlace, user: str) -> list[Finding]:
    """Check a team's namespace: the launcher's rights there and elsewhere, the Jobs' account, the quota.

    Args:
        place: The namespace.
        user: Our own user name, for the Role that lets us become the launcher.
    """
    try:
        if await _is_missing(place):
            cure = "Create it, or let the chart do so (teams.<name>.createNamespace)."
            return [Finding(place.subject, Mark.BAD, f"namespace {place.namespace} does not exist", cure)]
        return [
            *await _check_rights(place, user),
            await _check_account(place),
            *await _check_quotas(place),
            *await _check_strangers(place),
        ]
    except ForbiddenError:
        what = f"{user} may not act as the launcher {place.launcher.impersonate}"
        role = rights.impersonator_role(place.namespace, user)
        return [Finding(place.subject, Mark.BAD, what, APPLY, tuple(role))]
    except ClusterError as error:
        return [Finding(place.subject, Mark.BAD, str(error), "Run it again; the checks of this team did not end.")]


async def _is_missing(place: TeamPlace) -> bool:
    """Tell whether the namespace is known not to exist; the release itself may not ask, and its launcher neither."""
    try:
        await place.ourselves.get_namespace(place.namespace)
    except NotFoundError:
        return True
    except ApiError:
        return False
    return False


async def _check_rights(place: TeamPlace, user: str) -> list[Finding]:
    needed = [(rule, await _missing(place, rule)) for rule in rights.LAUNCHER_RULES]
    [rule] = rights.COMPANION_RULES
    lacking = await _missing(place, rule)
    companions = bool(place.companions) or len(lacking) < len(list(rule.rights()))
    if companions:
        needed.append((rule, lacking))
    role = tuple(rights.launcher_role(place.namespace, companions=companions))
    found = [Finding(place.subject, Mark.GOOD, f"{user} may act as its launcher")]
    for each, missing in needed:
        if missing:
            found.append(Finding(place.subject, Mark.BAD, f"the launcher may not {_words(missing)}", APPLY, role))
        else:
            found.append(Finding(place.subject, Mark.GOOD, f"the launcher may {_words(each.rights())}"))
    if not companions:
        what = "manifests may not bring ConfigMaps, Secrets or PersistentVolumeClaims beside the Job"
        found.append(Finding(place.subject, Mark.NOTE, what, "If they shall, set teams.<name>.manifestObjects: true."))
    return found


async def _missing(place: TeamPlace, rule: Rule) -> list[Right]:
    """Return those of a rule's rights that the launcher lacks."""
    return [right for right, may in await _ask(place, tuple(rule.rights()), place.namespace) if not may]


async def _ask(place: TeamPlace, wanted: Sequence[Right], namespace: str) -> list[tuple[Right, bool]]:
    answers = await asyncio.gather(*(place.launcher.may(right, namespace) for right in wanted))
    return list(zip(wanted, answers, strict=True))


async def _check_account(place: TeamPlace) -> Finding:
    name = place.service_account
    try:
        await _either(place, lambda client: client.get_service_account(place.namespace, name))
    except NotFoundError:
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": place.namespace},
            "automountServiceAccountToken": False,
        }
        what = f"ServiceAccount {name}, as which Jobs run, does not exist"
        return Finding(place.subject, Mark.BAD, what, APPLY, (account,))
    except ClusterError as error:
        return Finding(place.subject, Mark.NOTE, f"ServiceAccount {name} could not be looked at", str(error))
    return Finding(place.subject, Mark.GOOD, f"ServiceAccount {name}, as which Jobs run, exists")


async def _check_quotas(place: TeamPlace) -> list[Finding]:
    try:
        quotas = await _either(place, lambda client: client.list_quotas(place.namespace))
    except ClusterError as error:
        return [Finding(place.subject, Mark.NOTE, "its quota could not be looked at", str(error))]
    return [_judge_quota(place.subject, quota) for quota in quotas]


def _judge_quota(subject: str, quota: Json) -> Finding:
    share, words = fullest(quota)
    what = f"quota {quota['metadata']['name']}: {words}"
    cure = "Raise teams.<name>.quota, or let fewer Jobs run at once."
    if share >= 1:
        return Finding(subject, Mark.BAD, f"{what}: used up, so new Jobs or their Pods are refused", cure)
    if share >= NEARLY_FULL:
        return Finding(subject, Mark.NOTE, f"{what}: nearly used up", cure)
    return Finding(subject, Mark.GOOD, what)


async def _check_strangers(place: TeamPlace) -> list[Finding]:
    """Check that the launcher can do nothing where it has no business."""
    found, clean = [], []
    for namespace in place.strangers:
        if held := [right for right, may in await _ask(place, rights.FOREIGN_RIGHTS, namespace) if may]:
            what = f"the launcher may {_words(held)} in {namespace}, which is not its team's"
            cure = "Remove the binding; find it by: kubectl get rolebindings,clusterrolebindings -A -o wide"
            found.append(Finding(place.subject, Mark.BAD, what, cure))
        else:
            clean.append(namespace)
    if clean:
        found.append(Finding(place.subject, Mark.GOOD, f"the launcher has no rights in {', '.join(clean)}"))
    return found


async def _either(place: TeamPlace, ask: Callable[[AccessClient], Awaitable[Answer]]) -> Answer:
    """Ask as the launcher, then as ourselves: inside the release only the one may look, on a laptop maybe the other."""
    try:
        return await ask(place.launcher)
    except ForbiddenError:
        return await ask(place.ourselves)


def _words(wanted: Iterable[Right]) -> str:
    """Return rights in words, those on the same resource together: "create, get jobs.batch; get pods/log"."""
    verbs: dict[str, list[str]] = {}
    for right in wanted:
        resource = f"{right.resource}.{right.group}" if right.group else right.resource
        verbs.setdefault(f"{resource} {right.name}".rstrip(), []).append(right.verb)
    return "; ".join(f"{', '.join(each)} {resource}" for resource, each in verbs.items())
