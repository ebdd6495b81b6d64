"""A crontab is handed over, imported, delivered by git, and its lines run at their times with cron's own output."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ci.airflow_api import Airflow
from ci.paths import ROOT
from tests.integration.cron_daemon.daemons import debian_cron
from tests.integration.real_cron import WORKER, make_host
from tests.live.scratch_dag import LIVE_SECONDS, PREFIX, delete_jobs, forget
from tests.live.waiting import wait_for

GROUP = f"{PREFIX}old_server"
FOLDER = ROOT / "dags/demo"
SCRIPTS = ROOT / "images/legacy/rootfs"
ENDS_BADLY = 3

LINES = {
    "aggregates": "cd /opt/linkwatch && python3 manage.py fill_link_aggregates",
    "rotate": "/opt/weblogs/bin/rotate.sh daily | /opt/weblogs/bin/report.pl",
    "text": 'cat; echo "$GREETING" ${#PATH}; echo to stderr >&2; '
    "echo '$(HOME) {{ ds }}' ${#DIRSTACK[@]} $((6 \\% 4)); "
    f"exit {ENDS_BADLY} %first line%second line",
}
"""Name -> command, of scripts that stand in the legacy image; the last one has all that a Pod or Jinja would expand."""

SETTINGS = 'SHELL=/bin/bash\nGREETING = "good  morning"\n'
WRITTEN = {"/var/lib/linkwatch": "scratch", "/srv/weblogs/archive": "scratch"}
TAB = SETTINGS + "".join(f"* * * * * {command}\n" for command in LINES.values()) + "17 4 * * * /opt/missing/backup.sh\n"


def cronlift(*words: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "cronlift"
    return subprocess.run([str(program), *words], cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)


@pytest.fixture(scope="module")
def cron_output(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What Debian's own cron mails of each line; MAILTO is there to tell the mails apart."""
    with make_host(tmp_path_factory.mktemp("host") / "root", debian_cron()) as host:
        for folder in ("opt", "srv"):
            shutil.copytree(SCRIPTS / folder, host.root / folder)
        for path in (*host.root.glob("opt/**/*"), *host.root.glob("srv/**/*"), host.root / "opt", host.root / "srv"):
            path.chmod(0o755)
        for name in WRITTEN:
            (host.root / name[1:]).mkdir(parents=True, exist_ok=True)
            (host.root / name[1:]).chmod(0o777)
        for path in (host.root / "var", host.root / "var/lib", host.root / "srv/weblogs"):
            path.chmod(0o755)
        (host.root / "etc/alternatives").mkdir()
        (host.root / "etc/alternatives/awk").symlink_to("/usr/bin/mawk")
        spool = host.root / host.daemon.spool / "worker"
        spool.write_text(SETTINGS + "".join(f"MAILTO={name}\n* * * * * {line}\n" for name, line in LINES.items()))
        spool.chmod(0o600)
        os.chown(spool, WORKER, WORKER)
        with host.cron():
            mails = {name: host.mail(name) for name in LINES}
    return {name: mail.partition("\n\n")[2].splitlines() for name, mail in mails.items()}


@pytest.fixture(scope="module")
def imported(airflow: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Import the tab into the demo team's folder, live from the next minute; yield name -> DAG id."""
    report, test = FOLDER / "import", ROOT / "tests/dags/test_import_demo.py"
    if report.exists() or test.exists():
        pytest.fail(f"{report} or {test} is there already; the demo team has no imported crontab of its own")
    tab = tmp_path_factory.mktemp("tab") / f"{GROUP}.crontab"
    tab.write_text(TAB)
    start = datetime.now(UTC) + timedelta(seconds=20)
    report.mkdir()
    volumes = "".join(f"  {path}: {kind}\n" for path, kind in WRITTEN.items())
    (report / "decisions.yaml").write_text(f"volumes:\n{volumes}")
    words = ("--user", "legacy", "--timezone", "Europe/Paris", "--team", "demo", "--live")
    ids: dict[str, str] = {}
    try:
        done = cronlift("import", str(tab), *words, "--start", f"{start:%Y-%m-%dT%H:%M:%SZ}", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        lines = import_report()["lines"]
        ids = dict(zip(LINES, (line["dag_id"] for line in lines if line["dag_id"]), strict=False))
        yield ids
    finally:
        (FOLDER / f"cron_{GROUP}.py").unlink(missing_ok=True)
        test.unlink(missing_ok=True)
        for folder in (report, FOLDER / "jobs" / GROUP):
            shutil.rmtree(folder, ignore_errors=True)
        for line in ids.values():
            forget(airflow, line)
            delete_jobs(line)


def import_report() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "import/report.json").read_text()))


def first_planned_run(airflow: Airflow, dag_id: str) -> dict[str, Any]:
    """Wait for the first run that the schedule started, and for its end."""

    def runs() -> list[dict[str, Any]]:
        if dag_id not in airflow.dag_ids():
            return []
        found = airflow.get(f"/dags/{dag_id}/dagRuns", order_by="run_after")["dag_runs"]
        return [run for run in found if run["run_type"] == "scheduled" and run["state"] in {"success", "failed"}]

    wait_for(lambda: bool(runs()), f"a planned run of {dag_id}", LIVE_SECONDS + 150)
    return runs()[0]


def output_of(airflow: Airflow, dag_id: str, run_id: str) -> list[str]:
    """Return what the Job printed, as the task's log has it."""
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/run/logs/1"
    content = airflow.get(path, full_content=True, map_index=-1)["content"]
    return [line["event"] for line in content if isinstance(line, dict) and line.get("logger") == "job"]


@pytest.mark.parametrize("name", LINES)
def test_an_imported_line_runs_at_its_time_and_prints_what_cron_mails(
    airflow: Airflow, cron_output: dict[str, list[str]], imported: dict[str, str], name: str
) -> None:
    run = first_planned_run(airflow, imported[name])
    *output, last = output_of(airflow, imported[name], run["dag_run_id"])
    assert output == cron_output[name]
    code = ENDS_BADLY if name == "text" else 0
    assert f"ran: exit {code}" in last
    assert run["state"] == ("failed" if code else "success")
    planned = datetime.fromisoformat(run["logical_date"] or run["run_after"])
    assert planned.second == 0
    late = datetime.fromisoformat(run["start_date"]) - planned
    print(f"{name} was planned for {planned:%H:%M:%S} and started {late.total_seconds():.1f} s later")
    assert timedelta(0) <= late < timedelta(seconds=60)


def test_the_report_says_which_of_the_named_paths_the_image_lacks(imported: dict[str, str]) -> None:
    missing = {path for line in import_report()["lines"] for path in line.get("missing") or ()}
    assert missing == {"/opt/missing/backup.sh"}
    assert "| `/opt/missing/backup.sh` |" in (FOLDER / "import/REPORT.md").read_text().partition("Not in the image")[2]


def test_what_was_imported_fires_as_the_old_daemon_did(imported: dict[str, str]) -> None:
    done = cronlift("prove", "dags/demo", "--years", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal" in done.stdout


def test_a_second_import_changes_nothing(imported: dict[str, str], tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in sorted(FOLDER.rglob("*")) if path.is_file()}
    tab = tmp_path / f"{GROUP}.crontab"
    tab.write_text(TAB)
    done = cronlift("import", str(tab), "--user", "legacy", "--timezone", "Europe/Paris", "--team", "demo", "--live")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path: path.read_bytes() for path in sorted(FOLDER.rglob("*")) if path.is_file()} == before
