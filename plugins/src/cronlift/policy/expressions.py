"""Parts that several rules' expressions have in common."""

from collections.abc import Iterable


def has(owner: str, *keys: str) -> str:
    """Return that a field is there, and before that what it lies in, without which the test itself would fail."""
    return " && ".join(f"has({'.'.join((owner, *keys[: count + 1]))})" for count in range(len(keys)))


def listed(words: Iterable[str]) -> str:
    """Return a list of texts."""
    return "[" + ", ".join(f"'{each}'" for each in words) + "]"
