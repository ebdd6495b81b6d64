"""Run the release's sweeper now, as its CronJob does every few minutes."""

import json
from typing import Any
from uuid import uuid4

from ci.errors import CiError
from ci.kubectl import get, kubectl
from ci.release import NAMESPACE
from tests.live.waiting import wait_for

CRON_JOB = "cronlift-sweep"
SWEEP_SECONDS = 120
IN_RELEASE = f"--namespace={NAMESPACE}"


def sweep() -> str:
    """Run it once, for Jobs of any age, and return what it printed.

    Raises:
        AssertionError: The release has no sweeper, or it failed.
    """
    cron_job = get("cronjob", CRON_JOB, IN_RELEASE)
    if cron_job is None:
        raise AssertionError(f"The release has no CronJob {CRON_JOB}, and Jobs are orphaned")
    name = f"{CRON_JOB}-e2e-{uuid4().hex[:6]}"
    kubectl("create", "--filename=-", stdin=json.dumps(_job(name, cron_job)))
    try:
        wait_for(lambda: _has_ended(name), f"end of the sweeper {name}", SWEEP_SECONDS)
        return kubectl("logs", f"job/{name}", IN_RELEASE)
    finally:
        kubectl("delete", "job", name, IN_RELEASE, "--wait=false")


def _job(name: str, cron_job: dict[str, Any]) -> dict[str, Any]:
    """Return the CronJob's Job, but with a least age of 0 minutes: a test does not wait for ten."""
    template = cron_job["spec"]["jobTemplate"]
    arguments = template["spec"]["template"]["spec"]["containers"][0]["args"]
    arguments[arguments.index("--min-age") + 1] = "0"
    labels = template["metadata"].get("labels", {})
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}


def _has_ended(name: str) -> bool:
    conditions = (get("job", name, IN_RELEASE) or {}).get("status", {}).get("conditions", [])
    ended = {each["type"] for each in conditions if each["status"] == "True"}
    if "Failed" in ended:
        try:
            words = kubectl("logs", f"job/{name}", IN_RELEASE, "--tail=5")
        except CiError as error:
            words = str(error)
        raise AssertionError(f"The sweeper {name} failed: {words}")
    return "Complete" in ended
