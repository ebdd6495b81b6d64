"""Which names a team, a DAG, an app and a time zone may have: every fault of one at once, as an author reads it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import available_timezones

from cronlift.errors import AuthoringError

DAG_NAME_LIMIT = 60
"""A Job's name has 63 characters, in which team, DAG and task should still be readable."""


@dataclass(frozen=True)
class _Rule:
    kind: str
    first: str
    rest: str
    last: str
    limit: int
    good: str


_TEAM = _Rule("a team", "a-z", "a-z0-9-", "a-z0-9", 40, "billing")
_DAG = _Rule("a DAG", "a-z", "a-z0-9_", "a-z0-9_", DAG_NAME_LIMIT, "send_invoices")
_APP = _Rule("an app", "a-z", "a-z0-9-", "a-z0-9", 40, "invoice-mailer")
_WORDS = {"a-z": "a lower-case letter", "a-z0-9": "a lower-case letter or a digit"}
_CHARACTERS = {"a-z0-9-": "lower-case letters, digits and hyphens", "a-z0-9_": "lower-case letters, digits and _"}


def team_name_faults(name: str) -> list[AuthoringError]:
    """Return what is wrong with the name of a team; the rule is that of the chart's schema."""
    return _faults(name, _TEAM)


def dag_name_faults(name: str) -> list[AuthoringError]:
    """Return what is wrong with the name of a DAG, which is its file's, its manifest's and its task's too."""
    return _faults(name, _DAG)


def app_name_faults(name: str) -> list[AuthoringError]:
    """Return what is wrong with the name of an app, which is its repository's and its image's too."""
    return _faults(name, _APP)


def owner_faults(owners: tuple[str, ...]) -> list[AuthoringError]:
    """Return what is wrong with reviewers, as CODEOWNERS names them."""
    return [
        AuthoringError(f"{owner!r} is no reviewer", cure="Write @user, @organisation/team or a mail address.")
        for owner in owners
        if not re.fullmatch(r"@[^\s#]+|[^@\s#]+@[^@\s#]+", owner)
    ]


def zone_faults(zone: str) -> list[AuthoringError]:
    """Return what is wrong with a time zone."""
    if zone in available_timezones():
        return []
    return [AuthoringError(f"there is no time zone {zone!r}", cure="Name one such as Europe/Paris or UTC.")]


def unknown_team_faults(name: str, teams: Mapping[str, object]) -> list[AuthoringError]:
    """Return the fault of a team that teams.yaml does not list."""
    if name in teams:
        return []
    known = ", ".join(sorted(teams)) or "none yet"
    cure = f"Known: {known}. Add it first: make new-team TEAM={name or 'billing'}."
    return [AuthoringError(f"teams.yaml has no team {name!r}", cure=cure)]


def _faults(name: str, rule: _Rule) -> list[AuthoringError]:
    if not name:
        return [AuthoringError(f"the name of {rule.kind} is empty", cure=f"Give one, such as {rule.good}.")]
    found = []
    strange = sorted({each for each in name if not re.fullmatch(f"[{rule.rest}]", each)})
    if strange:
        shown = " ".join(repr(each) for each in strange)
        found.append(f"holds {shown}, but only {_CHARACTERS[rule.rest]} may be in it")
    if not re.match(f"[{rule.first}]", name):
        found.append(f"does not begin with {_WORDS[rule.first]}")
    if rule.last in _WORDS and not re.search(f"[{rule.last}]$", name):
        found.append(f"does not end with {_WORDS[rule.last]}")
    if len(name) > rule.limit:
        found.append(f"has {len(name)} characters, more than {rule.limit}")
    return [
        AuthoringError(f"the name of {rule.kind}, {name!r}, {each}", cure=f"A good one is {rule.good}.")
        for each in found
    ]
