"""Faults of a team's namespace: what Jobs or the operator need there is missing for a while, then it is there."""

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ci.cluster import choose
from ci.cluster.embedded.layout import CONTAINERD_SOCKET
from ci.kubectl import get, kubectl
from ci.paths import ROOT
from ci.process import run
from ci.release import NAMESPACE as RELEASE_NAMESPACE
from tests.chaos.ground import Ground
from tests.chaos.judging import Expected
from tests.live.killing import kill_component, wait_back
from tests.live.scratch_dag import NAMESPACE
from tests.live.undo import Undoing, kubectl_words

NAME = "e2e-chaos"
MISSING_IMAGE = f"localhost/cronlift/{NAME}:missing"
MISSING_SECONDS = 20
WORDS_SECONDS = 90
BACK_SECONDS = 120
ROOM = 5
"""How many of the Jobs, or Pods, a quota lets through."""

IN_TEAM = f"--namespace={NAMESPACE}"
UNCHANGED: Mapping[str, Expected] = {}


def exceed_pod_quota(ground: Ground) -> Mapping[str, Expected]:
    """Start under a quota with room for a few Pods, and lift it later."""
    words = "exceeded quota"
    with quota(pods=ROOM):
        ground.start()
        ground.wait_words(words, ground.task_ids, len(ground.task_ids) - ROOM, WORDS_SECONDS)
        time.sleep(MISSING_SECONDS)
    return UNCHANGED


def exceed_job_quota(ground: Ground) -> Mapping[str, Expected]:
    """Start under a quota with room for a few Jobs, so that the API server refuses the others, and lift it later."""
    present = len((get("jobs", IN_TEAM) or {"items": []})["items"])
    with quota(**{"count/jobs.batch": present + ROOM}):
        ground.start()
        time.sleep(2 * MISSING_SECONDS)
    return UNCHANGED


def lack_service_account(ground: Ground) -> Mapping[str, Expected]:
    """Start Jobs whose ServiceAccount does not exist, and create it later."""
    words = f'serviceaccount "{NAME}" not found'
    with Undoing(kubectl_words("delete", "serviceaccount", NAME, IN_TEAM, "--ignore-not-found")):
        ground.start()
        ground.wait_words(words, ground.task_ids, len(ground.task_ids), WORDS_SECONDS)
        time.sleep(MISSING_SECONDS)
        kubectl("create", "serviceaccount", NAME, IN_TEAM)
        ground.wait_end()
    return also_saying(ground, words)


def lack_image(ground: Ground) -> Mapping[str, Expected]:
    """Start Jobs whose image no registry has, and put it into the node later."""
    words = "cannot be pulled"
    with Undoing([*ctr(), "images", "rm", MISSING_IMAGE]):
        ground.start()
        ground.wait_words(words, ground.task_ids, len(ground.task_ids), WORDS_SECONDS)
        time.sleep(MISSING_SECONDS)
        run(*ctr(), "images", "tag", legacy_image(), MISSING_IMAGE)
        ground.wait_end()
    return also_saying(ground, words)


def withdraw_rights(ground: Ground) -> Mapping[str, Expected]:
    """Withdraw the launcher's rights while all Jobs run, and give them back."""
    ground.start_and_wait_running()
    with no_rights():
        time.sleep(MISSING_SECONDS)
    return UNCHANGED


def withdraw_rights_before_start(ground: Ground) -> Mapping[str, Expected]:
    """Start while the launcher has no rights, and give them back."""
    with no_rights():
        ground.start()
        time.sleep(MISSING_SECONDS)
    return UNCHANGED


def withdraw_rights_and_kill_triggerer(ground: Ground) -> Mapping[str, Expected]:
    """Withdraw the launcher's rights and kill the triggerer, so that the next one finds itself without rights."""
    ground.start_and_wait_running()
    with no_rights():
        wait_back(kill_component("triggerer"), BACK_SECONDS)
        time.sleep(3 * MISSING_SECONDS)
    return UNCHANGED


def also_saying(ground: Ground, words: str) -> dict[str, Expected]:
    """Return the plan of a run whose every log must say something besides."""
    return {each: replace(plan, words=(*plan.words, words)) for each, plan in ground.plan().items()}


@contextmanager
def quota(**hard: int) -> Iterator[None]:
    """Give the team another ResourceQuota while the block lasts."""
    content = {
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"hard": {key: str(value) for key, value in hard.items()}},
    }  # fmt: skip
    with Undoing(kubectl_words("delete", "resourcequota", NAME, IN_TEAM, "--ignore-not-found")):
        kubectl("create", "--filename=-", stdin=json.dumps(content))
        yield


@contextmanager
def no_rights() -> Iterator[None]:
    """Take the launcher's RoleBinding away while the block lasts."""
    name = ("rolebinding", "cronlift-launcher", IN_TEAM)
    file = ROOT / "build" / "rolebinding.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(_without_server_fields(get(*name))))
    create = shlex.join(map(str, kubectl_words("create", f"--filename={file}")))
    is_there = shlex.join(map(str, kubectl_words("get", *name)))
    with Undoing(["sh", "-c", f"{is_there} || {create}"]):
        kubectl("delete", *name)
        yield


def legacy_image() -> str:
    """Return the reference of the image that Jobs know as `images.legacy`."""
    listed = get("configmap", "cronlift-job-images", f"--namespace={RELEASE_NAMESPACE}")
    return str(json.loads(listed["data"]["images.json"])["legacy"])


def ctr() -> list[str | Path]:
    """Return containerd's own client on the node, in the kubelet's namespace."""
    if choose().name == "kind":
        return ["docker", "exec", str(get("nodes")["items"][0]["metadata"]["name"]), "ctr", "--namespace=k8s.io"]
    return ["ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io"]


def _without_server_fields(item: dict[str, Any]) -> dict[str, Any]:
    kept = ("name", "namespace", "labels", "annotations")
    metadata = {key: item["metadata"][key] for key in kept if key in item["metadata"]}
    return {key: value for key, value in item.items() if key != "status"} | {"metadata": metadata}
