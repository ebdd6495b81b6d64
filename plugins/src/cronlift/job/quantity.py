"""Amounts of CPU, memory and the like as Kubernetes writes them."""

import re
from decimal import Decimal

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
