"""`cronlift fires`: what it prints and returns."""

import os
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from cronlift.cli.main import main

# Airflow writes its configuration file when it is first imported: not into the home of whoever runs the tests.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="cronlift-airflow-"))

TAB = b"""\
# nightly
MAILTO=ops
  0,30 2 * * * root /usr/local/bin/export
CRON_TZ=America/New_York
30 2 * * * /usr/local/bin/report
-*/30 1 * * * /usr/local/bin/quiet
61 * * * * /usr/local/bin/typo
@daily
@reboot /usr/local/bin/daemon
0 22-2 * * * x
5#3 0 * * * x\r
CRON_TZ=
30 2 * * * x
"""
SPRING = ("--from", "2026-03-28T22:00Z", "--to", "2026-03-30T00:00Z")


@pytest.fixture
def tab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("tab").write_bytes(TAB)
    return "tab"


def run(*words: str) -> tuple[int, list[str], str]:
    done = CliRunner().invoke(main, ["fires", *words])
    return done.exit_code, done.stdout.splitlines(), done.stderr


def fires(tab: str, line: int, flavour: str = "debian", zone: str = "Europe/Paris") -> tuple[int, list[str], str]:
    code, out, err = run(tab, "--line", str(line), "--flavour", flavour, "--timezone", zone, *SPRING)
    return code, [each.removesuffix("+00:00").removeprefix("2026-03-") for each in out], err


def test_each_start_is_a_line_and_two_at_once_are_two(tab: str) -> None:
    assert fires(tab, 3) == (0, ["29T01:00:00", "29T01:00:00", "30T00:00:00"], "")


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("\ufeff30 2 * * * x", ["29T01:00:00"]),
        ("#30 2 * * * /x", ["29T01:00:00"]),
        ("# 30 2 29 3 0 root /x", ["29T01:00:00"]),
        ("#MIGRATED web__a 2026-03-01 30 2 * * * x", ["29T01:00:00"]),
        ("30\t2\t*\t*\tSUN mysql -px", ["29T01:00:00"]),
        ("@midnight", ["28T23:00:00", "29T22:00:00"]),
        ("30 2 * * *\xa0x", ["29T01:00:00"]),
        ("0 0 12 * * ? /quartz", []),
    ],
)
def test_schedule_is_read_wherever_it_stands(tab: str, text: str, times: list[str]) -> None:
    Path(tab).write_text(f"{text}\nA=\nwhat the daemon throws the file away for\n")
    assert fires(tab, 1)[:2] == (0, times)


def test_job_that_was_commented_out_is_told_to_be_one(tab: str) -> None:
    Path(tab).write_text("#30 2 * * * /x\n#30 days have September\n")
    assert "tab:1: the line is commented out, so the daemon does not start it" in fires(tab, 1)[2]
    code, out, err = fires(tab, 2)
    assert (code, out) == (1, [])
    assert "tab:2: the line is a comment" in err


@pytest.mark.parametrize("text", ["*/30 * * * * * /x", "0 30 2 * * * /x", "* * * * * *", "@daily */5 * * * /x"])
def test_sixth_field_that_the_daemon_refuses_prints_nothing(tab: str, text: str) -> None:
    for flavour in ("debian", "cronie"):
        Path(tab).write_text(f"{text}\n")
        code, out, err = fires(tab, 1, flavour)
        assert (code, out) == (1, [])
        assert "rejects it" in err


def test_cron_tz_above_the_line_counts_for_cronie_alone(tab: str) -> None:
    assert fires(tab, 5, "cronie")[1] == ["29T06:30:00"]
    assert fires(tab, 5, "debian")[1] == ["29T01:00:00"]
    assert fires(tab, 3, "cronie")[1][0] == "29T01:00:00"
    assert fires(tab, 13, "cronie")[1] == ["29T01:00:00"]


def test_dash_before_the_minute_is_cronies(tab: str) -> None:
    assert fires(tab, 6, "cronie")[1] == ["29T05:00:00", "29T05:30:00"]
    assert fires(tab, 6, "debian")[:2] == (1, [])


def test_rest_of_the_line_does_not_matter(tab: str) -> None:
    assert fires(tab, 8) == (0, ["28T23:00:00", "29T22:00:00"], "")


