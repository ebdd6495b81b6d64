"""Refuse operations of a template whose result would be larger than a manifest may be, before they are carried out.

Python does each of them in one step of C, which no time limit can stop, and which may take all memory of the process.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from types import BuiltinMethodType
from typing import Any

from cronlift.job.limits import SIZE_LIMIT_CHARACTERS, LimitError

ITEM_LIMIT = 100_000
POWER_LIMIT = 1000
BIT_LIMIT = 100_000
_LONG_NUMBER = re.compile(r"\d{7,}")


def size_of(value: Any) -> int:
    """Return how many characters and items a value holds at any depth; counting ends above the limit."""
    total, pending = 0, [value]
    while pending and total <= SIZE_LIMIT_CHARACTERS:
        each = pending.pop()
        if isinstance(each, (str, bytes)):
            total += len(each)
        elif isinstance(each, (list, tuple, set, frozenset, Mapping)):
            total += len(each)
            if total <= SIZE_LIMIT_CHARACTERS:
                pending.extend([*each, *each.values()] if isinstance(each, dict) else each)
    return total


def refuse_large(value: Any) -> Any:
    """Return a value that is not too large to be written out.

    Raises:
        LimitError: It is.
    """
    _refuse(size_of(value) > SIZE_LIMIT_CHARACTERS)
    return value


def join(separator: str, parts: Iterable[Any]) -> str:
    """Join texts.

    Raises:
        LimitError: The result would be too large.
    """
    texts, size = [], 0
    for each in parts:
        text = each if isinstance(each, str) else str(refuse_large(each))
        size += len(text) + len(separator)
        _refuse(size > SIZE_LIMIT_CHARACTERS + len(separator))
        texts.append(text)
    return separator.join(texts)


def check_operation(operator: str, left: Any, right: Any) -> None:
    """Check `*`, `**`, `+` and `%`.

    Raises:
        LimitError: The result would be too large.
    """
    if operator == "**":
        _refuse(isinstance(right, (int, float)) and abs(right) > POWER_LIMIT, f"a power of more than {POWER_LIMIT}")
        _refuse(_bits(left) * abs(right if isinstance(right, int) else 1) > BIT_LIMIT, "a number of many digits")
    elif operator == "*":
        _refuse(_bits(left) + _bits(right) > BIT_LIMIT, "a number of many digits")
        _refuse(_length(left) * _factor(right) + _length(right) * _factor(left) > SIZE_LIMIT_CHARACTERS)
    elif operator == "+":
        _refuse(_length(left) + _length(right) > SIZE_LIMIT_CHARACTERS)
    elif operator == "%" and isinstance(left, str):
        _check_format(left, left.count("%"), right, "*" in left)


def check_call(function: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Check a method of a text, a number or a list.

    Raises:
        LimitError: The result would be too large.
    """
    method = getattr(function, "__wrapped__", function)  # str.format comes wrapped by Jinja
    if not isinstance(method, BuiltinMethodType):
        return
    owner, name = method.__self__, method.__name__
    if isinstance(owner, list) and name == "extend":
        _refuse(len(owner) + _length(arguments[0] if arguments else None) > ITEM_LIMIT, "a list that grows")
    if not isinstance(owner, (str, bytes, int)):
        return
    if name in ("format", "format_map") and isinstance(owner, str):
        _check_format(owner, owner.count("{"), (arguments, dict(named)), re.search(r":[^{}]*\{", owner) is not None)
        return
    largest = max((abs(each) for each in (*arguments, *named.values()) if isinstance(each, int)), default=0)
    _refuse(largest > SIZE_LIMIT_CHARACTERS)
    if name == "expandtabs" and isinstance(owner, (str, bytes)):
        _refuse(len(owner) * max(largest, 8) > 8 * SIZE_LIMIT_CHARACTERS)
    if name == "join" and arguments:
        _refuse(size_of(arguments[0]) + _length(owner) * _length(arguments[0]) > SIZE_LIMIT_CHARACTERS)
    if name == "replace" and isinstance(owner, str) and len(arguments) > 1:
        _check_replace(owner, *arguments[:2])


