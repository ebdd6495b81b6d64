"""What other importers make of the same crontabs: python -m tests.bench.importers [FOLDER].

It writes docs/import-comparison.md. FOLDER holds `*.crontab`; the environment variable SAMPLES names it otherwise. Each
tool runs in a venv of its own below .cronlift/importers, made when it is not there.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from ci.paths import ROOT
from cronlift.cli.main import main as cronlift
from cronlift.crontab.ladder import choose
from cronlift.crontab.model import Flavour, Line, Source
from cronlift.crontab.parse import parse_crontab
from cronlift.errors import ScheduleError
from cronlift.job.documents import Places
from cronlift.job.parse import parse

HOME = ROOT / ".cronlift/importers"
PAGE = ROOT / "docs/import-comparison.md"
ZONES = ("UTC", "Europe/Paris")
RULESET = "orbiter_translations.cron.crontab_base.translation_ruleset"
PRESETS = {"@yearly": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *",
           "@hourly": "0 * * * *"}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """What a tool made of a line: Airflow's schedule, and what the shell gets."""

    schedule: str
    command: str


def main() -> None:
    """Run every tool and write the page."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["SAMPLES"])
    files = sorted(folder.glob("*.crontab"))
    tabs = [parse_crontab(Source(path.name, path.read_bytes()), Flavour.DEBIAN) for path in files]
    jobs = [line for tab in tabs for line in tab.jobs]
    bare = [[bare_line(line, system=str(tab.format) == "system") for line in tab.jobs] for tab in tabs]
    tools = {"Orbiter": orbiter(bare), "airflow-cron": airflow_cron([each for tab in bare for each in tab])}
    rows = []
    for zone in ZONES:
        for name, (version, made) in tools.items():
            rows.append((zone, f"{name} {version}", *judge(jobs, made, zone)))
        rows.append((zone, "cronlift import", *own(files, jobs, zone)))
    write(len(files), len(jobs), rows)


def judge(jobs: list[Line], made: list[Made], zone: str) -> tuple[int, int, int]:
    """Count the lines that are right, wrong and lost.

    Right: the same command, and Airflow's own timetable with that text fires as the daemon does, all through 28 years.
    """
    left = Counter(made)
    right = wrong = 0
    for line in jobs:
        command = (line.command or "").strip()
        found = next((each for each in left if left[each] and each.command.strip() == command
                      and squeezed(each.schedule) == squeezed(line.schedule or "")), None)  # fmt: skip
        if found is None:
            continue
        left[found] -= 1
        if fires_alike(line, found.schedule, zone) and line.stdin is None:
            right += 1
        else:
            wrong += 1
    others = sum(left.values())  # another command or other times than any line has
    wrong += min(others, len(jobs) - right - wrong)
    return right, wrong, len(jobs) - right - wrong


def fires_alike(line: Line, schedule: str, zone: str) -> bool:
    """Tell whether CronTriggerTimetable, given that text, fires as the daemon does."""
    try:
        choice = choose(line.schedule or "", Flavour.DEBIAN, zone)
    except ScheduleError:
        return False
    text = squeezed(schedule)
    return choice.kind == "cron-trigger" and PRESETS.get(text, text) == choice.expression


def squeezed(text: str) -> str:
    """Return a schedule with single blanks."""
    return " ".join(text.split())


def own(files: list[Path], jobs: list[Line], zone: str) -> tuple[int, int, int]:
    """Import with cronlift, prove the starts, and look for each command in its manifest."""
    with tempfile.TemporaryDirectory() as place:
        words = ["--timezone", zone, "--flavour", "debian", "--team", "demo", "--repo", place]
        CliRunner().invoke(cronlift, ["import", *map(str, files), *words])
        team = Path(place) / "dags/demo"
        proof = CliRunner().invoke(cronlift, ["prove", str(team), "--years", "1"])
        entries = json.loads((team / "import/report.json").read_text())["lines"]
        commands = {(line.file, line.number): line.command for line in jobs}
        right = wrong = 0
        for entry in entries:
            if not entry["dag_id"]:
                continue
            job = parse((team / entry["manifest"]).read_text(), Places("", has_lines=False))[0].content
            text = job["spec"]["template"]["metadata"]["annotations"]["cronlift.dev/cron-command"]
            same = text == commands[entry["file"], entry["line"]] and proof.exit_code == 0
            right, wrong = right + same, wrong + (not same)
    return right, wrong, len(jobs) - right - wrong


def bare_line(line: Line, *, system: bool) -> tuple[str, str]:
    """Return a line's schedule, and the rest as it stands in the file, without its user."""
    fields = (1 if (line.schedule or "").startswith("@") else 5) + system
    return line.schedule or "", line.raw.split(None, fields)[fields]


