"""Lines of the form `NAME = value`, read by the daemons' own rules."""

from cronlift.crontab.model import Flavour
from cronlift.crontab.text import byte_length

DEBIAN_LIMIT_BYTES = 998
"""Debian reads a line into 1000 bytes, of which two are kept back."""

_SPACES = " \t\n\v\f\r"
_QUOTES = "'\""


def parse_assignment(text: str, flavour: Flavour) -> tuple[str, str] | None:
    """Read an assignment as the daemon does.

    Blanks around `=` and outer quotes go away; nothing is expanded; a `#` is part of the value. Debian takes no empty
    value without quotes, and strips a second pair of quotes. A name may be quoted, and may be empty.

    Args:
        text: The line from its first character that is no blank.
        flavour: The daemon.

    Returns:
        Name and value, or None when the line is no assignment (then the daemon tries it as a job).

    Source: `load_env` in env.c of cron 3.0pl1-162 (Debian) and of cronie 1.7.2.
    """
    if flavour is Flavour.DEBIAN and byte_length(text) > DEBIAN_LIMIT_BYTES:
        cut = text.encode("utf-8", "surrogateescape")[:DEBIAN_LIMIT_BYTES]
        text = cut.decode("utf-8", "surrogateescape")
    read_name = _read_name(text)
    if read_name is None:
        return None
    name, rest = read_name
    value = _read_value(rest, empty_is_fine=flavour is Flavour.CRONIE)
    if value is None:
        return None
    if flavour is Flavour.DEBIAN:
        value = value.rstrip(_SPACES)
        if len(value) >= 2 and value[0] in _QUOTES and value[-1] == value[0]:
            value = value[1:-1]
    return name, value


def _read_name(text: str) -> tuple[str, str] | None:
    """Return the name, and what follows the equals sign."""
    quote = text[0] if text and text[0] in _QUOTES else ""
    if quote:
        end = text.find(quote, 1)
        if end < 0 or "=" in text[1:end]:
            return None
        name, rest = text[1:end], text[end + 1 :]
    else:
        end = next((at for at, letter in enumerate(text) if letter == "=" or letter in _SPACES), -1)
        if end < 0:
            return None
        name, rest = text[:end], text[end:]
    rest = rest.lstrip(_SPACES)
    return (name, rest[1:]) if rest.startswith("=") else None


def _read_value(text: str, *, empty_is_fine: bool) -> str | None:
    text = text.lstrip(_SPACES)
    if not text:
        return "" if empty_is_fine else None
    if text[0] not in _QUOTES:
        return text.rstrip(_SPACES)
    end = text.find(text[0], 1)
    if end < 0 or text[end + 1 :].strip(_SPACES):
        return None
    return text[1:end]
