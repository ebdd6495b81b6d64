"""The text files of a repository, read for secrets that are written down in them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cronlift.checks.model import Fault
from cronlift.checks.secret_values import MAX_BYTES, secrets_in

_BINARY_HEAD_BYTES = 8192


def written_secrets(root: Path, names: Iterable[str]) -> Iterator[Fault]:
    """Yield the secrets that are written down in some files; those that are large or no text are skipped.

    Args:
        root: The repository.
        names: The files, from the root.
    """
    for name in names:
        if (text := _text(root / name)) is not None:
            yield from secrets_in(name, text)


def _text(file: Path) -> str | None:
    """Return the text of a file; None where there is none, and of a link, whose target is read by its own name."""
    try:
        if file.is_symlink() or file.stat().st_size > MAX_BYTES:
            return None
        content = file.read_bytes()
    except OSError:
        return None
    return None if b"\0" in content[:_BINARY_HEAD_BYTES] else content.decode("utf-8", "replace")
