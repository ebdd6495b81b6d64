"""The shape of a rule."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cronlift.policy.pods import Path, PodView
from cronlift.policy.team import TeamRules

Breaches = Iterator[tuple[Path, str]]
"""Path of the field in the Job, and what is wrong there, one sentence without a full stop."""


@dataclass(frozen=True)
class Rule:
    """One rule, in both of its languages.

    Args:
        id: Kebab-case; stands behind every message.
        what: The rule as one sentence.
        cure: What to do about a breach, a whole sentence.
        breaches: Finds them; what a guess decides is none.
        cel: The same over `object`, `namespaceObject` and the variables of `admission.VARIABLES`: true when it is
            kept. Empty for what only the manifest's source shows.
        level: Applies to teams whose Pod Security Standard is this or a stricter one; "privileged" for all.
        bad: What breaks it: YAML that `example` lays over the Pod of a good Job.
    """

    id: str
    what: str
    cure: str
    breaches: Callable[[PodView, TeamRules], Breaches]
    cel: str
    level: str
    bad: str
