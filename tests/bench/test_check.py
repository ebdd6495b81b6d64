"""What the check and the diff of a pull request cost with 500 DAGs in 50 teams. Figures, not verdicts."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from ci.paths import ROOT

TEAMS, DAGS_EACH = (50 if os.environ.get("LONG") else 8), 10
GOAL_ALL_SECONDS, GOAL_TEAM_SECONDS = 60.0, 10.0
CRONLIFT = Path(sys.executable).parent / "cronlift"


def repository(root: Path) -> Path:
    """Write the teams with 10 DAGs each, the demo's, and commit them."""
    (root / "charts/cronlift").mkdir(parents=True)
    shutil.copy(ROOT / "charts/cronlift/values.schema.json", root / "charts/cronlift")
    shutil.copy(ROOT / "pyproject.toml", root)
    demo = (ROOT / "dags/demo/import_rates.py").read_text(), (ROOT / "dags/demo/jobs/import_rates.yaml").read_text()
    names = [f"team{number:02}" for number in range(TEAMS)]
    for name in names:
        (root / f"dags/{name}/jobs").mkdir(parents=True)
        for number in range(DAGS_EACH):
            text = demo[0].replace("demo__import_rates", f"{name}__dag{number}").replace("import_rates", f"dag{number}")
            (root / f"dags/{name}/dag{number}.py").write_text(text)
            (root / f"dags/{name}/jobs/dag{number}.yaml").write_text(demo[1])
    teams = {name: {"namespace": f"ns-{name}", "path": f"dags/{name}", "owners": ["@platform"]} for name in names}
    (root / "teams.yaml").write_text(yaml.safe_dump({"teams": teams}))
    (root / "images/legacy").mkdir(parents=True)
    (root / "images/legacy/Dockerfile").touch()
    run(root, CRONLIFT, "teams")
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    for words in (("init", "-q", "--initial-branch=main"), ("add", "--all"), ("commit", "-q", "-m", "Begin")):
        run(root, "git", *identity, *words)
    return root


def run(root: Path, *words: str | Path) -> tuple[str, float, float]:
    """Run a command; return what it printed, its seconds by the clock, and those of a core."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, round(time.monotonic() - began, 2), round(cpu, 2)


def test_check_and_diff(tmp_path: Path, figures: dict[str, Any]) -> None:
    root = repository(tmp_path / "repo")
    whole, all_seconds, all_cpu = run(root, CRONLIFT, "check", "--json")
    found = json.loads(whole)
    assert (found["ok"], found["dags"], len(found["teams"])) == (True, TEAMS * DAGS_EACH, TEAMS), found["faults"][:3]
    _, team_seconds, team_cpu = run(root, CRONLIFT, "check", "dags/team07", "--json")
    manifest = root / "dags/team07/jobs/dag3.yaml"
    manifest.write_text(manifest.read_text().replace("memory: 128Mi", "memory: 256Mi"))
    changed, base_seconds, _ = run(root, CRONLIFT, "check", "--base", "main", "--json")
    assert json.loads(changed)["teams"] == ["team07"]
    _, diff_seconds, diff_cpu = run(root, CRONLIFT, "diff", "--base", "main", "--json")
    manifest.write_text(manifest.read_text().replace("memory: 256Mi", "memory: 128Mi"))
    for file in root.glob("dags/*/jobs/*.yaml"):
        file.write_text(file.read_text().replace("memory: 128Mi", "memory: 256Mi"))
    _, whole_diff_seconds, whole_diff_cpu = run(root, CRONLIFT, "diff", "--base", "main", "--json")
    parses = sorted(found["files"].values())
    figures["check"] = {
        "load_1_minute": round(os.getloadavg()[0], 1),
        "teams": TEAMS,
        "dags": TEAMS * DAGS_EACH,
        "all_seconds": all_seconds,
        "all_cpu_seconds": all_cpu,
        "all_of_goal": round(all_seconds / GOAL_ALL_SECONDS, 2),
        "one_team_seconds": team_seconds,
        "one_team_cpu_seconds": team_cpu,
        "one_team_of_goal": round(team_seconds / GOAL_TEAM_SECONDS, 2),
        "base_one_manifest_seconds": base_seconds,
        "parse_ms_median": round(parses[len(parses) // 2] * 1000, 1),
        "parse_ms_p95": round(parses[len(parses) * 95 // 100] * 1000, 1),
        "diff_one_manifest_seconds": diff_seconds,
        "diff_one_manifest_cpu_seconds": diff_cpu,
        "diff_all_seconds": whole_diff_seconds,
        "diff_all_cpu_seconds": whole_diff_cpu,
    }
