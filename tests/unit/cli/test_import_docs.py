"""What docs/import-a-crontab.md names, and the shell of docs/cutover.md, run as it stands."""

import os
import re
import subprocess

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
