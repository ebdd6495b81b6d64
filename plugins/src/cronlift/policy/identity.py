"""Whose the Job is: its namespace and its account."""

from cronlift.job.naming import LAUNCHER_ACCOUNT
from cronlift.policy.pods import POD, PodView, at, is_open
from cronlift.policy.rule import Breaches, Rule
from cronlift.policy.team import PRIVILEGED, TeamRules

_ACCOUNT_KEYS = ("serviceAccountName", "serviceAccount")


def _namespace(pod: PodView, team: TeamRules) -> Breaches:
    wanted = at(pod.job, "metadata").get("namespace")
    if wanted is not None and wanted != team.namespace and not is_open(wanted):
        yield ("metadata", "namespace"), f"namespace {wanted!r} is not the team's, which is {team.namespace!r}"


def _account(pod: PodView, team: TeamRules) -> Breaches:
    for key in _ACCOUNT_KEYS:
        if pod.spec.get(key) == LAUNCHER_ACCOUNT:
            yield (*POD, key), f"{key} is {LAUNCHER_ACCOUNT!r}, as which Airflow itself acts"


RULES = (
    Rule(
        id="namespace",
        what="A Job runs in its team's namespace.",
        cure="Leave the line out: the team's namespace is the default and the only one allowed.",
        breaches=_namespace,
        cel="object.metadata.namespace == variables.home",
        level=PRIVILEGED,
        bad="metadata: {namespace: team-other}",
    ),
    Rule(
        id="account",
        what="A Job does not run as the account by which Airflow creates Jobs.",
        cure="Leave the line out, or name an account of the Job's own.",
        breaches=_account,
        cel=" && ".join(
            f"!(has(variables.pod.{key}) && variables.pod.{key} == '{LAUNCHER_ACCOUNT}')" for key in _ACCOUNT_KEYS
        ),
        level=PRIVILEGED,
        bad=f"serviceAccountName: {LAUNCHER_ACCOUNT}",
    ),
)
