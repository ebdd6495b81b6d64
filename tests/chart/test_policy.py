"""The rules of cronlift.policy in the chart: for Airflow in CRONLIFT_TEAMS, and for the API server."""

import json
from typing import Any

import pytest

from ci.admission_policy import FILE, text
from cronlift.policy.admission import VARIABLES, team_variables, validations
from cronlift.policy.example import TEAM, bad_job, good_job
from cronlift.policy.rules import RULES, breaches
from cronlift.policy.team import TeamRules, read_team
from tests.chart.rendering import CASES, TWO_TEAMS, Rendered, every_values, render, template
from tests.chart.test_scripts import load
from tests.unit.policy.cel_engine import Admission

DEMO = "teams.demo"
SETS = {
    "nothing": (),
    "images": (f"{DEMO}.images={{registry.example/demo/,localhost:5000/report}}", "jobImages.legacy=old/legacy:1",
               "images.airflow.repository=registry.example/airflow"),
    "quota": (f"{DEMO}.quota.cpu=4", f"{DEMO}.quota.limits\\.memory=8Gi", f"{DEMO}.quota.count/jobs\\.batch=10"),
    "defaults": (f"{DEMO}.containerDefaults.requests.memory=64Mi", f"{DEMO}.containerDefaults.limits.cpu=1",
                 f"{DEMO}.containerDefaults.requests.cpu=0", f"{DEMO}.containerDefaults.limits.ephemeral-storage=1Gi"),
    "limit of memory": (f"{DEMO}.containerDefaults.limits.memory=64Mi",),
    "level": (f"{DEMO}.podSecurity=baseline",),
}  # fmt: skip


def rules_for_airflow(rendered: Rendered) -> dict[str, TeamRules]:
    teams = json.loads(rendered.environment("dag-processor")["CRONLIFT_TEAMS"]["value"])
    return {name: read_team({**entry["rules"], "namespace": entry["namespace"]}) for name, entry in teams.items()}


def literals(policy: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a policy that are a team's, which are JSON."""
    known = {each["name"]: each["expression"] for each in policy["spec"]["variables"]}
    return {name: json.loads(text) for name, text in known.items() if name not in VARIABLES}


def test_the_file_of_the_rules_is_up_to_date() -> None:
    assert FILE.read_text() == text(), "run: python -m ci.admission_policy"


@pytest.mark.parametrize("sets", SETS.values(), ids=SETS.keys())
def test_airflow_and_the_api_server_hold_a_team_to_the_same(sets: tuple[str, ...]) -> None:
    rendered = render(TWO_TEAMS, sets=sets)
    for team, rules in rules_for_airflow(rendered).items():
        policy = rendered.one("ValidatingAdmissionPolicy", f"cronlift-cronlift-{team}")
        assert literals(policy) == team_variables(rules)
        assert policy["spec"]["validations"] == validations()
        assert policy["spec"]["variables"][-len(VARIABLES) :] == [
            {"name": name, "expression": expression} for name, expression in VARIABLES.items()
        ]


def test_a_team_that_names_its_images_may_use_those_of_the_deployment() -> None:
    assert rules_for_airflow(render(TWO_TEAMS, sets=SETS["images"]))["demo"].images == (
        *("registry.example/demo/", "localhost:5000/report", "old/legacy", "registry.example/airflow"),
    )


@every_values
def test_each_team_has_a_policy_that_binds_its_namespace_alone(values: tuple[Any, ...]) -> None:
    rendered = render(*values)
    teams = json.loads(rendered.environment("dag-processor")["CRONLIFT_TEAMS"]["value"])
    bindings = rendered.of("ValidatingAdmissionPolicyBinding")
    assert {each["spec"]["policyName"]: each["spec"]["matchResources"] for each in bindings} == {
        f"cronlift-cronlift-{team}": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": entry["namespace"]}}
        }
        for team, entry in teams.items()
    }
    assert {each["metadata"]["name"] for each in rendered.of("ValidatingAdmissionPolicy")} == {
        each["spec"]["policyName"] for each in bindings
    }


def test_without_the_policy_neither_airflow_nor_the_api_server_holds_to_it() -> None:
    rendered = render(TWO_TEAMS, sets=("policy.enabled=false",))
    assert [each for each in rendered if "Admission" in each["kind"]] == []
    teams = json.loads(rendered.environment("triggerer")["CRONLIFT_TEAMS"]["value"])
    assert [name for name, entry in teams.items() if "rules" in entry] == []


@pytest.mark.parametrize(("version", "there"), [("1.29.9", False), ("1.30.0", True), ("1.34.4-eks-1", True)])
def test_a_kubernetes_without_the_api_gets_no_policy(version: str, there: bool) -> None:
    answer = template(*CASES["two-teams"], more=(f"--kube-version={version}",))
    assert answer.returncode == 0, answer.stderr
    assert ("kind: ValidatingAdmissionPolicy\n" in answer.stdout) is there


def test_the_canary_keeps_every_rule() -> None:
    job = load("canary").job("canary", "registry.example/airflow:3")
    job["metadata"]["namespace"] = TEAM.namespace
    assert list(breaches(job, TEAM)) == []
    policy = Admission(job, TEAM)
    assert [rule.id for rule in RULES if rule.cel and not policy.keeps(rule)] == []


def test_the_examples_of_the_docs_are_judged_as_they_say() -> None:
    assert list(breaches(good_job(), TEAM)) == []
    assert [rule.id for rule in RULES if not list(breaches(bad_job(rule), TEAM))] == []
