"""What `cronlift import` writes: DAGs that parse, manifests that Kubernetes takes, and starts that are the daemon's."""

import json
import logging
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from ci.paths import ROOT
from cronlift.cli.main import main
from cronlift.job.plain import read_plain, says_plain
from cronlift.job.template import Images
from tests.dags.conftest import IMAGES, Parsed

Parse = Callable[[Path, str], Parsed]

FIXTURES = Path(__file__).parent / "crontabs"
MINOR = kubernetes_validate.latest_version().rpartition(".")[0]
ZONES = ["UTC", "Europe/Paris", "America/New_York", "America/Havana", "Asia/Kolkata", "Australia/Lord_Howe"]
TELLING = (
    "30 2 * * *",
    "0,30 2 * * *",
    "0 * * * 1",
    "15 */6 * * *",
    "0 0 */2 * 1",
    "5 0 1 * *",
    "0 0 31 2 *",
    "@weekly",
)


def inputs() -> dict[str, list[str]]:
    """Return what is imported: our own tree, and the real crontabs where SAMPLES names their folder."""
    found = {"fixtures": [str(FIXTURES)]}
    if folder := os.environ.get("SAMPLES"):
        found["samples"] = [str(path) for path in sorted(Path(folder).glob("*.crontab"))]
    return found


