"""Secrets that are written down are told by their looks and places, and nothing else is."""

import time
from base64 import b64encode
from textwrap import dedent

import pytest

from cronlift.checks.secret_values import secrets_in
from cronlift.cli.secret_files import written_secrets

LETTERS = "Q7zR2mX9cV4bN8kL1pW6tY3sD5fG0hJq"
# In parts, so that no scanner takes them for real ones.
LOOKS = {
    "a GitHub token": "gh" + f"p_{LETTERS}1234",
    "a GitLab token": "glp" + f"at-{LETTERS[:20]}",
    "an AWS access key": "AK" + "IAQ7ZR2MX9CV4BN8KL",
    "a Slack token": "xo" + f"xb-123456789012-{LETTERS}",
    "a Google API key": "AI" + f"zaSy{LETTERS}q",
    "a Stripe key": "sk_" + f"live_{LETTERS[:24]}",
    "a JSON Web Token": "ey" + f"J{LETTERS}.eyJ{LETTERS}.{LETTERS}",
}


def found(text: str, file: str = "dags/billing/report.py") -> list[str]:
    return [each.what for each in secrets_in(file, text)]


@pytest.mark.parametrize("kind", LOOKS)
@pytest.mark.parametrize("file", ["dags/billing/report.py", "dags/billing/jobs/report.yaml", "tests/unit/test_x.py"])
def test_what_has_a_look_of_its_own_is_told_wherever_it_stands(kind: str, file: str) -> None:
    token = LOOKS[kind]
    (fault,) = secrets_in(file, f"# first\nargs: [run, {token}]\n")
    assert (fault.file, fault.line, fault.check) == (file, 2, "secret-value")
    assert fault.what == f"{token[:4]}... looks like {kind}"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('headers = {"Authorization": "Bearer Zx81' + LETTERS + '"}', "a bearer token"),
        ("-----BEGIN RSA PRIVATE KEY-----\n" + LETTERS, "a private key"),
        ('key = "-----BEGIN PRIVATE KEY-----\\n' + LETTERS + '"', "a private key"),
        ("  key: |\n    -----BEGIN OPENSSH PRIVATE KEY-----\n    " + LETTERS, "a private key"),
        ("command: [mysqldump, -uroot, -phunter2, shop]", "a password of mysql"),
        ('args: ["mysql", "-h", "db", "-phunter2"]', "a password of mysql"),
        ("command: [mysqldump]\nargs:\n  - -uroot\n  - -phunter2\n", "a password of mysql"),
        ("mysql -uroot -phunter2 shop < x.sql", "a password of mysql"),
        ('DB_PASSWORD = "hunter2"', "the value of DB_PASSWORD"),
        ('AWS_SECRET_ACCESS_KEY = "' + LETTERS + '/Ab"', "the value of AWS_SECRET_ACCESS_KEY"),
        ('api_key: str = "' + LETTERS + '"', "the value of api_key"),
        ('connect("db", password="hunter2")', "the value of password"),
        ('{"password": "hunter2", "host": "db"}', "the value of password"),
        ("PGPASSWORD=hunter2 psql shop", "the value of PGPASSWORD"),
        ("run --password=hunter2", "the value of --password"),
        ('clientSecret: "' + LETTERS + '"', "the value of clientSecret"),
    ],
)
def test_what_stands_where_secrets_stand_is_told(text: str, kind: str) -> None:
    (what,) = found(text)
    assert what.endswith(f"... looks like {kind}")


