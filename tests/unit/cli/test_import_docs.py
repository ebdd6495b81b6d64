"""The commands of docs/import-a-crontab.md and the shell of docs/cutover.md, run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ci.paths import ROOT
from cronlift.crontab.decisions import ACTIONS, MAIL_MODES, REDIRECTS
from cronlift.crontab.ids import command_hash
from cronlift.crontab.model import Verdict
from cronlift.crontab.runs import read_runs
from cronlift.crontab.zones import find_zone

HOW_TO = (ROOT / "docs/import-a-crontab.md").read_text()


def blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)


def test_tutorial_of_the_import_works_as_it_stands(tmp_path):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                   "AIRFLOW_HOME": str(tmp_path / "airflow")}  # fmt: skip
    written = []
    for block in blocks("import-a-crontab.md"):
        done = subprocess.run(
            ["bash", "-euc", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        written.append(done.stdout + done.stderr)
    (shown,) = re.findall(r"\n\n```\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)
    for line in shown.splitlines():
        assert line.removesuffix(" ...") in written[1]
    assert "2 of 2 schedules of 2 lines are equal" in written[3]
    assert (tmp_path / "dags/demo/import/report.html").is_file()


@pytest.mark.parametrize("names", [ACTIONS, MAIL_MODES, REDIRECTS, Verdict])
def test_every_word_that_people_may_write_or_read_is_on_the_page(names):
    hidden = {"undecided", "auto"}
    assert [str(name) for name in names if f"`{name}`" not in HOW_TO and str(name) not in hidden] == []


def test_measuring_shell_writes_what_compare_reads(tmp_path):
    (script,) = blocks("cutover.md")
    shell, log = tmp_path / "cron-measure", tmp_path / "log"
    shell.write_text(script)
    shell.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "CRON_MEASURE_LOG": str(log), "LOGNAME": "mara"}
    command = "echo one; echo two >&2; exit 3"
    done = subprocess.run([shell, "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "one\ntwo\n")
    lines = [{"dag_id": "t__x", "command_hash": command_hash("mara", command), "schedule": None}]
    (run,) = read_runs(log.read_text(), lines, {}, find_zone("UTC"))
    assert (run.id, run.exit, run.size_bytes) == ("t__x", 3, 8)
