"""One file of what was handed over, wherever it lay: in a folder, a tree or a tarball."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FoundFile:
    """A file before it is known what it says.

    Args:
        path: As found, with slashes; in a tarball without a slash in front.
        content: Its bytes, cut where they are more than a crontab may have.
        mode: Permission bits where they are the host's; None otherwise.
        owner: Name or number of the owner where it is the host's; None otherwise.
        link: Where it points to, for a link that could not be followed; empty otherwise.
        kind: The kind of `Source`, where the place alone does not say it.
    """

    path: str
    content: bytes
    mode: int | None = None
    owner: str | None = None
    link: str = ""
    kind: str = ""
