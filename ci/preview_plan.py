"""What a preview of a branch consists of: its name, its time, its values. Pure."""

import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from ci.errors import UserError

PREFIX = "preview-"
LABEL, EXPIRES, REF, COMMIT = (
    "cronlift.dev/preview", "cronlift.dev/expires", "cronlift.dev/ref", "cronlift.dev/commit",
)  # fmt: skip
"""The label and the annotations of a preview's namespace; the chart's reaper reads the first two."""

NAME_CHARACTERS = 22
"""Release names count 31 at most before the chart cuts them, and a preview's is its namespace's."""

BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@#-]*")
LIFETIME = re.compile(r"(\d{1,4})([mhd])")
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
LONGEST = timedelta(days=7)

TAKEN = ("images", "imagePullSecrets", "jobImages", "openshift")
"""Blocks of the environment that a preview has as they are."""

TEAM_KEYS = ("namespace", "path", "owners")
"""What a preview takes of a team: where its DAGs lie, and how they name it. No quota, no pool, no alerts, no rights."""


def check_branch(ref: str) -> str:
    """Return a branch's name when it is one that nothing takes for something else.

    Source: git-check-ref-format(1), and fewer characters than it allows.

    Raises:
        UserError: It is empty, looks like an option, or could mean more than a branch.
    """
    cure = "Name a branch: make preview REF=my-branch. Letters, digits and . _ / + @ # - may be in it."
    if not ref.strip():
        raise UserError("It is not said which branch to show", cure=cure)
    if ref.startswith("-"):
        raise UserError(f"REF={ref!r} looks like an option", cure=cure)
    parts = ref.split("/")
    bad_part = any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    if not BRANCH.fullmatch(ref) or bad_part or ref.endswith(".") or ".." in ref or "@{" in ref or ref == "@":
        raise UserError(f"REF={ref!r} is no name of a branch", cure=cure)
    return ref


def name_of(ref: str) -> str:
    """Return the short name of a branch's preview: the branch itself where Kubernetes takes it, else part and hash."""
    clean = re.sub(r"[^a-z0-9]+", "-", ref.lower()).strip("-")
    if clean == ref and len(ref) <= NAME_CHARACTERS:
        return ref
    tail = hashlib.sha256(ref.encode()).hexdigest()[:6]
    return f"{clean[: NAME_CHARACTERS - 7].strip('-') or 'x'}-{tail}"


def namespace_of(ref: str) -> str:
    """Return the namespace, and the release, of a branch's preview."""
    return PREFIX + name_of(ref)


def lifetime(text: str) -> timedelta:
    """Return how long a preview lives.

    Args:
        text: "90m", "24h" or "3d".

    Raises:
        UserError: It does not read, or is longer than a week.
    """
    found = LIFETIME.fullmatch(text.strip())
    wanted = int(found[1]) * UNITS[found[2]] if found else timedelta(0)
    if not timedelta(0) < wanted <= LONGEST:
        raise UserError(
            f"TTL={text!r} is no time that a preview may live",
            cure="Say minutes, hours or days, a week at most: TTL=90m, TTL=24h, TTL=3d. The same command prolongs it.",
        )
    return wanted


def stamp(when: datetime) -> str:
    """Return a time in UTC as the annotation has it."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def values(
    environment: Mapping[str, Any], teams: Mapping[str, Any], ref: str, git_url: str, cidrs: Sequence[str]
) -> dict[str, Any]:
    """Return what lies below charts/environments/preview.yaml.

    Args:
        environment: Values of the environment whose images and git server it has.
        teams: The branch's `teams:`.
        ref: The branch.
        git_url: The repository.
        cidrs: Addresses of the git server.

    Raises:
        UserError: No team of the branch has its DAGs in it.
    """
    own = {
        name: {key: team[key] for key in TEAM_KEYS if key in team}
        for name, team in teams.items()
        if isinstance(team, Mapping) and team.get("path") and not team.get("repo")
    }
    if not own:
        raise UserError(f"No team of teams.yaml in {ref} has DAGs in this repository", cure="Add one: make new-team.")
    ports = (environment.get("networkPolicy") or {}).get("kubernetesApiPorts")
    node = (environment.get("pods") or {}).get("nodeSelector")
    return {
        **{key: environment[key] for key in TAKEN if key in environment},
        "git": {**(environment.get("git") or {}), "url": git_url, "ref": ref},
        "networkPolicy": {"gitCidrs": list(cidrs), **({"kubernetesApiPorts": ports} if ports else {})},
        **({"pods": {"nodeSelector": node}} if node else {}),
        "teams": own,
    }


def git_host(url: str) -> str:
    """Return the host of a git URL, whatever its form: https://host/x, ssh://git@host:22/x, git@host:x.

    Raises:
        UserError: It has none.
    """
    host = urlsplit(url).hostname if "://" in url else re.sub(r"^[^@]*@", "", url.partition(":")[0])
    if not host:
        raise UserError(f"git.url {url!r} names no host", cure="Correct git.url of the environment.")
    return host


def cidr(address: str) -> str:
    """Return the CIDR of one address."""
    return f"{address}/{ipaddress.ip_address(address).max_prefixlen}"


def table(namespaces: Sequence[Mapping[str, Any]], now: datetime, removal: Callable[[str], str]) -> str:
    """Return a line for each preview: namespace, branch, commit, when it goes.

    Args:
        namespaces: Of the previews.
        now: What time it is.
        removal: Branch -> the command that removes its preview; said of those that have expired, because one whose
            reaper is not there, or cannot run, stays.
    """
    lines = []
    for each in namespaces:
        metadata = each["metadata"]
        notes = metadata.get("annotations") or {}
        until = notes.get(EXPIRES, "")
        if metadata.get("deletionTimestamp"):
            state = "is being removed"
        elif not until:
            state = f"has no {EXPIRES}: it stays"
        else:
            state = f"until {until}"
            if until <= stamp(now):
                state += f", expired; if it stays: {removal(notes.get(REF, ''))}"
        lines.append(f"{metadata['name']:<32} {notes.get(REF, '?'):<32} {notes.get(COMMIT, '')[:12]:<12} {state}")
    return "\n".join(lines) or "There is no preview. Next: make preview REF=my-branch"
