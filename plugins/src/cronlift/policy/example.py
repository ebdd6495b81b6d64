"""A Job that keeps every rule, and for each rule one that breaks it: for the docs and the tests."""

import copy
from typing import Any

import yaml

from cronlift.policy.rule import Rule
from cronlift.policy.team import TeamRules

TEAM = TeamRules(
    namespace="team-billing",
    images=("registry.example/",),
    quota={"requests.cpu": "16", "requests.memory": "64Gi"},
)

GOOD_TEXT = """\
apiVersion: batch/v1
kind: Job
spec:
  template:
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: report
          image: registry.example/report:1.4.2
          args: [--date, "{{ ds }}"]
          resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 128Mi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


def good_job() -> dict[str, Any]:
    """Return a Job that keeps every rule, in the team's namespace."""
    job: dict[str, Any] = yaml.safe_load(GOOD_TEXT)
    return {**job, "metadata": {"name": "report", "namespace": TEAM.namespace}}


def bad_job(rule: Rule) -> dict[str, Any]:
    """Return the good Job with what a rule forbids laid over it."""
    change = yaml.safe_load(rule.bad)
    if "metadata" not in change:
        change = {"spec": {"template": {"spec": change}}}
    changed: dict[str, Any] = laid_over(good_job(), change)
    return changed


def laid_over(value: Any, change: Any) -> Any:
    """Return a value with a change laid over it: mappings key by key, lists of mappings item by item, null removes."""
    if isinstance(value, dict) and isinstance(change, dict):
        merged = {key: laid_over(value.get(key), each) for key, each in change.items()}
        return {key: each for key, each in {**copy.deepcopy(value), **merged}.items() if each is not None}
    if isinstance(value, list) and isinstance(change, list) and all(isinstance(each, dict) for each in change):
        longest = max(len(value), len(change))
        return [laid_over(*(each[n] if n < len(each) else {} for each in (value, change))) for n in range(longest)]
    return copy.deepcopy(change)
