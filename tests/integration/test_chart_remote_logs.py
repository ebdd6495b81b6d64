"""Task logs in a store that speaks S3, by what the chart gives the pods: written, read again, gone from the pod."""

import json
import os
import subprocess
import time

import pytest
import yaml

from ci.paths import ROOT
from ci.pins import pins
from tests.chart.rendering import TEAMS, render
from tests.integration.airflow_environments import installed
from tests.integration.own_postgres import can_connect, free_port

EXAMPLE = ROOT / "examples/chart/s3-compatible.yaml"
BUCKET = "cronlift"
WRITE_AND_READ = """
import json, sys
from pathlib import Path
from airflow.configuration import conf
from airflow.logging_config import get_remote_task_log
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
S3Hook(conf.get("logging", "remote_log_conn_id")).create_bucket(sys.argv[1])
store = get_remote_task_log()
name = "dag_id=demo__x/run_id=r/task_id=t/attempt=1.log"
file = Path(conf.get("logging", "base_log_folder"), name)
file.parent.mkdir(parents=True)
file.write_text("a line of the job\\n")
store.upload(file, None)
places, lines = store.read(name, None)
print(json.dumps({"store": type(store).__name__, "lines": lines, "places": places, "is_left": file.exists()}))
"""


@pytest.fixture(scope="module")
def programs():
    """Return the programs of an Airflow with the provider that S3 needs, and of a server that speaks S3."""
    version = pins()["AIRFLOW_VERSION"]
    provider = ("apache-airflow-providers-standard", "apache-airflow-providers-amazon", "moto[server]")
    return installed(f"airflow-{version}-amazon", f"apache-airflow-core=={version}", *provider)


@pytest.fixture
def store(programs, tmp_path):
    """Run the server; return its URL."""
    port = free_port()
    with (tmp_path / "store.log").open("w") as log:
        server = subprocess.Popen(
            [programs / "moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while not can_connect(port):
            assert time.monotonic() < deadline, (tmp_path / "store.log").read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.timeout(300)
def test_the_log_of_a_task_goes_to_the_store_and_comes_back(programs, store, tmp_path):
    wanted = render(TEAMS, EXAMPLE).environment("scheduler")
    given = {
        name: entry["value"]
        for name, entry in wanted.items()
        if name.startswith("AIRFLOW__LOGGING__REMOTE") or name == "AIRFLOW__LOGGING__DELETE_LOCAL_LOGS"
    }
    secret = yaml.safe_load(EXAMPLE.read_text())["logs"]["remote"]["existingSecret"]
    assert wanted["AIRFLOW_CONN_LOGS"]["valueFrom"]["secretKeyRef"] == {"name": secret, "key": "connection"}
    # As the example says that the Secret holds it.
    connection = {"conn_type": "aws", "login": "ACCESS-KEY", "password": "SECRET-KEY", "extra": {"endpoint_url": store}}
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW__", "AWS_"))},
        **given,
        "AIRFLOW_CONN_LOGS": json.dumps(connection),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "logs"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "NO_PROXY": "*",
    }
    words = [programs / "python", "-c", WRITE_AND_READ, BUCKET]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["store"] == "S3RemoteLogIO"
    assert found["lines"] == ["a line of the job\n"]
    assert "s3://cronlift/logs/dag_id=demo__x/run_id=r/task_id=t/attempt=1.log" in json.dumps(found["places"])
    assert not found["is_left"]
