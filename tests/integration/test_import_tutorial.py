"""The commands of docs/import-a-crontab.md, run as they stand, by the installed programs."""

import os
import re
import subprocess
import sys
from pathlib import Path

from ci.paths import ROOT

PAGE = (ROOT / "docs/import-a-crontab.md").read_text()


def test_tutorial_of_the_import_works_as_it_stands(tmp_path):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                   "AIRFLOW_HOME": str(tmp_path / "airflow")}  # fmt: skip
    written = []
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        done = subprocess.run(
            ["bash", "-euc", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        written.append(done.stdout + done.stderr)
    (shown,) = re.findall(r"\n\n```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in shown.splitlines():
        assert line.removesuffix(" ...") in written[1]
    assert "2 of 2 schedules of 2 lines are equal" in written[3]
    assert (tmp_path / "dags/demo/import/report.html").is_file()
