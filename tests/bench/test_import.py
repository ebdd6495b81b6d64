"""What an import costs, and what its DAGs cost Airflow. Figures, not verdicts: a busy machine is no fault."""

import json
import os
import random
import resource
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

LINES = 1000
GOAL_IMPORT_SECONDS, GOAL_PARSE_MS_OF_A_DAG = 5.0, 10.0

_PARSE = """
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
DagBag(dag_folder="/nonexistent")
from cronlift import KubernetesJobOperator
began = time.process_time()
bag = DagBag(dag_folder=sys.argv[1])
sys.stderr.write(json.dumps([time.process_time() - began, len(bag.dags), len(bag.import_errors)]) + "\\n")
"""


def crontab(lines: int) -> str:
    """Return a crontab of many jobs, no two alike."""
    chosen = random.Random(1)
    rows = ["SHELL=/bin/bash", "MAILTO=ops@example.org"]
    for number in range(lines):
        minute = chosen.choice(["*/5", "*/10", "0,30", str(chosen.randrange(60))])
        hour = chosen.choice(["*", "*/4", str(chosen.randrange(24)), str(chosen.randrange(24))])
        day, weekday = chosen.choice(["*", "*", "*", "1", "15"]), chosen.choice(["*", "*", "1-5", "0"])
        command = f"/opt/app{number % 40}/bin/job{number}.sh --shard {number} >> /var/log/app/job{number}.log 2>&1"
        rows.append(f"{minute} {hour} {day} * {weekday} {command}")
    return "\n".join(rows) + "\n"


def test_import_and_parsing(tmp_path: Path, figures: dict[str, Any]) -> None:
    """Measure CPU time beside the clock: other work on the machine does not count there."""
    file, repo = tmp_path / "big.crontab", tmp_path / "repo"
    file.write_text(crontab(LINES))
    repo.mkdir()
    words = ["import", str(file), "--user", "www-data", "--timezone", "Europe/Paris", "--team", "web"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.monotonic()
    done = subprocess.run(
        [Path(sys.executable).parent / "cronlift", *words, "--repo", str(repo)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cpu, seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, time.monotonic() - began
    parsed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_PARSE), str(repo / "dags/web")],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow"), "CRONLIFT_DEPLOYMENT": "a/b",
             "CRONLIFT_TEAMS": '{"web": {"namespace": "web"}}', "CRONLIFT_JOB_IMAGES": '{"legacy": "r/legacy:1"}'},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    parse_seconds, dags, errors = json.loads(parsed.stderr.splitlines()[-1])
    assert (dags, errors) == (LINES, 0), parsed.stdout
    figures["import"] = {
        "lines": LINES,
        "import_seconds": round(seconds, 2),
        "import_cpu_seconds": round(cpu, 2),
        "import_of_goal": round(cpu / GOAL_IMPORT_SECONDS, 2),
        "parse_cpu_ms_per_dag": round(parse_seconds / dags * 1000, 2),
        "parse_of_goal": round(parse_seconds / dags * 1000 / GOAL_PARSE_MS_OF_A_DAG, 2),
    }
