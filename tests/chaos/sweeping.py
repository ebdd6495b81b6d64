"""Run the release's sweeper now, which its CronJob runs each few minutes."""

import json
from uuid import uuid4

from ci.errors import CiError
from ci.kubectl import get, kubectl
from ci.release import NAMESPACE
from tests.live.waiting import wait_for

SWEEP_SECONDS = 120
CRON_JOB = "cronlift-sweeper"


def sweep() -> str:
    """Run it once and return what it printed.

    Raises:
        AssertionError: The release has no sweeper, or it failed.
    """
    if get("cronjob", CRON_JOB, f"--namespace={NAMESPACE}") is None:
        raise AssertionError(f"The release has no CronJob {CRON_JOB}, and Jobs are orphaned")
    name = f"{CRON_JOB}-e2e-{uuid4().hex[:6]}"
    kubectl("create", "job", name, f"--from=cronjob/{CRON_JOB}", f"--namespace={NAMESPACE}")
    try:
        wait_for(lambda: _ended(name), f"end of the sweeper {name}", SWEEP_SECONDS)
        return kubectl("logs", f"job/{name}", f"--namespace={NAMESPACE}")
    finally:
        kubectl("delete", "job", name, f"--namespace={NAMESPACE}", "--wait=false")


def _ended(name: str) -> bool:
    job = get("job", name, f"--namespace={NAMESPACE}")
    conditions = {each["type"]: each for each in job["status"].get("conditions", []) if each["status"] == "True"}
    if "Failed" in conditions:
        try:
            words = kubectl("logs", f"job/{name}", f"--namespace={NAMESPACE}", "--tail=5")
        except CiError as error:
            words = str(error)
        raise AssertionError(f"The sweeper failed: {json.dumps(conditions['Failed'])} {words}")
    return "Complete" in conditions
