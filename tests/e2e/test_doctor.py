"""`cronlift doctor` with the triggerer's own rights, and what it prints applied by hand."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from ci.kubectl import kubectl
from ci.release import NAMESPACE as RELEASE_NAMESPACE
from cronlift.cluster import rights
from tests.live.in_triggerer import cronlift, cronlift_json
from tests.live.scratch_dag import NAMESPACE

TRIGGERER = f"system:serviceaccount:{RELEASE_NAMESPACE}:cronlift-triggerer"


@pytest.fixture
def copy(kube_config: str) -> Iterator[str]:
    """Return a namespace with a team's accounts, whose launcher lacks a verb that Jobs need."""
    namespace = f"e2e-doctor-{uuid4().hex[:6]}"
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
        for name in (rights.LAUNCHER, rights.JOB_ACCOUNT)
    ]
    role, binding = rights.launcher_role(namespace, companions=False)
    role["rules"][0]["verbs"].remove("patch")
    kubectl("create", "namespace", namespace)
    apply([*accounts, role, binding, *rights.impersonator_role(namespace, TRIGGERER)])
    yield namespace
    kubectl("delete", "namespace", namespace, "--wait=false")


def apply(objects: list[dict[str, Any]]) -> None:
    kubectl("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def test_the_platform_is_well(kube_config: str) -> None:
    code, output = cronlift("doctor")
    assert code == 0, output
    assert "✓ the launcher may create, get, list, watch, patch, delete jobs.batch" in output
    assert f"✓ the launcher has no rights in {RELEASE_NAMESPACE}" in output


def test_a_missing_verb_is_named_and_what_the_doctor_prints_puts_it_right(copy: str) -> None:
    teams = json.dumps({"demo": {"namespace": NAMESPACE}, "copy": {"namespace": copy}})
    words = ("doctor", "--namespace", copy)
    code, report = cronlift_json(*words, CRONLIFT_TEAMS=teams)
    bad = [finding["what"] for finding in report["findings"] if finding["mark"] == "bad"]
    assert (code, bad) == (1, ["the launcher may not patch jobs.batch"])
    apply(report["apply"])
    code, report = cronlift_json(*words, CRONLIFT_TEAMS=teams)
    assert (code, report["healthy"]) == (0, True), report


def test_a_launcher_that_the_triggerer_may_not_become_is_told_with_the_role_for_that(kube_config: str) -> None:
    code, report = cronlift_json("doctor", "--namespace", "default", CRONLIFT_TEAMS='{"x": {"namespace": "default"}}')
    [bad] = [finding["what"] for finding in report["findings"] if finding["mark"] == "bad"]
    assert code == 1
    assert bad == f"{TRIGGERER} may not act as the launcher system:serviceaccount:default:cronlift-launcher"
    assert [thing["kind"] for thing in report["apply"]] == ["Role", "RoleBinding"]