def bounded_filters(filters: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Return those of Jinja's filters that can make much out of little, with a check before each.

    Args:
        filters: Name -> filter.
    """
    return {name: _checked(filters[name], check) for name, check in _FILTER_CHECKS.items()}


def _checked(function: Callable[..., Any], check: Callable[..., None]) -> Callable[..., Any]:
    # Some filters get the environment or its context first.
    before = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def bounded(*given: Any, **named: Any) -> Any:
        context, value, more = given[:before], given[before], given[before + 1 :]
        if isinstance(value, Iterator):
            value = _listed(value)
        check(value, *more, *named.values())
        return function(*context, value, *more, **named)

    return bounded


def _listed(values: Iterator[Any]) -> list[Any]:
    """Return what an iterator gives, as what `map` makes of a list."""
    found: list[Any] = []
    size = 0
    for each in values:
        size += 1 + size_of(each)
        _refuse(size > SIZE_LIMIT_CHARACTERS or len(found) >= ITEM_LIMIT)
        found.append(each)
    return found


def _check_items(_: Any, *more: Any) -> None:
    _refuse(_largest(more) > ITEM_LIMIT)


def _check_width(value: Any, *more: Any) -> None:
    lines = str(refuse_large(value)).count("\n") + 1
    _refuse(lines * max(_largest(more), *map(_length, more), 0) > SIZE_LIMIT_CHARACTERS)


def _check_written(value: Any, *more: Any) -> None:
    refuse_large(value)
    _refuse(_largest(more) > POWER_LIMIT)


def _check_joined(value: Any, separator: Any = "", *_: Any) -> None:
    _refuse(size_of(value) + _length(value) * len(str(separator)) > SIZE_LIMIT_CHARACTERS)


def _check_sum(_: Any, *more: Any) -> None:
    _refuse(any(isinstance(each, (list, tuple)) for each in more), "a sum of lists")


def _check_printf(pattern: Any, *more: Any) -> None:
    check_operation("%", str(pattern), more)


def _check_replace(text: Any, old: Any = "", new: Any = "", *_: Any) -> None:
    text, old, new = str(text), str(old), str(new)
    _refuse(len(text) + text.count(old) * len(new) > SIZE_LIMIT_CHARACTERS)


_FILTER_CHECKS: dict[str, Callable[..., None]] = {
    "batch": _check_items,
    "slice": _check_items,
    "center": _check_width,
    "indent": _check_width,
    "format": _check_printf,
    "join": _check_joined,
    "replace": _check_replace,
    "sum": _check_sum,
    **dict.fromkeys(("list", "pprint", "string", "tojson", "xmlattr"), _check_written),
}


def _check_format(pattern: str, fields: int, arguments: Any, computed_width: bool) -> None:
    _refuse(_LONG_NUMBER.search(pattern) is not None)
    _refuse(computed_width and _largest_in(arguments) > SIZE_LIMIT_CHARACTERS)
    _refuse(len(pattern) + fields * size_of(arguments) > SIZE_LIMIT_CHARACTERS)


def _refuse(refused: bool, what: str = "a value larger than a manifest may be") -> None:
    if refused:
        raise LimitError(what)


def _largest(values: Iterable[Any]) -> int:
    return max((abs(each) for each in values if isinstance(each, int)), default=0)


def _largest_in(value: Any) -> int:
    """Return the largest number in the arguments of a format, one level deep."""
    groups = value if isinstance(value, tuple) else (value,)
    inner = [each.values() if isinstance(each, dict) else each for each in groups if isinstance(each, (tuple, dict))]
    return max(_largest(groups), *map(_largest, inner), 0)


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes, list, tuple)) else 0


def _factor(value: Any) -> int:
    return max(0, value) if isinstance(value, int) else 0


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 0
