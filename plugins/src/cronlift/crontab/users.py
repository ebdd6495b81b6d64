"""Whom a line's Job runs as: the old user with its old ids, as far as they are known and a Pod may have them."""

from collections.abc import Mapping
from dataclasses import dataclass

from cronlift.crontab.decisions import User
from cronlift.crontab.model import Flavour

LEGACY_ID = 1000
"""Uid and gid of the legacy image's first user."""

LEGACY_USER = "legacy"

NOBODY = f"Nobody says whose crontab it is: it runs as the image's user {LEGACY_USER}. Import with --user NAME."
"""What there is to say of a tab's lines without a user."""

_DEBIAN = {
    "daemon": User(1, 1), "bin": User(2, 2), "sys": User(3, 3), "games": User(5, 60), "man": User(6, 12),
    "lp": User(7, 7), "mail": User(8, 8), "news": User(9, 9), "uucp": User(10, 10), "proxy": User(13, 13),
    "www-data": User(33, 33, "/var/www"), "backup": User(34, 34), "list": User(38, 38), "nobody": User(65534, 65534),
}  # fmt: skip
_CRONIE = {
    "bin": User(1, 1), "daemon": User(2, 2), "adm": User(3, 4), "lp": User(4, 7), "mail": User(8, 12),
    "games": User(12, 100), "ftp": User(14, 50), "apache": User(48, 48, "/usr/share/httpd"),
    "nobody": User(65534, 65534),
}  # fmt: skip
WELL_KNOWN: Mapping[Flavour, Mapping[str, User]] = {Flavour.DEBIAN: _DEBIAN, Flavour.CRONIE: _CRONIE}
"""Ids that the distribution fixes, so that they are known without an inventory."""


@dataclass(frozen=True)
class Person:
    """Whom a Job runs as.

    Args:
        name: What LOGNAME says.
        uid: Of the Pod.
        gid: Of the Pod.
        home: HOME; None for what the image's passwd says.
        change: What is not as it was on the old host, in words; None when all is.
        cure: What to do about it.
        warning: What nobody said, so that it cannot be told whether it changed.
    """

    name: str
    uid: int
    gid: int
    home: str | None = None
    change: str | None = None
    cure: str = ""
    warning: str = ""


def person_of(user: str | None, flavour: Flavour, known: Mapping[str, User], *, as_root: bool = False) -> Person:
    """Return whom a line's Job runs as.

    Args:
        user: The line's user; None when nobody said.
        flavour: Of the old host.
        known: From decisions and inventory.
        as_root: Whether root may stay root.
    """
    if user == "root":
        if as_root:
            return Person("root", 0, 0, "/root")
        return Person(
            LEGACY_USER,
            LEGACY_ID,
            LEGACY_ID,
            None,
            "not root: it runs as the image's user legacy",
            "Give the user legacy what the job reads and writes; or decide `run_as: root`, which needs "
            "`podSecurity: baseline` of the team.",
        )
    if user is None:
        return Person(LEGACY_USER, LEGACY_ID, LEGACY_ID, warning=NOBODY)
    found = known.get(user) or WELL_KNOWN[flavour].get(user)
    if found is None:
        return Person(
            user,
            LEGACY_ID,
            LEGACY_ID,
            None,
            f"the ids of {user} are not known: it runs with uid {LEGACY_ID}",
            f"Hand over the old host's inventory, or write the ids below `users` in decisions.yaml: "
            f"{user}: {{uid: 1001, gid: 1001, home: /home/{user}}}.",
        )
    if found.uid == 0:
        return person_of("root", flavour, known, as_root=as_root)
    return Person(user, found.uid, found.gid, found.home)
