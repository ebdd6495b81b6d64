"""The images as pods run them: own uid, read-only root, no capabilities, no network."""

import json

import pytest

from ci.image_contents import LIST, contents_of, list_text
from ci.image_release import own_images
from ci.image_structure import Command, Structure, faults, read_structure
from ci.images import build
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


@pytest.mark.parametrize("name", own_images())
def test_image_is_what_its_structure_says(image: Open, name: str) -> None:  # noqa: F811
    assert faults(build([name])[0], read_structure(name), image(name)) == []


def test_every_fault_of_an_image_is_told_at_once(image: Open) -> None:  # noqa: F811
    wrong = Structure("1:1", ("/x",), ("/usr/bin/sh",), (Command(("true",), "words"), Command(("false",), "")))
    found = faults(build(["invoices"])[0], wrong, image("invoices"))
    assert found == [
        "it runs as user '10001:10001', not '1:1'",
        "its entrypoint is ['/usr/bin/tini', '--', '/app/convert_invoices.rb'], not ['/x']",
        "it holds /usr/bin/sh",
        "`true` does not print 'words' but: ",
        "`false` ended with 1, not 0: ",
    ]


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


@pytest.mark.parametrize("name", own_images())
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