def orbiter(tabs: list[list[tuple[str, str]]]) -> tuple[str, list[Made]]:
    """Translate with Astronomer's Orbiter and its community's rules, which read a user after the schedule.

    A line at a time, since its DAGs are called by their number in the file, and a later one replaces an earlier.
    """
    programs = venv("orbiter", "astronomer-orbiter", "orbiter-community-translations")
    made = []
    for number, (schedule, rest) in enumerate(each for tab in tabs for each in tab):
        with tempfile.TemporaryDirectory() as place:
            given, out = Path(place) / "in", Path(place) / "out"
            given.mkdir()
            out.mkdir()
            (given / f"line{number}.cron").write_text(f"{schedule} root {rest}\n")
            words = ["translate", "--input-dir", str(given), "--output-dir", str(out)]
            run(
                [str(programs / "orbiter"), *words, "--ruleset", RULESET, "--no-format"],
                Path(place),
                "No DAGs to render",
            )
            made += [each for file in sorted(out.rglob("*.py")) for each in read_dags(file)]
    return version(programs, "astronomer-orbiter"), made


def read_dags(path: Path) -> list[Made]:
    """Find schedule and command in a generated DAG file."""
    words: dict[str, str] = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            words.setdefault(str(node.arg), str(node.value.value))
    return [Made(words["schedule"], words["bash_command"])] if {"schedule", "bash_command"} <= words.keys() else []


def airflow_cron(lines: list[tuple[str, str]]) -> tuple[str, list[Made]]:
    """Make DAGs with airflow-cron, a line at a time and without users: it refuses system tabs, and files for a line."""
    programs = venv("airflow-cron", "airflow-cron")
    texts = [f"{schedule} {rest}\n" for schedule, rest in lines]
    with tempfile.TemporaryDirectory() as place:
        given = Path(place) / "lines.json"
        given.write_text(json.dumps(texts))
        script = Path(__file__).with_name("ask_airflow_cron.py")
        text = run([str(programs / "python"), str(script), str(given)], cwd=ROOT)
    found = json.loads(text.splitlines()[-1])
    return version(programs, "airflow-cron"), [Made(each["schedule"], each["command"]) for each in found]


def venv(name: str, *packages: str) -> Path:
    """Return the programs of a venv with these packages."""
    place = HOME / name
    if not (place / "ready").exists():
        run([sys.executable, "-m", "venv", str(place)], cwd=ROOT)
        run([str(place / "bin/pip"), "install", "-q", *packages], cwd=ROOT)
        (place / "ready").touch()
    return place / "bin"


def version(programs: Path, package: str) -> str:
    """Return the installed version of a package."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return run([str(programs / "python"), "-c", code], cwd=ROOT).strip()


def run(command: list[str], cwd: Path, accepted: str | None = None) -> str:
    """Run a program, return what it prints, and show what it says when it fails."""
    environment = {**os.environ, "LOG_LEVEL": "ERROR", "PATH": f"{Path(command[0]).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode and (accepted is None or accepted not in done.stdout + done.stderr):
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def write(files: int, jobs: int, rows: list[tuple[str, str, int, int, int]]) -> None:
    """Write the page."""
    shown = (f"| {zone} | {name} | {right} ({right / jobs:.0%}) | {wrong} | {lost} |"
             for zone, name, right, wrong, lost in rows)  # fmt: skip
    table = "\n".join(shown)
    PAGE.write_text(
        f"""# Importers of crontabs, compared

{jobs} job lines of {files} real crontabs, read by Debian's rules. Written by `python -m tests.bench.importers FOLDER`,
which runs each tool in a venv of its own.

| time zone of the old host | tool | right | wrong | lost |
| --- | --- | --- | --- | --- |
{table}

| word | means |
| --- | --- |
| right | the DAG starts whenever the daemon started the job, and the shell gets the same command |
| wrong | there is a DAG, and it starts at other times or runs another command |
| lost | no DAG; cronlift lists these lines with the reason, the others drop or refuse them |

Each tool gets what it reads best: Orbiter each line by itself with a user before the command, for it takes the first
word for one in every tab, and calls the DAGs of all files alike; airflow-cron each line without its user, for it
refuses system tabs, and a whole file for one line. They name no time zone; here their DAGs are given the old host's.
Variables, users, mail and standard input after `%` are not compared: a line that needs its `%` text is wrong where that
is lost.
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
