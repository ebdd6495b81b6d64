"""The pins of versions.env."""

from functools import cache

from ci.errors import UserError
from ci.paths import ROOT


@cache
def pins() -> dict[str, str]:
    """Return every pin by name; a digest not resolved yet is an empty string.

    Raises:
        UserError: A line is not NAME=value, or a name is given twice; all such lines at once.
    """
    return parse((ROOT / "versions.env").read_text())


def parse(text: str) -> dict[str, str]:
    """Return every pin of a versions.env.

    Args:
        text: Its lines: NAME=value, comments, empty ones.

    Raises:
        UserError: As `pins`.
    """
    found: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.isidentifier():
            faults.append(f"versions.env:{number}: not NAME=value: {line!r}")
        elif name in found:
            faults.append(f"versions.env:{number}: {name} is given twice")
        else:
            found[name] = value.strip()
    if faults:
        raise UserError("versions.env cannot be read", faults, cure="Correct these lines.")
    return found


def image_reference(prefix: str) -> str:
    """Return the upstream image `<prefix>_IMAGE`, with `@<prefix>_DIGEST` once that is resolved."""
    digest = pins()[f"{prefix}_DIGEST"]
    return pins()[f"{prefix}_IMAGE"] + (f"@{digest}" if digest else "")
