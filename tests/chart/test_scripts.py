"""The chart's small programs, each against the real thing it talks to or reads."""

import ast
import base64
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.chart.rendering import CHART

sys.path.append(str(CHART / "files"))  # as in the pods, where the scripts import cronlift_database


def load(name):
    """Import a script of charts/cronlift/files."""
    spec = importlib.util.spec_from_file_location(name, CHART / f"files/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cronlift_database = load("cronlift_database")
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
    assert "kubectl" not in answer.stderr  # it is the migration itself that waits here


def test_who_waited_in_vain_for_the_migration_says_how_to_run_it_again():
    answer = subprocess.run(
        [sys.executable, CHART / "files/wait_for_database.py", "--migrated", "--timeout=0.1"],
        env={
            **os.environ,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://a:b@127.0.0.1:1/x",
            "CRONLIFT_SECRET": "etl/keys",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    [*_, last] = answer.stderr.splitlines()
    assert "kubectl -n etl delete job -l app.kubernetes.io/component=migrate, then deploy again" in last


@pytest.mark.parametrize(
    "script",
    [
        "wait_for_database", "heartbeat_age", "bootstrap_secret", "write_passwords", "cronlift_database", "metrics",
        "migrate", "db_clean", "clean_logs", "canary", "check_bundles", "check_health", "notify",
    ],
)  # fmt: skip
def test_no_script_imports_airflow(script):
    folder, path = str(CHART / "files"), str(CHART / f"files/{script}.py")
    code = f"import sys, runpy; sys.path.append({folder!r}); runpy.run_path({path!r}, run_name='x')"
    code += "; print('airflow' in sys.modules)"
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
    del data["admin-password"]
    assert set(bootstrap_secret.missing_values(data)) == {"admin-password", "jwt-secret"}
    assert set(bootstrap_secret.missing_values({})) == set(bootstrap_secret.KEYS)


def test_a_fernet_key_is_not_made_for_a_secret_that_is_in_use():
    data = {key: "a2VlcA==" for key in bootstrap_secret.KEYS if key != "fernet-key"}
    with pytest.raises(bootstrap_secret.LostKeyError, match="Put the old one back"):
        bootstrap_secret.missing_values(data)


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
    for key in set(bootstrap_secret.KEYS) - {"filled"}:
        assert key in text
    assert base64.b64decode(bootstrap_secret.missing_values({})["jwt-secret"])


AWKWARD = "p:a@s/s%w o?r#d$(X)'\"\\ü&=+"


def parts(**changes):
    """Return a pod's variables for a database by parts."""
    found = {"USER": "air@flow", "PASSWORD": AWKWARD, "HOST": "db.example.com", "PORT": "5432", "NAME": "air/flow"}
    return {f"CRONLIFT_DATABASE_{name}": value for name, value in {**found, **changes}.items()}


def test_every_character_of_a_password_survives_the_url():
    from sqlalchemy import make_url

    url = make_url(cronlift_database.url(parts()))
    assert (url.username, url.password, url.host, url.port) == ("air@flow", AWKWARD, "db.example.com", 5432)
    assert url.drivername == "postgresql+psycopg2"
    assert make_url(cronlift_database.url(parts(HOST="fd00::5"))).host == "fd00::5"


def test_libpq_reads_the_same_from_the_url():
    from psycopg2.extensions import parse_dsn

    found = parse_dsn(cronlift_database.url(parts()).replace("+psycopg2", ""))
    assert (found["user"], found["password"], found["dbname"]) == ("air@flow", AWKWARD, "air/flow")


def test_airflow_takes_the_url_from_the_command_and_both_arguments_from_the_module(tmp_path):
    code = """
from airflow.configuration import conf
print(repr([conf.get("database", "sql_alchemy_conn"), conf.getimport("database", "sql_alchemy_connect_args"),
            sorted(conf.getimport("database", "sql_alchemy_connect_args_async"))]))
"""
    script = CHART / "files/cronlift_database.py"
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__DATABASE__")},
        **parts(),
        "AIRFLOW_HOME": str(tmp_path),
        # The image has asyncpg; here it is enough that the other engine can be made.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": "sqlite+aiosqlite://",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": f"{sys.executable} {script}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "cronlift_database.SYNC_ARGUMENTS",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC": "cronlift_database.ASYNC_ARGUMENTS",
        "CRONLIFT_DATABASE_TLS": "require",
        "CRONLIFT_DATABASE_PGBOUNCER": "true",
        "PYTHONPATH": str(CHART / "files"),
    }
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    url, sync, asynchronous = ast.literal_eval(answer.stdout.splitlines()[-1])
    assert url == cronlift_database.url(parts())
    assert sync == {"sslmode": "require"}
    assert asynchronous == [
        "prepared_statement_cache_size", "prepared_statement_name_func", "ssl", "statement_cache_size",
    ]  # fmt: skip


def test_verifying_tls_reads_the_authority_for_both_drivers(tmp_path):
    authority = tmp_path / "ca.crt"
    authority.write_text(certificate())
    environment = {"CRONLIFT_DATABASE_TLS": "verify-ca", "CRONLIFT_DATABASE_CA": str(authority)}
    assert cronlift_database.sync_arguments(environment) == {"sslmode": "verify-ca", "sslrootcert": str(authority)}
    context = cronlift_database.async_arguments(environment)["ssl"]
    assert (context.check_hostname, len(context.get_ca_certs())) == (False, 1)
    full = cronlift_database.async_arguments({**environment, "CRONLIFT_DATABASE_TLS": "verify-full"})["ssl"]
    assert full.check_hostname is True
    assert cronlift_database.sync_arguments({}) == cronlift_database.async_arguments({}) == {}


def certificate():
    """Return the certificate of a new authority."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_a_newer_database_is_refused_with_the_cure():
    assert wait_for_database.newer_fault({"a"}, {"a", "b"}, "3.3.2") is None
    words = wait_for_database.newer_fault({"z"}, {"a", "b"}, "3.3.2")
    assert "revision z, which this image (Airflow 3.3.2) does not know" in words
    assert "migrate.downgradeTo=3.3.2" in words
    assert "airflow db downgrade" in words


def test_a_lost_fernet_key_is_refused_with_the_command_that_puts_it_back():
    from cryptography.fernet import Fernet

    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    rows = [(f"connection {n}", Fernet(old).encrypt(b"secret").decode()) for n in range(7)]
    assert wait_for_database.key_fault(rows, old, "cronlift/keys") is None
    assert wait_for_database.key_fault(rows, f"{new},{old}", "cronlift/keys") is None
    assert wait_for_database.key_fault([], new, "cronlift/keys") is None
    words = wait_for_database.key_fault(rows, new, "cronlift/keys")
    assert "none of 7 values can be read (connection 0, connection 1" in words
    assert "kubectl -n cronlift patch secret keys" in words
    assert "fernet-key of Secret cronlift/keys is none" in wait_for_database.key_fault(rows, "short", "cronlift/keys")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"URL": "postgresql://u:p%40@db/airflow"}, None),
        ({"URL": "postgresql://airflow:a-b_c.d~@pg/airflow", "PASSWORD": "a-b_c.d~"}, None),
        ({"PASSWORD": "p@ss/word"}, None),
        ({"URL": "postgresql://airflow:p@ss@pg/airflow", "PASSWORD": "p@ss"}, "postgres-password of Secret"),
        ({"URL": "postgresql://u:p@db/airflow?sslmode=require&sslrootcert=x"}, "has sslmode, sslrootcert"),
    ],
)
def test_a_url_that_one_of_the_drivers_does_not_take_is_refused_with_the_cure(environment, words):
    names = {"URL": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "PASSWORD": "CRONLIFT_DATABASE_PASSWORD"}
    given = {"CRONLIFT_SECRET": "cronlift/keys", **{names[name]: value for name, value in environment.items()}}
    fault = wait_for_database.url_fault(given)
    assert fault is None if words is None else words in fault


def test_one_unreadable_value_among_readable_ones_is_no_lost_key():
    from cryptography.fernet import Fernet

    old, new = Fernet.generate_key(), Fernet.generate_key().decode()
    rows = [("connection a", Fernet(old).encrypt(b"x").decode()), ("variable b", Fernet(new).encrypt(b"x").decode())]
    assert wait_for_database.key_fault(rows, new, "cronlift/keys") is None


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ('FATAL:  password authentication failed for user "airflow"', True),
        ('FATAL:  role "airflow" does not exist', True),
        ("Connection refused", False),
        ("the database has no Airflow tables yet", False),
    ],
)
def test_a_refused_login_is_told_from_a_database_that_is_not_there_yet(words, refused):
    assert wait_for_database.refused(words) is refused


def test_the_migration_sets_pools_only_where_teams_have_some():
    migrate = load("migrate")
    assert migrate.commands("") == [["airflow", "db", "migrate"]]
    assert migrate.commands("{}")[1][:3] == ["airflow", "pools", "import"]


def test_on_the_way_down_the_migration_does_nothing_else():
    assert load("migrate").commands("{}", "3.2.1") == [["airflow", "db", "downgrade", "--to-version", "3.2.1", "--yes"]]


def test_airflow_understands_the_commands_of_migration_and_clean_up():
    from datetime import UTC, datetime

    from airflow.cli import cli_parser

    command = load("db_clean").command(30, datetime(2026, 3, 1, tzinfo=UTC))
    for words in (command, *load("migrate").commands("{}"), *load("migrate").commands("", "3.2.1")):
        cli_parser.get_parser().parse_args(words[1:])
    assert command[4] == "2026-01-30T00:00:00+00:00"


DAY = 24 * 3600


def log_file(path, age_days, text="x" * 1024):
    """Write a log whose file and new folders are so old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for each in (path, *path.parents[:3]):
        age(each, age_days)


def age(path, days):
    then = time.time() - days * DAY
    os.utime(path, (then, then), follow_symlinks=False)


def clean_logs(folder, days=30):
    command = [sys.executable, "-I", CHART / "files/clean_logs.py", folder, str(days)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_old_logs_go_with_their_folders_and_young_ones_stay(tmp_path):
    logs = tmp_path / "logs"
    log_file(logs / "dag_id=a/run_id=1/task_id=t/attempt=1.log", 31, "x" * 2**20)
    log_file(logs / "dag_id=b/run_id=1/task_id=t/attempt=1.log", 31)
    log_file(logs / "dag_id=b/run_id=1/task_id=t/attempt=2.log", 29)
    done = clean_logs(logs)
    assert done.stdout == "Removed 2 files (1.0 MiB) and 3 empty folders older than 30 days\n"
    assert [str(path.relative_to(logs)) for path in logs.rglob("*.log")] == [
        "dag_id=b/run_id=1/task_id=t/attempt=2.log"
    ]
    assert [path.name for path in logs.iterdir()] == ["dag_id=b"]
    assert clean_logs(logs).stdout.startswith("Removed 0 files (0.0 MiB) and 0 empty folders")


def test_a_folder_that_airflow_has_just_made_stays_though_it_is_empty(tmp_path):
    (tmp_path / "logs/dag_id=a/run_id=1/task_id=t").mkdir(parents=True)
    assert clean_logs(tmp_path / "logs").returncode == 0
    assert (tmp_path / "logs/dag_id=a/run_id=1/task_id=t").is_dir()


def test_a_link_in_the_logs_is_never_followed(tmp_path):
    logs, outside = tmp_path / "logs", tmp_path / "outside"
    log_file(outside / "a/b/c/kept.log", 100)
    logs.mkdir()
    (logs / "old").symlink_to(outside)
    (logs / "old.log").symlink_to(outside / "a/b/c/kept.log")
    (logs / "young").symlink_to(outside)
    age(logs / "old", 100)
    age(logs / "old.log", 100)
    assert clean_logs(logs).returncode == 0
    assert (outside / "a/b/c/kept.log").is_file()
    assert [path.name for path in logs.iterdir()] == ["young"]


def test_logs_that_cannot_be_deleted_are_told(tmp_path):
    (tmp_path / "file").touch()
    done = clean_logs(tmp_path / "file")
    assert (done.returncode, "Not a directory" in done.stderr) == (1, True)


def test_no_age_at_all_is_refused_before_a_log_is_deleted(tmp_path):
    log_file(tmp_path / "logs/a/b/c/1.log", 1)
    assert clean_logs(tmp_path / "logs", 0).returncode == 2
    assert (tmp_path / "logs/a/b/c/1.log").is_file()


def test_metrics_of_a_dag_say_what_happened_and_when_it_is_due():
    metrics = load("metrics")
    rows = [
        ("billing", 'a"b', False, 100.0, "failed", 90.0, 5.0, 80.0, 3.5, None),
        ("demo", "never_ran", True, 200.0, None, None, None, None, None, None),
    ]
    text = metrics.render(metrics.dag_samples(rows), "cronlift/cronlift")
    labels = 'deployment="cronlift/cronlift",dag_id="a\\"b",team="billing"'
    assert f"cronlift_dag_last_run_failed{{{labels}}} 1\n" in text
    assert f"cronlift_dag_next_run_timestamp_seconds{{{labels}}} 100\n" in text
    assert f"cronlift_dag_waiting_seconds{{{labels}}} 3.5\n" in text
    assert [line for line in text.splitlines() if "never_ran" in line] == [
        'cronlift_dag_paused{deployment="cronlift/cronlift",dag_id="never_ran",team="demo"} 1'
    ]
    assert text.count("# TYPE cronlift_dag_paused gauge") == 1


def api_is_up(url):
    metrics = load("metrics")
    metrics.API_SECONDS = 0.2
    sample = metrics.Ping(url).sample()
    assert sample.name == "cronlift_api_up"
    return sample.value


class Ping(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ping" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_api_server_is_up_when_its_ping_is_good():
    with ThreadingHTTPServer(("127.0.0.1", 0), Ping) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            assert api_is_up(f"{url}/ping") == 1
            assert api_is_up(f"{url}/sick") == 0
        finally:
            server.shutdown()
    assert api_is_up(f"{url}/ping") == 0


def test_an_api_server_that_hangs_holds_up_no_scrape():
    metrics = load("metrics")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        started = time.monotonic()
        assert api_is_up(f"http://127.0.0.1:{silent.getsockname()[1]}/ping") == 0
        assert time.monotonic() - started < metrics.API_SECONDS
    assert metrics.API_SECONDS < 10  # Prometheus' scrape timeout


def test_names_that_do_not_resolve_hold_up_no_scrape(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(30) and [])
    started = time.monotonic()
    assert api_is_up("http://cronlift-api-server:8080/ping") == 0
    assert time.monotonic() - started < 10
    over.set()


def test_every_column_that_metrics_and_tests_ask_for_is_one_of_airflow():
    from airflow.models import import_all_models
    from airflow.models.base import Base

    import_all_models()
    columns = {name: set(table.columns.keys()) for name, table in Base.metadata.tables.items()}
    assert {"dag_id", "bundle_name", "is_paused", "is_stale", "next_dagrun_create_after"} <= columns["dag"]
    assert {"dag_id", "run_id", "state", "run_after", "start_date", "end_date"} <= columns["dag_run"]
    assert {"job_type", "state", "latest_heartbeat", "hostname"} <= columns["job"]
    assert {"bundle_name", "filename", "stacktrace"} <= columns["import_error"]
    assert {"name", "active", "last_refreshed"} <= columns["dag_bundle"]
    assert {"conn_id", "password", "extra", "is_encrypted", "is_extra_encrypted"} <= columns["connection"]
    assert {"key", "val", "description", "is_encrypted"} <= columns["variable"]


def test_bundles_are_judged_by_team():
    faults = load("check_bundles").faults
    errors = [("demo", "a.py", "Traceback\n  ...\nNameError: x\n"), ("gone", "b.py", "?")]
    assert faults(["billing", "demo"], {"demo": 3}, errors) == [
        "team billing: its bundle has not been read yet",
        "team demo: a.py: NameError: x",
    ]
    assert faults(["demo"], {"demo": 3}, []) == []


def test_the_canary_is_judged_by_its_conditions_alone():
    canary = load("canary")
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "twice"}
    assert canary.verdict({"status": {"active": 1}}) is None
    assert canary.verdict({"status": {"conditions": [{"type": "Complete", "status": "True"}]}}) == "succeeded"
    assert canary.verdict({"status": {"conditions": [condition]}}) == "BackoffLimitExceeded: twice"
    assert canary.verdict({"status": {"conditions": [{**condition, "status": "False"}]}}) is None


def test_a_canary_that_fails_says_what_its_pods_and_events_say():
    canary = load("canary")
    waiting = {"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
    pods = [{"metadata": {"name": "p"}, "status": {"conditions": [], "containerStatuses": [waiting]}}]
    assert canary.pod_words(pods) == ["pod p: waiting: ErrImagePull not found"]
    event = {
        "type": "Warning",
        "reason": "FailedCreate",
        "message": "quota",
        "involvedObject": {"kind": "Job", "name": "c-1"},
    }
    other = {**event, "involvedObject": {"kind": "Job", "name": "x"}}
    assert canary.event_words([event, event, other], "c") == ["job c-1: FailedCreate: quota"]


def test_the_canary_is_admitted_by_the_restricted_standard():
    canary = load("canary")
    spec = canary.job("x", "example.com/airflow:1")["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = spec["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


SUCCEEDED = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}


def canary_of(monkeypatch, answer, *teams):
    """Return the canary for these teams; `answer(namespace)` is what the API server says of a team's Job."""
    canary = load("canary")

    def client(namespace):
        return lambda method, path, body=None: (
            answer(namespace) if (method, "/jobs/" in path) == ("GET", True) else {"items": []}
        )

    monkeypatch.setattr(canary, "client", client)
    monkeypatch.setattr(sys, "argv", ["canary.py", "image", *(f"{team}=team-{team}" for team in teams)])
    return canary


def test_the_canary_tries_all_teams_at_once_and_tells_them_in_their_order(monkeypatch, capsys):
    together, last_is_done = threading.Barrier(3), threading.Event()

    def answer(namespace):
        together.wait(timeout=20)  # breaks unless all three teams' Jobs are asked for at the same time
        if namespace == "team-c":
            last_is_done.set()
        else:
            last_is_done.wait(timeout=20)
        return SUCCEEDED

    assert canary_of(monkeypatch, answer, "b", "a", "c").main() == 0
    told = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["ok team b", "ok team a", "ok team c"]


def test_teams_whose_canaries_never_end_share_one_deadline_and_are_all_told(monkeypatch, capsys):
    teams = [f"t{number}" for number in range(5)]
    canary = canary_of(monkeypatch, lambda namespace: {}, *teams)
    now = iter(range(0, 10**6, 50))  # every look at the clock takes 50 s of it

    class Clock:
        monotonic = staticmethod(lambda: next(now))
        time = staticmethod(time.time)
        sleep = staticmethod(lambda seconds: None)

    monkeypatch.setattr(canary, "time", Clock)
    assert canary.main() == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("x ")]
    assert told == [f"x team {team}: the Job in team-{team} did not succeed" for team in teams]
    # One look is the start; each team takes two to tell its seconds and one for the deadline, and nobody waits on.
    assert next(now) / 50 <= 1 + 5 * 3 + canary.PATIENCE_SECONDS / 50
    assert canary.PATIENCE_SECONDS + 4 * canary.CALL_SECONDS <= 200


def test_a_canary_that_the_api_server_refuses_hides_no_other_team(monkeypatch, capsys):
    import http.client

    def answer(namespace):
        if namespace == "team-a":
            raise http.client.IncompleteRead(b"")
        return SUCCEEDED

    assert canary_of(monkeypatch, answer, "a", "b").main() == 1
    told = capsys.readouterr()
    assert "the API server does not answer" in told.err
    assert "ok team b" in told.out


where = load("where")


def test_where_tells_commit_state_and_age(tmp_path, monkeypatch, capsys):
    (tmp_path / ".worktrees" / "abc").mkdir(parents=True)
    (tmp_path / "current").symlink_to(".worktrees/abc")
    (tmp_path / "bundles/demo").mkdir(parents=True)
    state = {
        "version": "v",
        "commit": "abc",
        "refusal": "",
        "checked_at": "2026-01-01T00:00:00+00:00",
        "synced_seconds_ago": 1,
    }
    (tmp_path / "bundles/demo/status.json").write_text(json.dumps(state))
    served = iter(f'git_sync_count_total{{status="noop"}} {count}\n' for count in range(1, 100))

    class Counts(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(next(served).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Counts)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kwargs = {"link": str(tmp_path / "current"), "path": "dags/demo"}
    kwargs["metrics_url"] = f"http://127.0.0.1:{server.server_port}/metrics"
    monkeypatch.setenv(
        where.BUNDLES, json.dumps([{"name": "demo", "kwargs": kwargs}, {"name": "new", "kwargs": kwargs}])
    )
    monkeypatch.setenv(where.STORAGE, str(tmp_path / "bundles"))
    monkeypatch.setattr(sys, "argv", ["where.py"])
    assert where.main() == 0
    server.shutdown()
    server.server_close()
    answer = json.loads(capsys.readouterr().out)
    assert list(answer["bundles"]) == ["demo"]
    assert answer["bundles"]["demo"]["link"] == kwargs["link"]
    assert answer["bundles"]["demo"]["synced_seconds_ago"] > 1
    (tree,) = answer["links"].values()
    assert (tree["commit"], tree["problem"], tree["synced_seconds_ago"] is not None) == ("abc", None, True)


def test_where_tells_of_a_link_that_is_gone_or_leads_nowhere(tmp_path):
    assert where.trees([{"kwargs": {"path": "/nowhere/current/dags/demo"}}])["/nowhere/current"]["problem"]
    (tmp_path / "current").symlink_to("abc")
    (tree,) = where.trees([{"kwargs": {"link": str(tmp_path / "current")}}]).values()
    assert tree["problem"] == "it leads nowhere"
