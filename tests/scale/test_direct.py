"""5,000 Jobs at once by driving triggers and watch directly: no Airflow, logs off, fake Pods."""

import os
from typing import Any

import pytest

from tests.scale.direct import triggers
from tests.scale.progress import shown

LONG = bool(os.environ.get("LONG"))
STEPS = (1, 500, 2000, 5000) if LONG else (1, 300)
STAND_SECONDS = 60 if LONG else 5
OVER_SECONDS = 120 if LONG else 5
PER_SECOND = 100
MOST_MIB = 0.3
MOST_DETECTION_SECONDS = 5
MOST_REQUESTS_PER_MINUTE = 10


@pytest.mark.timeout(900)
def test_thousands_of_jobs_by_driving_triggers_and_watch_directly(
    kube_config: str, figures: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with shown("Thousands of Jobs, directly", capsys) as say, triggers(STEPS[-1], say) as (nodes, driven):
        steps = []
        for number in STEPS:
            grown = driven.ask(do="grow", to=number, per_second=PER_SECOND)
            say(f"{number} Jobs run")
            steps.append({**grown, **driven.ask(do="stand", seconds=STAND_SECONDS)})
        nodes.end_pods(OVER_SECONDS)
        ended = driven.ask(do="finish")
    first, last = steps[0], steps[-1]
    mib = round((last["rss_mib"] - first["rss_mib"]) / (last["running"] - first["running"]), 4)
    figures["direct"] = {"steps": steps, "mib_per_task": mib, "over_seconds": OVER_SECONDS, **ended}
    assert ended["outcomes"] == {"TaskSuccessEvent": STEPS[-1]}
    assert ended["requests"]["create jobs"] == STEPS[-1]
    if LONG:  # the short form has too little of all this to judge by
        assert mib <= MOST_MIB
        assert ended["detection_seconds"]["p99"] <= MOST_DETECTION_SECONDS
        assert [step["requests_per_minute"] <= MOST_REQUESTS_PER_MINUTE for step in steps] == [True] * len(steps), steps
