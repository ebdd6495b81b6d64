"""Where Airflow's API server answers when `[api] base_url` has a path: the chart's probes and calls must go there."""

import json
import os
import subprocess
import sys

import pytest

from tests.chart.rendering import CLOUD, TWO_TEAMS, render

ASK = """
import json, sys
from starlette.testclient import TestClient
from airflow.api_fastapi.app import create_app
with TestClient(create_app(apps="all"), base_url="http://api") as client:
    print(json.dumps([client.get(path).status_code for path in sys.argv[1:]]), file=sys.stderr)
"""


@pytest.mark.timeout(180)
def test_the_probe_the_execution_api_and_helm_test_are_answered_below_the_path_and_not_without_it(tmp_path):
    rendered = render(TWO_TEAMS, CLOUD)
    [container] = rendered.pod("api-server")["containers"]
    probe = container["livenessProbe"]["httpGet"]["path"]
    calls = rendered.environment("scheduler")["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]["value"]
    health = rendered.one("Pod", "cronlift-test-api-health")["spec"]["containers"][0]["command"][-1]
    paths = [url.partition(":8080")[2] for url in (f"{calls}health", f"{health}/api/v2/monitor/health")]
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__API__BASE_URL": rendered.environment("api-server")["AIRFLOW__API__BASE_URL"]["value"],
        "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test-and-long-enough",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
    }
    words = [sys.executable, "-c", ASK, probe, *paths, probe.removeprefix("/etl")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr.strip().splitlines()[-1]) == [200, 200, 200, 404]
