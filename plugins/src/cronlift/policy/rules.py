"""All rules, and the judgement of a manifest by them."""

from collections.abc import Iterator, Sequence
from typing import Any

from cronlift.errors import PolicyError
from cronlift.job.documents import Document, Places
from cronlift.policy import amounts, clear_text, host, identity, images, kernel, restricted
from cronlift.policy.pods import Path, PodView
from cronlift.policy.rule import Rule
from cronlift.policy.team import LEVELS, TeamRules

RULES: tuple[Rule, ...] = (
    *identity.RULES,
    *images.RULES,
    *amounts.RULES,
    *host.RULES,
    *kernel.RULES,
    *restricted.RULES,
    *clear_text.RULES,
)


def judge(documents: Sequence[Document], places: Places, team: TeamRules) -> list[PolicyError]:
    """Return every breach in a manifest's Jobs.

    Args:
        documents: Rendered, or of a trial; what a trial guesses is left for the API server.
        places: Of the documents.
        team: Whose manifest it is.
    """
    return [
        PolicyError(what, where=places.of(each, *path), cure=rule.cure, rule=rule.id)
        for each in documents
        if each.kind == "Job"
        for rule, path, what in breaches(each.content, team)
    ]


def breaches(job: dict[str, Any], team: TeamRules) -> Iterator[tuple[Rule, Path, str]]:
    """Yield each breach of a Job: the rule, the path of the field, and what is wrong there."""
    view = PodView(job)
    for rule in RULES:
        if applies(rule, team):
            yield from ((rule, path, what) for path, what in rule.breaches(view, team))


def applies(rule: Rule, team: TeamRules) -> bool:
    """Tell whether a rule is for a team: those of a stricter Pod Security Standard than the team's are not."""
    return LEVELS.index(rule.level) >= LEVELS.index(team.level)
