"""How much: what each container must say of CPU and memory, and what a Job may ask at most."""

from collections.abc import Iterator, Mapping
from typing import Any

from cronlift.job.quantity import parse_quantity
from cronlift.job.resources import amounts_of, pods_at_once
from cronlift.policy.pods import POD, PodView, at, is_open, items
from cronlift.policy.rule import Breaches, Rule
from cronlift.policy.team import PRIVILEGED, QUOTA_KEYS, TeamRules

_ROUNDING = 1.000001
"""Amounts are added as floating point numbers, as CEL can: three times 100m is a little more than 300m."""


def _requests(pod: PodView, team: TeamRules) -> Breaches:
    for path, container in pod.containers():
        limits = at(container, "resources", "limits")
        for side, wanted in (("requests", team.must_request), ("limits", team.must_limit)):
            said = {**limits, **at(container, "resources", side)} if side == "requests" else limits
            if missing := [each for each in wanted if said.get(each) is None]:
                yield (*path, "resources"), f"container {container.get('name')!r} has no {side} of {_and(missing)}"


def _quota(pod: PodView, team: TeamRules) -> Breaches:
    pods = pods_at_once(at(pod.job, "spec"))
    for key, limit in team.quota.items():
        side, _, resource = key.partition(".")
        asked = pods * max([_together(pod, team, key), *_first(pod, team, key)])
        if asked > _amount(limit) * _ROUNDING:
            text = (
                f"the Job {'requests' if side == 'requests' else 'may use'} {_in_words(asked, resource)} of {resource}"
            )
            yield POD, f"{text} at once, more than the {limit} that the team's namespace has"


def _together(pod: PodView, team: TeamRules, key: str) -> float:
    """Add up the containers that run side by side: the main ones, and init containers that stay."""
    sidecars = (each for _, each in items(pod.spec, "initContainers") if each.get("restartPolicy") == "Always")
    mains = (each for _, each in items(pod.spec, "containers"))
    return sum(_asked(each, team, key) for each in (*mains, *sidecars))


def _first(pod: PodView, team: TeamRules, key: str) -> Iterator[float]:
    """Yield what each init container asks for that ends before the others begin."""
    for _, each in items(pod.spec, "initContainers"):
        if each.get("restartPolicy") != "Always":
            yield _asked(each, team, key)


def _asked(container: Mapping[str, Any], team: TeamRules, key: str) -> float:
    side, _, resource = key.partition(".")
    return _amount(amounts_of(container, side, team.defaults).get(resource, "0"))


def _amount(text: Any) -> float:
    """Return an amount; what is none, or a guess, is left to Kubernetes."""
    try:
        return 0.0 if is_open(text) else float(parse_quantity(str(text)))
    except ValueError:
        return 0.0


def _in_words(amount: float, resource: str) -> str:
    return f"{amount / 2**30:.4g}Gi" if resource == "memory" else f"{amount:g}"


def _and(words: list[str]) -> str:
    return " and ".join(words)


def _cel_asked(container: str, key: str) -> str:
    """Return what `job.resources.amounts_of` finds."""
    side, _, resource = key.partition(".")
    sides = [f"{container}.resources.{each}" for each in dict.fromkeys((side, "limits"))]
    said = "".join(
        f"has({container}.resources) && has({each}) && '{resource}' in {each} ? {each}['{resource}'] : "
        for each in sides
    )
    default = f"'{key}' in variables.defaults ? variables.defaults['{key}'] : '0'"
    return f"quantity({said}{default}).asApproximateFloat()"


def _cel_quota(key: str) -> str:
    most = f"quantity(variables.quota['{key}']).asApproximateFloat() * {_ROUNDING}"
    asked = _cel_asked("c", key)
    return (
        f"(!('{key}' in variables.quota) || ("
        f"variables.together.map(c, {asked}).sum() * variables.pods <= {most} && "
        f"variables.first.all(c, {asked} * variables.pods <= {most})))"
    )


def _cel_says(wanted: str, *sides: str) -> str:
    said = " || ".join(f"(has(c.resources.{side}) && r in c.resources.{side})" for side in sides)
    return f"variables.{wanted}.all(r, has(c.resources) && ({said}))"


RULES = (
    Rule(
        id="amounts",
        what="Every container requests CPU and memory and limits memory, unless the team has defaults for them.",
        cure="Add resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 128Mi}}, by what the job needs.",
        breaches=_requests,
        cel=(
            f"variables.containers.all(c, {_cel_says('mustRequest', 'requests', 'limits')} && "
            f"{_cel_says('mustLimit', 'limits')})"
        ),
        level=PRIVILEGED,
        bad="containers: [{resources: {limits: null}}]",
    ),
    Rule(
        id="quota",
        what="What a Job's Pods ask for at once, by limits or the team's defaults if not by requests, fits into the "
        "team's quota.",
        cure="Lower resources or parallelism, or raise the team's `quota` in teams.yaml; it would wait for ever.",
        breaches=_quota,
        cel=" && ".join(_cel_quota(key) for key in QUOTA_KEYS),
        level=PRIVILEGED,
        bad="containers: [{resources: {requests: {cpu: '64'}}}]",
    ),
)
