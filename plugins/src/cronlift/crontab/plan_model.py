"""What an import knows of a line's host, and what it comes to think of the line."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cronlift.crontab.command import CommandFacts
from cronlift.crontab.decisions import GroupDecision, User
from cronlift.crontab.image import Image, Presence
from cronlift.crontab.ladder import Choice
from cronlift.crontab.model import Flavour, Verdict
from cronlift.crontab.text import printable


@dataclass(frozen=True)
class Host:
    """Where a line comes from and goes to.

    Args:
        team: Team name.
        zone: The old daemon's time zone.
        users: Ids that are known.
        language: LANG; empty when it is not known.
        image: What is known of the legacy image; None when nothing is.
        allows_root: Whether the team's namespace admits root.
        flavour: The daemon.
        group: Of the line's file.
        decision: The group's state and start.
        shared_locks: Path -> the lines that take it.
        proposal: Why the times of the file are proposals, a sentence; empty where they are the daemon's.
        passwords: Those that the crontabs hold, to be hidden in comments too.
    """

    team: str
    zone: str
    users: Mapping[str, User]
    language: str
    image: Image | None
    allows_root: bool
    flavour: Flavour
    group: str
    decision: GroupDecision
    shared_locks: Mapping[str, tuple[str, ...]]
    proposal: str = ""
    passwords: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What becomes of a line.

    Args:
        verdict: The verdict.
        reason: Why; empty for lines that need none.
        cure: What can be done about it; empty when there is nothing to do.
        warnings: What works, but probably not as meant.
        choice: The timetable; None for lines without one.
        facts: What the command needs; None for lines without one.
        presences: Each program and path that the command names -> whether the image has it.
    """

    verdict: Verdict
    reason: str = ""
    cure: str = ""
    warnings: tuple[str, ...] = ()
    choice: Choice | None = None
    facts: CommandFacts | None = None
    presences: Mapping[str, Presence] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the programs and paths that the image lacks."""
        return tuple(name for name, presence in self.presences.items() if presence is Presence.MISSING)


def one_line(text: str) -> str:
    """Return text for a comment of YAML: one line, without what YAML cannot print, or takes for a line's end."""
    return re.sub(r"[^\x20-\x7e\xa0-\u2027\u202a-\ufefe]", "?", printable(text)).strip()
