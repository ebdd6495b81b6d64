"""The images as pods run them: own uid, read-only root, no capabilities, no network."""

import json

import pytest

from ci.image_contents import LIST, contents_of, list_text
from ci.images import build
from ci.pins import pins
from tests.integration.image_fixtures import Open, image  # noqa: F401 - a fixture

LOOK_AT_BYTECODE = """
import importlib.util, pathlib, struct, sys
missing, count = [], 0
for path in pathlib.Path("/opt/venv/lib").rglob("*.py"):
    count += 1
    cached = pathlib.Path(importlib.util.cache_from_source(str(path)))
    if not cached.is_file():
        missing.append(f"{path}: none")
        continue
    magic, flags, mtime, size = struct.unpack("<4sIII", cached.read_bytes()[:16])
    stat = path.stat()
    if magic != importlib.util.MAGIC_NUMBER or flags == 0 and (mtime, size) != (int(stat.st_mtime), stat.st_size):
        missing.append(f"{path}: stale")
print(count)
print("\\n".join(missing))
"""

LOOK_AT_REQUIREMENTS = """
from importlib.metadata import distributions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical
found = {canonical(each.name): each.version for each in distributions()}
for each in distributions():
    for text in each.requires or []:
        need = Requirement(text)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            version = found.get(canonical(need.name))
            if version is None or not need.specifier.contains(version, prereleases=True):
                print(f"{each.name} needs {need}, found {version}")
"""


def test_airflow_runs_as_its_user_on_a_read_only_root(image: Open) -> None:  # noqa: F811
    done = image("airflow").run("airflow", "version", writable=["/tmp", "/opt/airflow/logs"])
    assert (done.code, done.out.strip().splitlines()[-1]) == (0, pins()["AIRFLOW_VERSION"])
    assert image("airflow").run("id").out.startswith("uid=50000(airflow) gid=0(root)")
    assert image("airflow").config["Entrypoint"] == ["/usr/bin/tini", "-g", "--"]
    assert image("airflow").config["User"] == "50000:0"


def test_airflow_has_the_plugin_with_its_policy(image: Open) -> None:  # noqa: F811
    script = (
        "import cronlift, importlib.metadata as m; print(cronlift.KubernetesJobOperator.__name__);"
        "print(sorted({e.group for e in m.distribution('cronlift').entry_points}))"
    )
    done = image("airflow").run("python", "-c", script, writable=["/tmp", "/opt/airflow/logs"])
    assert done.code == 0, done.out
    assert "KubernetesJobOperator" in done.out
    assert "airflow.policy" in done.out


def test_airflow_is_compiled_whole(image: Open) -> None:  # noqa: F811
    done = image("airflow").run("python", "-c", LOOK_AT_BYTECODE)
    count, *missing = done.out.strip().splitlines()
    # A package may ship a file that is no Python of this version (templates, fixtures): none of Airflow or the plugin.
    assert int(count) > 3000
    assert len(missing) < 10, missing
    assert [line for line in missing if "/airflow/" in line or "/cronlift/" in line] == []
    assert "PYTHONDONTWRITEBYTECODE" not in str(image("airflow").config["Env"])


def test_airflows_packages_fit_each_other(image: Open) -> None:  # noqa: F811
    done = image("airflow").run("python", "-c", LOOK_AT_REQUIREMENTS)
    assert (done.code, done.out) == (0, "")


@pytest.mark.parametrize("name", ["airflow", "legacy", "invoices"])
def test_image_holds_no_build_tools_and_nothing_of_this_host(image: Open, name: str) -> None:  # noqa: F811
    root = image(name).root
    assert [tool for tool in ("gcc", "make", "uv", "pip") if (root / "usr/bin" / tool).exists()] == []
    assert not (root / "opt/tools").exists()
    assert not (root / "opt/venv/bin/uv").exists()
    assert list((root / "run/secrets").glob("*")) == []
    assert not (root / "etc/hostname").exists() or (root / "etc/hostname").read_text() == ""
    assert not (root / "etc/resolv.conf").exists() or (root / "etc/resolv.conf").read_text() == ""
    assert list((root / "var/lib/apt/lists").rglob("*Packages*")) == []


def test_list_of_legacys_contents_is_that_of_the_image(image: Open) -> None:  # noqa: F811
    assert image("legacy").root.is_dir()
    text = list_text(contents_of(build(["legacy"])[0].archive))
    assert LIST.read_text() == text, "Run: python -m ci.image_contents"
    assert "/usr/bin/php\n" in text


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("bash --version", "GNU bash, version 5"),
        ("dash -c 'echo dash'", "dash"),
        ("readlink /bin/sh", "dash"),
        ("php --version", "PHP 8."),
        ("php -r 'echo date_default_timezone_get();'", "Europe/Paris"),
        ("python --version", "Python 3.13"),
        ("perl --version", "perl 5"),
        ("curl --version", "https"),
        ("sendmail --version", "msmtp version"),
        ("readlink -f $(command -v mail)", "/usr/bin/bsd-mailx"),
        ("flock --version", "flock"),
        ("chronic true && echo fine", "fine"),
        ("sqlite3 :memory: 'select 6*7'", "42"),
        ("git --version", "git version"),
        ("printf x | gzip | zcat && printf y | bzip2 | bunzip2", "xy"),
        ("ps --version", "procps"),
        ("LC_ALL=fr_FR.UTF-8 date -d 2026-02-01 +%B", "février"),
        ("LC_ALL=de_DE.UTF-8 locale -k day | head -1", "Sonntag"),
        ("date -d @1769900400 +%H:%M", "00:00"),
        ("echo $LANG ${TZ-unset}", "en_US.UTF-8 unset"),
        ("id", "uid=1000(legacy) gid=1000(legacy) groups=1000(legacy)"),
        ("echo $HOME; stat -c %U /home/legacy", "legacy"),
    ],
)
def test_legacy_has_what_the_old_server_had(image: Open, command: str, words: str) -> None:  # noqa: F811
    done = image("legacy").run("/bin/bash", "-o", "pipefail", "-c", command)
    assert done.code == 0, done.out
    assert words in done.out


def test_legacy_php_has_the_usual_extensions(image: Open) -> None:  # noqa: F811
    found = json.loads(image("legacy").run("php", "-r", "echo json_encode(get_loaded_extensions());").out)
    wanted = {"bcmath", "curl", "intl", "mbstring", "mysqli", "openssl", "pcntl", "pdo_mysql", "pdo_pgsql",
              "pdo_sqlite", "pgsql", "SimpleXML", "sqlite3", "zip"}  # fmt: skip
    assert wanted - set(found) == set()


def test_legacy_scripts_keep_place_and_x_bit_and_belong_to_root(image: Open) -> None:  # noqa: F811
    script = "stat -c '%a %U %n' /opt/weblogs/bin/rotate.sh /opt/weblogs/bin /etc/msmtprc"
    assert image("legacy").run("/bin/bash", "-c", script).out.splitlines() == [
        "755 root /opt/weblogs/bin/rotate.sh",
        "755 root /opt/weblogs/bin",
        "644 root /etc/msmtprc",
    ]


def test_signals_reach_the_whole_group_through_legacys_entrypoint(image: Open) -> None:  # noqa: F811
    running = image("legacy").start("/bin/bash", "-c", "trap 'echo got it; exit 7' TERM; echo up; sleep 60 & wait")
    try:
        running.wait_for("up")
        running.signal("TERM")
        assert running.process.wait(20) == 7
        assert "got it" in running.log.read_text()
    finally:
        running.stop()
