"""The variables that the old daemon gave a job, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .job import CRONIE, Job, JobError

PATHS = {"debian": "/usr/bin:/bin", "cronie": "/usr/bin:/bin:/usr/sbin:/sbin"}
SYSTEM_FILES = ("/etc/environment", "/etc/default/locale", "/etc/locale.conf")
"""What pam_env (Debian) or systemd (the cronie world) adds, in order; the last one wins."""

_SETTING = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$")


class User(NamedTuple):
    """Whom the job runs as: login name and home."""

    name: str
    home: str


def build_environment(
    job: Job, user: User, system: Iterable[str] = (), container: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the whole environment of a job's shell.

    Args:
        job: The line.
        user: Login name and home, which a tab can override (HOME) or not (LOGNAME).
        system: Contents of the files in `SYSTEM_FILES`, first to last.
        container: The container's variables, of which only the job's secrets are taken.

    Raises:
        JobError: A secret is not in the container's environment.

    Source:
        Debian cron 3.0pl1 do_command.c and entry.c, cronie 1.7 entry.c: the system's variables first, over them the
        tab's with the defaults of SHELL, HOME and PATH, and last LOGNAME (cronie: USER too), which no tab can set.
    """
    found: dict[str, str] = {}
    for text in system:
        found.update(parse_settings(text))
    if job.language:
        found["LANG"] = job.language
    found.update(tab_environment(job, user))
    container = container or {}
    if missing := [name for name in job.secrets if name not in container]:
        raise JobError(
            f"{', '.join(missing)} is not in the container's environment. Give it by env with a secretKeyRef in the "
            "manifest, and create the Secret"
        )
    found.update({name: container[name] for name in job.secrets})
    return found


def tab_environment(job: Job, user: User) -> dict[str, str]:
    """Return what the daemon itself keeps for a line, in its order; mails list it."""
    found = dict(job.environment)
    found.setdefault("SHELL", "/bin/sh")
    found.setdefault("HOME", user.home)
    found.setdefault("PATH", PATHS[job.flavour])
    found["LOGNAME"] = user.name
    if job.flavour == CRONIE:
        found["USER"] = user.name
    return found


def parse_settings(text: str) -> dict[str, str]:
    """Read a file such as /etc/environment as pam_env does: literal values, one pair of outer quotes removed.

    Source:
        pam_env 1.5: lines of KEY=VALUE, `export` allowed, # starts a comment (what is before it keeps its blanks), an
        empty value unsets the variable.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _SETTING.match(line.rstrip().partition("#")[0])
        if not match:
            continue
        name, value = match.group(1), match.group(2)
        if value[:1] in {'"', "'"}:
            quote, value = value[0], value[1:]
            value = value[:-1] if value.endswith(quote) else value
        if value:
            found[name] = value
        else:
            found.pop(name, None)
    return found
