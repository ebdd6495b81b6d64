"""The rules as the API server enforces them: the chart's ValidatingAdmissionPolicy, written from `rules.RULES`.

Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/; v1 since 1.30.
"""

from collections.abc import Mapping
from typing import Any

from cronlift.policy.rule import Rule
from cronlift.policy.rules import RULES
from cronlift.policy.team import BASELINE, PRIVILEGED, RESTRICTED, TeamRules

TEAM_VARIABLES = ("home", "level", "images", "quota", "defaults", "mustRequest", "mustLimit")
"""What the chart fills in for each team, as literals; JSON is CEL."""

VARIABLES: Mapping[str, str] = {
    "pod": "object.spec.template.spec",
    "inits": "has(variables.pod.initContainers) ? variables.pod.initContainers : []",
    "containers": "variables.pod.containers + variables.inits",
    "together": (
        "variables.pod.containers + variables.inits.filter(c, has(c.restartPolicy) && c.restartPolicy == 'Always')"
    ),
    "first": "variables.inits.filter(c, !has(c.restartPolicy) || c.restartPolicy != 'Always')",
    "pods": (
        "double(!has(object.spec.parallelism) ? 1 : has(object.spec.completions) && "
        "object.spec.completions < object.spec.parallelism ? object.spec.completions : object.spec.parallelism)"
    ),
}
"""Name -> expression, each over those before it."""

_FOR_LEVELS = {
    PRIVILEGED: "",
    BASELINE: f"variables.level == '{PRIVILEGED}' || ",
    RESTRICTED: f"variables.level != '{RESTRICTED}' || ",
}


def team_variables(team: TeamRules) -> dict[str, Any]:
    """Return the literals of a team."""
    return {
        "home": team.namespace,
        "level": team.level,
        "images": list(team.images),
        "quota": dict(team.quota),
        "defaults": dict(team.defaults),
        "mustRequest": list(team.must_request),
        "mustLimit": list(team.must_limit),
    }


def expression(rule: Rule) -> str:
    """Return what is true for a Job that keeps the rule, or to whose team it does not apply."""
    return f"{_FOR_LEVELS[rule.level]}({rule.cel})" if _FOR_LEVELS[rule.level] else rule.cel


def message(rule: Rule) -> str:
    """Return what the API server says of a breach."""
    return f"{rule.what} {rule.cure} (cronlift: {rule.id})"


def validations() -> list[dict[str, str]]:
    """Return the policy's `validations`: every rule that has an expression."""
    return [{"expression": expression(each), "message": message(each)} for each in RULES if each.cel]
