"""CEL as the API server evaluates it, with the functions of Kubernetes that the policy uses."""

from collections.abc import Mapping
from typing import Any

import cel

from cronlift.job.quantity import parse_quantity
from cronlift.policy.admission import VARIABLES, expression, team_variables
from cronlift.policy.rule import Rule
from cronlift.policy.team import TeamRules

# Source: https://kubernetes.io/docs/reference/using-api/cel/
FUNCTIONS = {
    "quantity": lambda text: float(parse_quantity(str(text))),
    "asApproximateFloat": lambda quantity: quantity,
    "sum": lambda numbers: float(sum(numbers)),
}


class Admission:
    """The policy of one team, for one Job.

    Args:
        job: As the API server gets it.
        team: The team.
    """

    def __init__(self, job: Mapping[str, Any], team: TeamRules) -> None:
        self._context = cel.Context()
        for name, function in FUNCTIONS.items():
            self._context.add_function(name, function)
        self._context.add_variable("object", job)
        variables = team_variables(team)
        self._context.add_variable("variables", variables)
        for name, text in VARIABLES.items():
            variables[name] = cel.evaluate(text, self._context)
            self._context.add_variable("variables", variables)

    def keeps(self, rule: Rule) -> bool:
        """Tell whether the API server lets the Job pass."""
        kept = cel.evaluate(expression(rule), self._context)
        assert isinstance(kept, bool)
        return kept
