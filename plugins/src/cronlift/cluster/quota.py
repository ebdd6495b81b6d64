"""How much of a namespace's ResourceQuotas is left, in words."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cronlift.job.quantity import parse_quantity


def fullest(quota: Mapping[str, Any]) -> tuple[Decimal, str]:
    """Return how full a ResourceQuota is, and what it counts in words.

    Args:
        quota: As the API server gives it.

    Returns:
        The largest share of any of its resources, 1 for one that is used up; and a text such as
        "requests.cpu 500m of 4, count/jobs.batch 3 of 200".
    """
    status = quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    shares, words = [Decimal(0)], []
    for resource, limit in sorted(hard.items()):
        most, now = parse_quantity(str(limit)), parse_quantity(str(used.get(resource, "0")))
        shares.append(now / most if most else Decimal(1))
        words.append(f"{resource} {used.get(resource, '0')} of {limit}")
    return max(shares), ", ".join(words) or "nothing counted yet"
