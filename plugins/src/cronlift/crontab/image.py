"""What the legacy image has: whether a program or path that a line names is there."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cronlift.crontab.decisions import User
from cronlift.crontab.model import Flavour

NAMES_DEEP = 3
"""How deep the list of what packages bring goes: /usr/lib/php is told, and what lies in it is not."""

DEFAULT_PATH = {Flavour.DEBIAN: "/usr/bin:/bin", Flavour.CRONIE: "/usr/bin:/bin:/usr/sbin:/sbin"}
"""Where the shell looks for programs without a PATH in the tab."""

_MERGED = re.compile(r"/(bin|sbin|lib|lib64)(?=/|\Z)")
"""Names of folders that are links into /usr on every Debian of today."""

_OF_EVERY_POD = ("/dev", "/proc", "/sys", "/tmp", "/run/lock", "/var/lock")  # noqa: S108 - the Pod's own
_UNKNOWN_TEXT = re.compile(r"[$`*?\[\]{}\s]")


class Presence(StrEnum):
    """Whether the image has what a line names."""

    PRESENT = "present"
    MISSING = "missing"
    VOLUME = "volume"
    """A volume is mounted there."""
    UNUSED = "unused"
    """The output that went there goes to the task's log."""
    UNKNOWN = "unknown"
    """It depends on a variable, or nothing is known of the image."""


@dataclass(frozen=True)
class Image:
    """What is known of the legacy image.

    Args:
        scripts: Absolute paths below rootfs/, files and folders.
        packaged: Those that base and packages bring, `NAMES_DEEP` names deep; empty when they are not known.
        users: Its users, with their homes.
    """

    scripts: frozenset[str] = frozenset()
    packaged: frozenset[str] = frozenset()
    users: Mapping[str, User] = field(default_factory=dict)

    def has(self, path: str) -> Presence:
        """Tell whether a path is there.

        Args:
            path: As the line names it.
        """
        if not path.startswith("/") or _UNKNOWN_TEXT.search(path):
            return Presence.UNKNOWN
        path = posixpath.normpath(path)
        path = path if path in self.scripts else _MERGED.sub(r"/usr/\1", path, count=1) if _MERGED.match(path) else path
        if path in self.scripts or path in self.packaged or _is_below(path, _OF_EVERY_POD):
            return Presence.PRESENT
        if path in {user.home for user in self.users.values()}:
            return Presence.PRESENT
        return Presence.MISSING if self._is_told(path) else Presence.UNKNOWN

    def has_program(self, word: str, search: str, folder: str | None) -> Presence:
        """Tell whether the shell finds a program.

        Args:
            word: As the line names it: a name, or a path.
            search: PATH.
            folder: Where the shell stands; None when that is not known.
        """
        if _UNKNOWN_TEXT.search(word) or word.startswith("~"):
            return Presence.UNKNOWN
        if "/" in word:
            if word.startswith("/"):
                return self.has(word)
            return self.has(posixpath.join(folder, word)) if folder else Presence.UNKNOWN
        found = {self.has(f"{each}/{word}") for each in search.split(":") if each}
        for presence in (Presence.PRESENT, Presence.UNKNOWN):
            if presence in found:
                return presence
        return Presence.MISSING

    def _is_told(self, path: str) -> bool:
        """Tell whether the lists say enough of a path that they do not hold."""
        if not self.packaged:
            return not _is_below(path, ("/usr", "/etc", "/var/lib"))
        folder = "/".join(path.split("/")[: NAMES_DEEP + 1])
        return folder == path or folder not in self.packaged


def _is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in folders)