@pytest.mark.parametrize(
    "text",
    ["password: hunter2", "stringData:\n  db_password: hunter2  # of the shop", "- {name: x, password: hunter2}"],
)
def test_a_key_of_yaml_needs_no_quotes(text: str) -> None:
    assert len(found(text, "dags/billing/jobs/report.yaml")) == 1
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        'DB_PASSWORD = ""', 'DB_PASSWORD = "..."', 'DB_PASSWORD = "<yours>"', 'DB_PASSWORD = "changeme"',
        'DB_PASSWORD = "example-password"', 'DB_PASSWORD = "xxxxxxxx"', 'DB_PASSWORD = "YOUR-PASSWORD"',
        'password="{{ conn.billing__db.password }}"', 'password="{{ var.value.billing__db }}"',
        'password=Variable.get("billing__db")', 'password=os.environ["DB_PASSWORD"]', 'password=f"{word}"',
        'password="$DB_PASSWORD"', 'password="${DB_PASSWORD}"', 'password="/run/secrets/db/password"',
        'if password == "hunter2":', "def connect(password: str, token: bytes) -> None:",
        'SECRET = "cronlift-secrets"', 'token_name = "billing-token"', 'TOKEN = "/var/run/secrets/token"',
        'secretName: "billing-db"', 'existingSecret: "cronlift-git"', 'token_url = "https://id.test/oauth2/token"',
        "valueFrom: {secretKeyRef: {name: billing-db, key: password}}", "secret: {secretName: billing-db}",
        "command: [mysqldump, -uroot, $(ARGS)]", "mysql -uroot -p$PASSWORD shop", "mysql -p -u root", "mysql -P3306",
        'mysql -p"$(cat /run/secrets/db)" shop', "mysqldump shop > x; mkdir -p/data/x", "mysql and --print",
        'header = "Authorization: Bearer <token>"', 'header = f"Bearer {token}"', "Bearer of good tidings we are",
        'if text.startswith("-----BEGIN PRIVATE KEY-----"):', "AKIA" + "IOSFODNN7EXAMPLE", "ghp_ and glpat- are tokens",
        "PASSWORD=$(cat /run/secrets/db) psql", "PWD=/home/shop run", "run --password-file=/run/secrets/db",
        "images.invalid/legacy@sha256:" + "a1b2" * 16,
    ],
)  # fmt: skip
@pytest.mark.parametrize("file", ["dags/billing/report.py", "dags/billing/jobs/report.yaml"])
def test_what_is_none_passes(text: str, file: str) -> None:
    assert found(text, file) == []


def test_what_is_sealed_lies_in_git_on_purpose() -> None:
    sealed = "kind: SealedSecret\nspec:\n  encryptedData:\n    token: AgBy3i4OJSWK\n"
    assert found(sealed, "examples/sealed.yaml") == []
    assert len(found(sealed + "# ghp_" + "a1B2" * 9, "examples/sealed.yaml")) == 1


def test_passwords_of_tests_open_nothing() -> None:
    assert found('password="hunter2"', "tests/unit/test_x.py") == []
    assert len(found('password="hunter2"', "dags/billing/tests/test_x.py")) == 1


def test_the_value_is_never_said() -> None:
    for value, shown in (("hunter2", "h..."), (LETTERS, f"{LETTERS[:4]}...")):
        (fault,) = secrets_in("dags/a/x.py", f'password = "{value}"')
        assert fault.what.startswith(f"{shown} ")
        assert value not in str(fault)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('password = "hunter2"  # cronlift: allow-secret because the test database has no other', 0),
        ('# cronlift: allow-secret because the test database has no other\npassword = "hunter2"', 0),
        ('# cronlift: allow-secret\npassword = "hunter2"', 1),
        ('# cronlift: allow-secret because\npassword = "hunter2"', 1),
        ('# cronlift: allow-secret because of tests\n\npassword = "hunter2"', 1),
    ],
)
def test_a_line_says_with_a_reason_that_it_is_wanted(text: str, count: int) -> None:
    assert len(found(text)) == count


def test_what_is_large_or_no_text_or_a_link_is_skipped(tmp_path) -> None:
    secret = b'password = "hunter2"\n'
    (tmp_path / "small.py").write_bytes(secret + b"# caf\xe9\n")
    (tmp_path / "binary.py").write_bytes(b"\0" + secret)
    (tmp_path / "large.py").write_bytes(secret + b"#" * 1024 * 1024)
    (tmp_path / "link.py").symlink_to("small.py")
    names = ["small.py", "binary.py", "large.py", "link.py", "gone.py"]
    assert [each.file for each in written_secrets(tmp_path, names)] == ["small.py"]


@pytest.mark.parametrize(
    "text",
    [
        "mysql " * 20_000, "password" * 20_000, "a" * 100_000 + "password", "eyJ" * 30_000, ", " * 50_000 + "token",
        "-----BEGIN " * 10_000, "Bearer " + "a" * 100_000, b64encode(bytes(100_000)).decode() + "secret",
        " " * 100_000 + "secret", "mysql\n" + "- x\n" * 20_000, "api_key_" * 20_000,
    ],
    ids=lambda text: text[:12].strip(),
)  # fmt: skip
def test_no_text_keeps_the_search_busy(text: str) -> None:
    started = time.process_time()
    found(text, "dags/a/x.yaml")
    assert time.process_time() - started < 3


def test_two_hundred_files_take_less_than_a_second() -> None:
    text = dedent(
        """\
        from airflow.sdk import DAG, CronTriggerTimetable

        with DAG("billing__x", schedule=CronTriggerTimetable("0 3 * * *", timezone="Europe/Paris"), tags=["billing"]):
            run(env=[{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "billing-token", "key": "token"}}}])
        """
    )
    started = time.process_time()
    assert all(found(text * 5) == [] for _ in range(200))
    assert time.process_time() - started < 1
