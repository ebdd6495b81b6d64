"""What the rules need to know of a team."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RESTRICTED, BASELINE, PRIVILEGED = LEVELS = ("restricted", "baseline", "privileged")
"""Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/."""

MUST_REQUEST, MUST_LIMIT = ("cpu", "memory"), ("memory",)
"""What each container says. A limit on CPU only slows a Job down, so it is free to have none."""

QUOTA_KEYS = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


@dataclass(frozen=True)
class TeamRules:
    """A team as the rules see it.

    Args:
        namespace: Where its Jobs run.
        level: Pod Security Standard.
        images: Where its images may come from: a repository, or the beginning of one with a slash at its end. Empty for
            everywhere.
        quota: "requests.cpu" and the like -> most of it; without what the quota does not bound.
        defaults: The same keys -> what a container gets that says nothing; without what it gets none of.
        must_request: Resources that each container requests.
        must_limit: Resources that each container limits.
    """

    namespace: str
    level: str = RESTRICTED
    images: tuple[str, ...] = ()
    quota: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    must_request: tuple[str, ...] = MUST_REQUEST
    must_limit: tuple[str, ...] = MUST_LIMIT


def read_team(entry: Mapping[str, Any], more_images: Sequence[str] = ()) -> TeamRules:
    """Take the rules' part of a team's entry in teams.yaml, or in CRONLIFT_TEAMS, which the chart makes of it.

    Args:
        entry: Keys as in teams.yaml; all but the namespace may be missing.
        more_images: Images of the deployment, which every team may use where it may not use all.
    """
    defaults = container_defaults(entry.get("containerDefaults") or {})
    images = tuple(entry.get("images") or ())
    return TeamRules(
        namespace=str(entry["namespace"]),
        level=str(entry.get("podSecurity") or RESTRICTED),
        images=(*images, *(without_version(each) for each in more_images)) if images else (),
        quota=_quota(entry.get("quota") or {}),
        defaults=defaults,
        must_request=tuple(each for each in MUST_REQUEST if f"requests.{each}" not in defaults),
        must_limit=tuple(each for each in MUST_LIMIT if f"limits.{each}" not in defaults),
    )


def container_defaults(given: Mapping[str, Any]) -> dict[str, str]:
    """Return what a team's `containerDefaults` give of CPU and memory, by the keys of a quota.

    They become a LimitRange, whose limit is its request where it has none.
    """
    limits = given.get("limits") or {}
    sides = {"requests": {**limits, **(given.get("requests") or {})}, "limits": limits}
    named = {f"{side}.{name}": str(amount) for side, amounts in sides.items() for name, amount in amounts.items()}
    return {key: named[key] for key in QUOTA_KEYS if key in named}


def without_version(image: str) -> str:
    """Return an image's repository, without tag and digest."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def _quota(hard: Mapping[str, Any]) -> dict[str, str]:
    """Return what a ResourceQuota says of CPU and memory; `cpu` is another name of `requests.cpu` there."""
    named = {f"requests.{key}" if key in ("cpu", "memory") else str(key): str(value) for key, value in hard.items()}
    return {key: named[key] for key in QUOTA_KEYS if key in named}
