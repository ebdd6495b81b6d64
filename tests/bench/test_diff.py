"""What `cronlift diff` costs on 500 DAGs of 50 teams. Figures, not verdicts: a busy machine is no fault."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.live.many_dags import write_many_dags

TEAMS, DAGS_PER_TEAM = 50, 10


def diff(root: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what it says, and seconds by the clock and of CPU, all its processes together."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [Path(sys.executable).parent / "cronlift", "diff", "--base=main", "--json"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)}


def test_diff_of_one_team_and_of_all(tmp_path: Path, figures: dict[str, Any]) -> None:
    root = tmp_path / "platform"
    write_many_dags(root, TEAMS, DAGS_PER_TEAM)
    dag = root / "dags/team07/job03.py"
    dag.write_text(dag.read_text().replace("* * *", "* * 1-5"))
    said, one_team = diff(root)
    assert (said["teams"], [each["dag_id"] for each in said["dags"]]) == (["team07"], ["team07__job03"])
    production = root / "charts/environments/production.yaml"
    production.write_text(production.read_text().replace("8d1e44a09b7c", "1.10"))
    said, all_teams = diff(root)
    assert (len(said["teams"]), len(said["dags"])) == (TEAMS, TEAMS * DAGS_PER_TEAM)
    figures["diff"] = {"dags": TEAMS * DAGS_PER_TEAM, "teams": TEAMS, "one_team": one_team, "all_teams": all_teams}