@pytest.mark.parametrize(
    ("line", "says"),
    [(1, "tab:1: the line is a comment"), (2, "the line is a setting"), (7, "tab:7: bad minute '61'"),
     (99, "there is no such line. The file has 13 lines"), (11, "bad minute '5#3'")],
)  # fmt: skip
def test_line_without_a_schedule_prints_nothing_and_says_why(tab: str, line: int, says: str) -> None:
    code, out, err = fires(tab, line, "cronie")
    assert (code, out) == (1, [])
    assert says in err


def test_schedule_that_never_fires_prints_nothing_and_is_well(tab: str) -> None:
    for line, says in ((9, "@reboot"), (10, "counts backwards")):
        code, out, err = fires(tab, line)
        assert (code, out) == (0, [])
        assert says in err


def test_what_the_daemon_reads_otherwise_is_said(tab: str) -> None:
    code, out, err = fires(tab, 11)
    assert (code, out) == (0, ["28T23:05:00", "29T22:05:00"])
    assert "tab:11: the minute '5#3' is read as '5'" in err


@pytest.mark.parametrize(
    "words",
    [
        ("tab",),
        ("tab", "--line", "3"),
        ("tab", "--line", "0", "--timezone", "UTC"),
        ("--dag", "x"),
        ("tab", "--dag", "x", "--dags", "."),
        ("tab", "--line", "3", "--timezone", "UTC", "--flavour", "fcron"),
    ],
)
def test_wrong_usage_is_2(tab: str, words: tuple[str, ...]) -> None:
    assert run(*words, *SPRING)[0] == 2


def test_bad_time_is_2_and_shows_a_good_one(tab: str) -> None:
    code, _, err = run(tab, "--line", "3", "--timezone", "UTC", "--from", "yesterday", "--to", "2026-01-01")
    assert code == 2
    assert "2026-03-29T00:00:00Z" in err


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_time_beyond_the_calendar_is_wrong_usage(tab: str, year: str) -> None:
    code, _, err = run(tab, "--line", "3", "--timezone", "UTC", "--from", f"{year}-01-01", "--to", f"{year}-01-02")
    assert (code, "is not between 1900 and 2399" in err) == (2, True)


def test_unknown_cron_tz_is_told_with_the_line(tab: str) -> None:
    Path(tab).write_text("CRON_TZ=Mars/Base\n5 5 * * * x\n")
    code, out, err = fires(tab, 2, "cronie")
    assert (code, out) == (1, [])
    assert "tab:2: CRON_TZ above it is wrong: there is no time zone 'Mars/Base'" in err


def test_unknown_zone_is_told(tab: str) -> None:
    code, out, err = fires(tab, 3, zone="Europe/Pariss")
    assert (code, out) == (1, [])
    assert "there is no time zone 'Europe/Pariss'" in err


DAGS = """\
from airflow.sdk import DAG, CronTriggerTimetable
from cronlift import CrontabTimetable

with DAG("stock", schedule=CronTriggerTimetable("30 2 * * *", timezone="Europe/Paris"), catchup=False):
    pass
with DAG("ours", schedule=CrontabTimetable("0,30 2 * * *", timezone="Europe/Paris"), catchup=False):
    pass
with DAG("unscheduled", schedule=None):
    pass
"""


@pytest.mark.parametrize(
    ("dag_id", "times"),
    [
        ("stock", ["2026-03-29T01:30:00+00:00"]),
        ("ours", ["2026-03-29T01:00:00+00:00", "2026-03-29T01:00:01+00:00", "2026-03-30T00:00:00+00:00"]),
        ("unscheduled", []),
    ],
)
def test_dag_is_asked_through_the_timetable_that_the_scheduler_has(tab: str, dag_id: str, times: list[str]) -> None:
    Path("dags").mkdir()
    Path("dags/a.py").write_text(DAGS)
    assert run("--dag", dag_id, "--dags", "dags", *SPRING)[:2] == (0, times)


def test_missing_dag_is_told_with_those_there_are_and_what_did_not_import(tab: str) -> None:
    Path("dags").mkdir()
    Path("dags/a.py").write_text(DAGS)
    Path("dags/b.py").write_text("from airflow.sdk import DAG\nraise ValueError('broken on purpose')\n")
    code, out, err = run("--dag", "x", "--dags", "dags", *SPRING)
    assert (code, out) == (1, [])
    assert "Its DAGs: ours, stock, unscheduled." in err
    assert "broken on purpose" in err