def run(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def import_into(repo: Path, files: list[str], *more: object, zone: str = "Europe/Paris") -> dict[str, Any]:
    code, out, err = run("import", *files, "--timezone", zone, "--team", "demo", "--repo", repo, *more, "--json")
    assert code in (0, 1), err
    assert out, err
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.fixture(params=sorted(inputs()))
def files(request: pytest.FixtureRequest) -> list[str]:
    return inputs()[request.param]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    return folder


@pytest.fixture
def imported(repo: Path, files: list[str]) -> tuple[Path, dict[str, Any]]:
    found = import_into(repo, files)
    return repo / "dags/demo", found


def test_every_dag_parses_without_errors_and_warnings(
    imported: tuple[Path, dict[str, Any]], parse: Parse, caplog: pytest.LogCaptureFixture
) -> None:
    folder, report = imported
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        found = parse(folder, "demo")
    assert found.import_errors == {}
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert sorted(found.dags) == sorted(line["dag_id"] for line in report["lines"] if line["dag_id"])
    for dag in found.dags.values():
        assert dag.catchup is False
        assert dag.owner == "demo"
        assert [task.retries for task in dag.tasks] == [0]
        assert dag.doc_md


def test_every_manifest_is_what_a_restricted_namespace_and_kubernetes_take(
    imported: tuple[Path, dict[str, Any]],
) -> None:
    folder, report = imported
    manifests = sorted(folder.glob("jobs/*/*.yaml"))
    assert len(manifests) == sum(bool(line["dag_id"]) for line in report["lines"])
    code, _, err = run("validate", *manifests)
    assert (code, err) == (0, "")
    for path in manifests:
        assert says_plain(path.read_text()), path
        (job,) = (each.content for each in read_plain(path.name, path.read_text(), Images(IMAGES)))
        kubernetes_validate.validate(job, MINOR, strict=True)
        template = job["spec"]["template"]
        assert job["spec"]["backoffLimit"] == 0
        assert template["spec"]["restartPolicy"] == "Never"
        assert template["spec"]["enableServiceLinks"] is False
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        assert template["spec"]["securityContext"]["runAsUser"] > 0
        (container,) = template["spec"]["containers"]
        assert container["image"] == IMAGES["legacy"]
        assert container["args"] == ["cronrun", path.stem]
        assert set(container["resources"]["limits"]) == set(container["resources"]["requests"]) == {"cpu", "memory"}


def test_files_pass_the_checks_of_the_repository(imported: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = imported
    repo = folder.parents[1]
    # ruff tells our package from others by where it lies.
    (repo / "plugins/src/cronlift").mkdir(parents=True)
    (repo / "plugins/src/cronlift/__init__.py").touch()
    for name in ("pyproject.toml", ".yamllint.yaml"):
        shutil.copy(ROOT / name, repo / name)
    programs = Path(sys.executable).parent
    texts = [str(path) for path in folder.rglob("*.yaml")]
    for command in (
        [programs / "ruff", "check", "--no-cache", "dags"],
        [programs / "ruff", "format", "--check", "--no-cache", "."],
        [programs / "yamllint", "--strict", *texts],
    ):
        done = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("zone", ZONES)
def test_starts_are_those_of_the_old_daemon(repo: Path, tmp_path: Path, zone: str) -> None:
    """Lines on which a change of the clock tells; tests/integration has every line of the real crontabs."""
    file = tmp_path / "telling.crontab"
    file.write_text("".join(f"{schedule} /srv/bin/job.sh {number}\n" for number, schedule in enumerate(TELLING)))
    report = import_into(repo, [str(file)], zone=zone)
    code, out, err = run("prove", repo / "dags/demo", "--years", "1")
    assert code == 0, out + err
    assert f"{len(TELLING)} of {len(TELLING)} schedules of {len(TELLING)} lines are equal" in out
    assert sum(report["counts"][each] for each in ("exact", "equivalent", "never-ran")) == len(TELLING)


def test_every_input_line_has_one_verdict(files: list[str], repo: Path) -> None:
    report = import_into(repo, files)
    stored = json.loads((repo / "dags/demo/import/report.json").read_text())
    assert stored["lines"] == report["lines"]
    assert sum(stored["counts"].values()) == len(stored["lines"])
    written = [path for each in files for path in ([Path(each)] if Path(each).is_file() else Path(each).rglob("*"))]
    tabs = [path for path in written if path.is_file() and path.name != "passwd"]
    assert len(stored["lines"]) == sum(len(path.read_bytes().splitlines()) for path in tabs)


def test_fixtures_have_the_verdicts_that_were_worked_out_by_hand(repo: Path) -> None:
    report = import_into(repo, [str(FIXTURES)])
    found = {f"{line['file']}:{line['line']}": line["verdict"] for line in report["lines"] if line["kind"] == "job"}
    assert found == {
        "etc/crontab:7": "changed",  # not root
        "etc/crontab:8": "changed",
        "etc/crontab:10": "changed",  # its log goes with the Pod
        "etc/crontab:11": "exact",
        "etc/crontab:12": "equivalent",  # twice at 03:00 in spring
        "etc/crontab:13": "exact",
        "etc/crontab:14": "never-ran",
        "etc/crontab:15": "never-ran",
        "etc/crontab:16": "host-only",
        "etc/crontab:17": "needs-decision",  # @reboot
        "etc/crontab:18": "needs-decision",  # nohup ... &
        "etc/cron.d/backup:3": "exact",
        "etc/cron.d/backup:4": "needs-decision",  # writes data
        "etc/cron.d/backup:5": "exact",
        "etc/cron.d/backup:6": "exact",
        "etc/cron.d/backup:7": "exact",
        "etc/cron.d/backup.bak:1": "never-ran",  # its name
        "var/spool/cron/crontabs/mara:3": "exact",
        "var/spool/cron/crontabs/mara:4": "exact",
        "var/spool/cron/crontabs/mara:5": "changed",
        "var/spool/cron/crontabs/mara:7": "exact",
    }


def test_texts_travel_byte_by_byte(repo: Path) -> None:
    import_into(repo, [str(FIXTURES)], "--user", "mara")
    found = {}
    for path in (repo / "dags/demo/jobs/backup").glob("*.yaml"):
        job = yaml.safe_load(path.read_text())
        found[path.stem] = job["spec"]["template"]["metadata"]["annotations"]
    assert found["cron_backup_one"]["cronlift.dev/cron-command"] == (
        """ a=(one two); echo ${#a[@]} "{{ x }}" $(date +%F) $HOME '\"""' C:\\dir \\"""
    )
    mail = found["cron_backup_mail"]
    assert mail["cronlift.dev/cron-stdin"] == "The backup of the week\nis there: {{ ds }} {\n if \n} ${HOME}\n"
    assert json.loads(mail["cronlift.dev/cron-environment"]) == {"HOME": "/var/backups"}
    options = json.loads(mail["cronlift.dev/cron-options"])
    assert (options["user"], options["home"], options["shadow"]) == ("backup", "/var/backups", True)
    dump = found["cron_backup_dump"]
    assert json.loads(dump["cronlift.dev/cron-options"])["lock"] == {
        "path": "/var/lock/backup.lock", "late_seconds": 3600,
    }  # fmt: skip


def test_documentation_of_a_dag_holds_the_line_as_it_was(repo: Path, parse: Parse) -> None:
    import_into(repo, [str(FIXTURES)])
    dags = parse(repo / "dags/demo", "demo").dags
    doc = dags["demo__cron_backup_one"].doc_md
    line = FIXTURES.joinpath("etc/cron.d/backup").read_text().splitlines()[5]
    assert f"    {line}\n" in doc
    assert "Next starts (UTC): " in doc
    assert dags["demo__cron_backup_dump"].max_active_runs == 1
    assert dags["demo__cron_backup_one"].max_active_runs == 16
    assert type(dags["demo__cron_www_data_never"].timetable).__name__ == "NullTimetable"


def test_no_password_is_in_anything_that_is_written(repo: Path) -> None:
    decisions = repo / "dags/demo/import/decisions.yaml"
    import_into(repo, [str(FIXTURES)])
    text = decisions.read_text().replace("volumes: {}", "volumes: {/var/backups: backups}")
    decisions.write_text(text)
    report = import_into(repo, [str(FIXTURES)])
    (line,) = (each for each in report["lines"] if each["file"] == "etc/cron.d/backup" and each["line"] == 4)
    assert line["verdict"] == "changed"
    assert line["secrets"] == {"MYSQL_PASSWORD": "cron-backup/MYSQL_PASSWORD"}
    for path in repo.rglob("*"):
        assert not path.is_file() or b"t0psecret" not in path.read_bytes(), path
    manifest = yaml.safe_load((repo / "dags/demo" / line["manifest"]).read_text())
    pod = manifest["spec"]["template"]
    assert '-p"${MYSQL_PASSWORD}"' in pod["metadata"]["annotations"]["cronlift.dev/cron-command"]
    (container,) = pod["spec"]["containers"]
    assert container["env"] == [
        {"name": "MYSQL_PASSWORD",
         "valueFrom": {"secretKeyRef": {"name": "cron-backup", "key": "MYSQL_PASSWORD"}}}
    ]  # fmt: skip
    assert json.loads(pod["metadata"]["annotations"]["cronlift.dev/cron-options"])["secrets"] == ["MYSQL_PASSWORD"]
    assert {"name": "volume-1", "mountPath": "/var/backups"} in container["volumeMounts"]
