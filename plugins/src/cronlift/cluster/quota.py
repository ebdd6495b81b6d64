"""How much of a namespace's ResourceQuotas is left, in words."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_UNITS = {"": 0, "m": -3, "u": -6, "n": -9, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_UNITS = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?")


def parse_quantity(text: str) -> Decimal:
    """Read a Kubernetes quantity, such as "500m", "1.5Gi" or "2e3".

    Raises:
        ValueError: It is none.

    Source:
        apimachinery's pkg/api/resource/quantity.go: binary units are of 1024, decimal ones of 1000.
    """
    if not (match := _QUANTITY.fullmatch(text.strip())):
        raise ValueError(f"{text!r} is no quantity, such as 500m or 2Gi")
    number, unit, exponent = Decimal(match[1]), match[2] or "", match[3]
    if unit in _BINARY_UNITS:
        return number * Decimal(1024) ** _BINARY_UNITS[unit]
    return number.scaleb(int(exponent) if exponent else _UNITS[unit])


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
