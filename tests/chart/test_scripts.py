"""The chart's small programs, each against the real thing it talks to or reads."""

import base64
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.chart.rendering import CHART


def load(name):
    """Import a script of charts/cronlift/files."""
    spec = importlib.util.spec_from_file_location(name, CHART / f"files/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


wait_for_database = load("wait_for_database")
heartbeat_age = load("heartbeat_age")
bootstrap_secret = load("bootstrap_secret")
check_health = load("check_health")


def test_head_of_the_migrations_is_the_one_that_airflow_names():
    from airflow.utils.db import _REVISION_HEADS_MAP

    known, heads = wait_for_database.image_revisions()
    assert heads == {list(_REVISION_HEADS_MAP.values())[-1]}
    assert set(_REVISION_HEADS_MAP.values()) <= known


@pytest.mark.parametrize(
    ("texts", "heads"),
    [
        (['revision = "b"\ndown_revision = "a"', "revision = 'a'\ndown_revision = None"], {"b"}),
        (['revision: str = "b"\ndown_revision: str | None = "a"', 'revision = "a"\ndown_revision = None'], {"b"}),
        (['revision = "b"\ndown_revision = "a"', 'revision = "c"\ndown_revision = "a"'], {"b", "c"}),
        (["# an empty __init__.py"], set()),
    ],
    ids=["plain", "annotated", "two-heads", "none"],
)
def test_heads_are_those_that_nobody_follows(texts, heads):
    assert wait_for_database.revisions(texts)[1] == heads


@pytest.mark.parametrize(
    ("age", "fault"),
    [
        (5.0, None),
        (90.0, None),
        (91.0, "last heartbeat of TriggererJob was 91 s ago, more than 90 s"),
        (None, "no running TriggererJob of this pod in the database yet"),
    ],
)
def test_a_pod_is_judged_by_the_age_of_its_heartbeat(age, fault):
    assert heartbeat_age.verdict("TriggererJob", age, 90) == fault


def test_probe_passes_while_the_database_does_not_answer():
    answer = subprocess.run(
        [sys.executable, CHART / "files/heartbeat_age.py", "TriggererJob", "90"],
        env={**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://a:b@127.0.0.1:1/x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0
    assert "the database does not answer" in answer.stdout


def test_waiting_ends_with_words_when_the_time_is_over():
    answer = subprocess.run(
        [sys.executable, CHART / "files/wait_for_database.py", "--timeout=0.1"],
        env={**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://a:b@127.0.0.1:1/x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "Connection refused" in answer.stderr


@pytest.mark.parametrize("script", ["wait_for_database", "heartbeat_age", "bootstrap_secret", "write_passwords"])
def test_no_script_imports_airflow(script):
    path = str(CHART / f"files/{script}.py")
    code = f"import sys, runpy; runpy.run_path({path!r}, run_name='x'); print('airflow' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_fernet_key_is_one_that_airflow_takes():
    from cryptography.fernet import Fernet

    Fernet(bootstrap_secret.fernet_key())


def test_generated_passwords_need_no_escaping_in_a_url():
    from urllib.parse import quote

    for _ in range(100):
        value = bootstrap_secret.token()
        assert quote(value, safe="") == value


def test_only_missing_keys_get_a_value():
    data = {key: "a2VlcA==" for key in bootstrap_secret.KEYS} | {"jwt-secret": ""}
    del data["fernet-key"]
    assert set(bootstrap_secret.missing_values(data)) == {"fernet-key", "jwt-secret"}


class SecretStore(ThreadingHTTPServer):
    """The part of the Kubernetes API that bootstrap talks to, with its optimistic lock."""

    def __init__(self) -> None:
        self.secret: dict = {"metadata": {"resourceVersion": "1"}}
        self.writes = 0
        self.before_write = lambda: None
        super().__init__(("127.0.0.1", 0), SecretHandler)


class SecretHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(200)

    def do_PATCH(self) -> None:
        patch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.before_write()
        if patch["metadata"]["resourceVersion"] != self.server.secret["metadata"]["resourceVersion"]:
            return self._answer(409)
        self.server.writes += 1
        self.server.secret.setdefault("data", {}).update(patch["data"])
        return self._answer(200)

    def _answer(self, code: int) -> None:
        body = json.dumps(self.server.secret).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def store(tmp_path, monkeypatch) -> Iterator[SecretStore]:
    (tmp_path / "token").write_text("token")
    (tmp_path / "ca.crt").write_text("")
    monkeypatch.setattr(bootstrap_secret, "ACCOUNT", str(tmp_path))
    monkeypatch.setattr(bootstrap_secret.ssl, "create_default_context", lambda cafile: None)
    with SecretStore() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_empty_secret_is_filled_once_and_then_left_alone(store):
    url = f"http://127.0.0.1:{store.server_port}/secret"
    assert bootstrap_secret.fill(url) == sorted(bootstrap_secret.KEYS)
    first = dict(store.secret["data"])
    assert bootstrap_secret.fill(url) == []
    assert store.secret["data"] == first
    assert store.writes == 1


def test_a_key_that_another_writer_adds_meanwhile_is_not_replaced(store):
    def other_writer():
        store.secret = {"metadata": {"resourceVersion": "2"}, "data": {"fernet-key": "b3RoZXI="}}

    store.before_write = other_writer
    url = f"http://127.0.0.1:{store.server_port}/secret"
    with pytest.raises(OSError, match="409"):
        bootstrap_secret.fill(url)
    store.before_write = lambda: None
    bootstrap_secret.fill(url)
    assert store.secret["data"]["fernet-key"] == "b3RoZXI="


def test_login_file_is_one_that_airflows_manager_reads(tmp_path):
    (tmp_path / "password").write_text('with "quotes" and ü\n')
    target = tmp_path / "passwords.json"
    script = CHART / "files/write_passwords.py"
    for _ in range(2):
        subprocess.run([sys.executable, script, "admin", tmp_path / "password", target], check=True)
    assert target.stat().st_mode & 0o777 == 0o600
    code = (
        "from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager as Manager\n"
        "import json; print(json.dumps(Manager.get_passwords()))"
    )
    environment = {**os.environ, "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(target)}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout.splitlines()[-1]) == {"admin": 'with "quotes" and ü'}


def test_health_is_judged_by_every_component():
    healthy = {name: {"status": "healthy"} for name in check_health.COMPONENTS}
    assert check_health.sick(healthy) == []
    assert check_health.sick({**healthy, "scheduler": {"status": "unhealthy"}}) == ["scheduler: unhealthy"]
    assert check_health.sick({**healthy, "triggerer": {"status": None}}) == ["triggerer: not running"]


def test_keys_of_the_bootstrap_are_those_that_the_values_name():
    text = (CHART / "values.schema.json").read_text()
    for key in bootstrap_secret.KEYS:
        assert key in text
    assert base64.b64decode(bootstrap_secret.missing_values({})["jwt-secret"])
