"""What the pull request's check refuses, the API server refuses too: each rule's bad Job, sent as a team's launcher.

A team that names its images and has a quota is made by the chart, beside the platform's own; nothing is created in it.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from ci.kubectl import kubectl
from ci.paths import KUBECONFIG
from cronlift.policy.example import TEAM, bad_job, good_job
from cronlift.policy.rule import Rule
from cronlift.policy.rules import RULES, breaches
from cronlift.policy.team import TeamRules
from tests.chart.rendering import render
from tests.live.scratch_dag import NAMESPACE as DEMO_NAMESPACE
from tests.live.scratch_dag import ScratchDag, job_manifest
from tests.live.undo import Undoing, kubectl_words
from tests.live.waiting import wait_for

NAME = "e2e-policy"
RULED = TeamRules(NAME, images=TEAM.images, quota=TEAM.quota)
DEMO = TeamRules(DEMO_NAMESPACE)
OF_CLUSTER = ("validatingadmissionpolicy", "validatingadmissionpolicybinding")
ACTIVE_SECONDS = 30.0
"""A new policy holds a moment after it is there: the API server reads policies by a watch."""

BY_THE_SERVER_ITSELF = {"namespace": "does not match the namespace"}
IN_CEL = [rule for rule in RULES if rule.cel]


def launcher(namespace: str) -> client.BatchV1Api:
    """Return a client that acts as a team's launcher, as the triggerer does."""
    api = config.new_client_from_config(str(KUBECONFIG))
    api.set_default_header("Impersonate-User", f"system:serviceaccount:{namespace}:cronlift-launcher")
    return client.BatchV1Api(api)


def answer(api: client.BatchV1Api, namespace: str, job: dict[str, Any]) -> str:
    """Return why the API server refuses a Job, empty when it would create it."""
    try:
        api.create_namespaced_job(namespace, job, dry_run="All")
    except ApiException as error:
        return str(error.body)
    return ""


def of_team(job: dict[str, Any], team: TeamRules) -> dict[str, Any]:
    """Return a Job as the operator would send it for this team; a namespace that is nobody's stays."""
    metadata = job["metadata"]
    pod = job["spec"]["template"]["spec"]
    pod["restartPolicy"] = "Never"
    for security in (each["securityContext"] for each in pod["containers"]):
        if security.get("privileged"):  # the API server knows the two for a contradiction, and says so first
            del security["allowPrivilegeEscalation"]
    namespace = team.namespace if metadata["namespace"] == TEAM.namespace else metadata["namespace"]
    return {**job, "metadata": {**metadata, "namespace": namespace}}


@pytest.fixture(scope="module")
def ruled(kube_config: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[client.BatchV1Api]:
    """Make a team by the chart's own templates, and give its launcher."""
    entry = {"namespace": NAME, "path": "dags/x", "owners": ["@x"], "images": [*TEAM.images], "quota": dict(TEAM.quota)}
    values = tmp_path_factory.mktemp("policy") / "values.yaml"
    values.write_text(yaml.safe_dump({"teams": {NAME: entry}}))
    objects = [each for each in render(values) if each["metadata"].get("labels", {}).get("cronlift.dev/team") == NAME]
    away = [kubectl_words("delete", kind, f"--selector=cronlift.dev/team={NAME}") for kind in OF_CLUSTER]
    away.append(kubectl_words("delete", "namespace", NAME, "--ignore-not-found", "--wait=false"))
    with Undoing(*away):
        kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(objects))
        api = launcher(NAME)
        bad = of_team(bad_job(IN_CEL[-1]), RULED)
        wait_for(lambda: "(cronlift: " in answer(api, NAME, bad), "policy of the new team", ACTIVE_SECONDS)
        yield api


def test_a_good_job_is_taken(ruled: client.BatchV1Api) -> None:
    assert answer(ruled, NAME, of_team(good_job(), RULED)) == ""


@pytest.mark.parametrize("rule", IN_CEL, ids=lambda rule: rule.id)
def test_a_bad_job_is_refused_here_and_there_by_the_same_rule(ruled: client.BatchV1Api, rule: Rule) -> None:
    job = of_team(bad_job(rule), RULED)
    assert rule.id in {found.id for found, _, _ in breaches(job, RULED)}
    words = answer(ruled, NAME, job)
    assert BY_THE_SERVER_ITSELF.get(rule.id, f"(cronlift: {rule.id})") in words


@pytest.mark.parametrize("rule", IN_CEL, ids=lambda rule: rule.id)
def test_the_platforms_own_team_is_held_to_the_rules_that_apply_to_it(kube_config: str, rule: Rule) -> None:
    api, job = launcher(DEMO_NAMESPACE), of_team(bad_job(rule), DEMO)
    refused = {found.id for found, _, _ in breaches(job, DEMO)}
    words = answer(api, DEMO_NAMESPACE, job)
    assert bool(words) == bool(refused), words
    if rule.id in refused:
        assert BY_THE_SERVER_ITSELF.get(rule.id, f"(cronlift: {rule.id})") in words


def test_the_launcher_is_told_apart_from_people_by_nothing(ruled: client.BatchV1Api) -> None:
    people = client.BatchV1Api(config.new_client_from_config(str(KUBECONFIG)))
    job = of_team(bad_job(next(rule for rule in RULES if rule.id == "host-path")), RULED)
    assert "(cronlift: host-path)" in answer(people, NAME, job)


def test_airflow_refuses_to_import_what_the_api_server_would_refuse(scratch_dag: ScratchDag) -> None:
    manifest = job_manifest("echo never").replace("capabilities: {drop: [ALL]}", "capabilities: {drop: [NET_RAW]}")
    scratch_dag.write(manifest)
    error = scratch_dag.wait_import_error()
    assert f"jobs/{scratch_dag.stem}.yaml:" in error
    assert "does not drop all capabilities. Add securityContext: {capabilities: {drop: [ALL]}}" in error
    assert "[policy/drop-capabilities]" in error
