"""Secrets that a manifest says in clear. A manifest travels with its DAG, readable by everybody who may see the DAG."""

import re

from cronlift.job.guess import is_guessed
from cronlift.policy.pods import PodView, items
from cronlift.policy.rule import Breaches, Rule
from cronlift.policy.team import PRIVILEGED, TeamRules

ENDINGS = r"(?:PASSWORD|PASSWD|PWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)"
"""How names of secrets end, in any case."""
NO_SECRETS = frozenset(("PWD", "OLDPWD"))
"""The shell's folders."""
_NAME = re.compile(rf"(?:^|_|PG|MYSQL){ENDINGS}$", re.I)
_LOGIN = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@{<]+:[^\s/:@{<$]+@", re.I)
"""An URL with a password; one that the shell or Jinja fills in begins with $ or {."""


def _clear_text(pod: PodView, team: TeamRules) -> Breaches:
    for path, container in pod.containers():
        for index, variable in items(container, "env"):
            name, value = str(variable.get("name")), variable.get("value")
            if not isinstance(value, str) or not value or is_guessed(value) or value.startswith("$("):
                continue
            if _NAME.search(name) and name not in NO_SECRETS:
                yield (*path, "env", index, "value"), f"environment variable {name} holds a secret in clear"
            elif _LOGIN.search(value):
                yield (*path, "env", index, "value"), f"environment variable {name} holds an URL with its password"


RULES = (
    Rule(
        id="clear-text",
        what="No secret stands in a manifest.",
        cure="Take it from a Secret by secretKeyRef, or from {{ conn.team__db.password }}, and change it: git "
        "remembers it.",
        breaches=_clear_text,
        cel="",  # the API server sees values that are filled in, and cannot tell them from those that were written
        level=PRIVILEGED,
        bad="containers: [{env: [{name: DB_PASSWORD, value: swordfish}]}]",
    ),
)
