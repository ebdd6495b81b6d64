"""Where cron's files live on a host: what a path says about a file."""

import re
from dataclasses import dataclass

RUN_PARTS_FOLDERS = ("cron.hourly", "cron.daily", "cron.weekly", "cron.monthly", "cron.yearly")

_PLACES = (
    (re.compile(r"(?:^|/)etc/(?P<file>crontab)\Z"), "system"),
    (re.compile(r"(?:^|/)(?P<file>cron\.d/[^/]+)\Z"), "cron.d"),
    (re.compile(r"(?:^|/)(?:etc/)?(?P<file>anacrontab)\Z"), "anacrontab"),
    (re.compile(r"(?:^|/)(?P<file>cron\.(?:hourly|daily|weekly|monthly|yearly)/[^/]+)\Z"), "run-parts"),
    (re.compile(r"(?:^|/)cron/(?:crontabs|tabs)/(?P<user>[^/]+)\Z"), "user"),
    (re.compile(r"(?:^|/)crontabs/(?P<user>[a-z_][a-z0-9_-]*)\Z"), "user"),
    (re.compile(r"(?:^|/)spool/cron/(?P<user>[^/]+)\Z"), "user"),
)
_HOST_PATH = re.compile(r"(?:^|/)((?:etc|var/spool/cron|usr/lib)/(?:.*)|(?:etc|var/spool/cron))\Z")
_NO_TABS = frozenset({"crontabs", "tabs", "lastrun", "atjobs", "atspool"})
_FACTS = frozenset(
    {
        "etc/os-release", "usr/lib/os-release", "etc/debian_version", "etc/redhat-release", "etc/fedora-release",
        "etc/SuSE-release", "etc/arch-release", "etc/timezone", "etc/passwd", "etc/environment",
        "etc/default/cron", "etc/sysconfig/crond", "etc/default/locale", "etc/locale.conf",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What a path says about a file.

    Args:
        kind: The kind of `Source`.
        user: Whose tab it is, for files of the spool; None otherwise.
    """

    kind: str
    user: str | None = None


def place_of(path: str) -> Place | None:
    """Return what a path says about a file; None when it is none of cron's places.

    Args:
        path: With slashes; what stands before `etc/` or `var/spool/` does not matter.
    """
    for pattern, kind in _PLACES:
        if found := pattern.search(path):
            user = found.groupdict().get("user")
            if user is not None and (user in _NO_TABS or user.startswith((".", "tmp."))):
                return None
            return Place(kind, user)
    return None


def host_path(path: str) -> str:
    """Return a file's path on the host, without a slash in front: what stands before `etc/` or `var/` is left out."""
    if found := _HOST_PATH.search(path):
        return found[1]
    for pattern, _ in _PLACES:
        if found := pattern.search(path):
            return path[found.start() :].lstrip("/")
    return path.lstrip("/")


def is_fact(path: str) -> bool:
    """Tell whether a file is none of cron's, but says something about the host: its users, its zone, its release."""
    return host_path(path) in _FACTS


def run_parts_folder(path: str) -> str:
    """Return the folder of a script, as a crontab names it: "/etc/cron.daily"."""
    folder = host_path(path).rsplit("/", 1)[0]
    return f"/{folder}" if folder.startswith("etc/") else folder
