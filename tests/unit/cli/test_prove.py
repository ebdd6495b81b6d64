"""`cronlift prove`: what it compares, prints and returns."""

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from cronlift.cli.main import main
from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.fires import fire_minutes
from cronlift.crontab.ladder import choose
from cronlift.crontab.model import Flavour
from cronlift.crontab.proof import a_second_apart, first_difference, stretches
from cronlift.crontab.zones import to_minute

# Airflow writes its configuration file when it is first imported: not into the home of whoever runs the tests.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="cronlift-airflow-"))

HEAD = """\
from airflow.sdk import DAG, CronTriggerTimetable, MultipleCronTriggerTimetable
from cronlift import CrontabTimetable
"""
LINES = (
    ("0 3 * * *", "debian"), ("30 2 * * *", "debian"), ("0,30 2 * * *", "debian"), ("7 */8 * * *", "cronie"),
    ("0 * * * 1", "debian"), ("0 12 */2 * 1", "debian"), ("0 22-2 * * *", "debian"), ("0~59 2 * * *", "cronie"),
    ("30 2 * * *", "debian"),
)  # fmt: skip


def write(folder: Path, dags: dict[str, str], lines: list[dict[str, Any]]) -> Path:
    """Write what an import leaves of a team: DAG id -> its schedule in Python; entries of the report."""
    (folder / "import").mkdir(parents=True)
    text = "".join(
        f'with DAG("{dag_id}", schedule={python}, catchup=False):\n    pass\n' for dag_id, python in dags.items()
    )
    (folder / "cron_tab.py").write_text(HEAD + text)
    (folder / "import/report.json").write_text(json.dumps({"lines": lines, "counts": {}}))
    return folder


def entry(number: int, schedule: str, flavour: str = "debian", zone: str = "Europe/Paris") -> dict[str, Any]:
    return {
        "file": "tab", "line": number, "raw": f"{schedule} x", "verdict": "exact", "reason": "", "user": "root",
        "dag_id": f"team__{number}", "schedule": schedule, "timezone": zone, "flavour": flavour, "warnings": [],
    }  # fmt: skip


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """Return a team whose DAGs have the timetables that the ladder chose."""
    lines = [entry(index, text, flavour) for index, (text, flavour) in enumerate(LINES)]
    dags = {
        line["dag_id"]: choose(line["schedule"], Flavour(line["flavour"]), line["timezone"], line["dag_id"]).python
        for line in lines
    }
    comment = {"file": "tab", "line": 99, "raw": "# x", "verdict": "comment", "dag_id": None, "schedule": None}
    return write(tmp_path / "dags/team", dags, [*lines, comment])


def prove(*words: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["prove", "--from", "2026-01-01", "--years", "1", *map(str, words)])
    return done.exit_code, done.stdout, done.stderr


def test_imported_dags_are_equal_and_each_schedule_is_compared_once(team: Path) -> None:
    code, out, err = prove(team)
    assert code == 0, err  # Airflow logs to stderr when other tests have set its logging up
    assert "✓ tab:1 and 1 more  30 2 * * *  Europe/Paris: equal, 365 starts" in out
    assert "✓ tab:6  0 22-2 * * *  Europe/Paris: equal, 0 starts" in out
    assert "8 of 8 schedules of 9 lines are equal" in out
    assert "Judge:" in out


def test_repo_folder_is_taken_too(team: Path) -> None:
    code, out, _ = prove(team.parent.parent)
    assert code == 0
    assert "8 of 8" in out


def test_first_difference_is_told(tmp_path: Path) -> None:
    stock = 'CronTriggerTimetable("30 2 * * *", timezone="Europe/Paris")'
    code, out, _ = prove(write(tmp_path / "team", {"team__1": stock}, [entry(1, "30 2 * * *")]))
    assert code == 1
    assert "✗ tab:1" in out
    assert "first difference 2026-03-29T01:00:00+00:00: the daemon starts it 1x, the DAG 0x" in out
    assert "0 of 1 schedules" in out


def test_same_schedule_with_another_timetable_is_compared_by_itself(tmp_path: Path) -> None:
    stock, ours = (
        f'{name}("30 2 * * *", timezone="Europe/Paris")' for name in ("CronTriggerTimetable", "CrontabTimetable")
    )
    lines = [entry(1, "30 2 * * *"), entry(2, "30 2 * * *")]
    code, out, _ = prove(write(tmp_path / "team", {"team__1": ours, "team__2": stock}, lines))
    assert code == 1
    assert "✓ tab:1" in out
    assert "✗ tab:2" in out


def test_line_that_is_started_by_hand_must_have_no_schedule(tmp_path: Path) -> None:
    lines = [{**entry(number, "30 2 * * *"), "schedule_kind": "manual"} for number in (1, 2)]
    stock = 'CronTriggerTimetable("30 2 * * *", timezone="Europe/Paris")'
    code, out, _ = prove(write(tmp_path / "team", {"team__1": "None", "team__2": stock}, lines))
    assert code == 1
    assert "✓ tab:1  30 2 * * *  Europe/Paris: started by hand, by decision" in out
    assert "✗ tab:2" in out


def test_json_tells_everything(tmp_path: Path) -> None:
    stock = 'CronTriggerTimetable("0 3 * * *", timezone="Europe/Paris")'
    lines = [entry(1, "0 3 * * *"), entry(2, "0 4 * * *")]
    code, out, _ = prove(write(tmp_path / "team", {"team__1": stock, "team__2": stock}, lines), "--json")
    found = json.loads(out)
    assert code == 1
    assert found["equal"] is False
    assert "real cron" in found["judge"]
    equal, other = found["schedules"]
    assert (equal["equal"], equal["starts"], equal["first_difference"]) == (True, 365, None)
    assert other["first_difference"] == {"at": "2026-01-01T02:00:00+00:00", "daemon": 0, "dag": 1}
    assert other["lines"] == [{"file": "tab", "line": 2, "dag_id": "team__2"}]


def test_missing_dag_is_a_fault(tmp_path: Path) -> None:
    code, out, _ = prove(write(tmp_path / "team", {}, [entry(1, "0 3 * * *")]))
    assert code == 1
    assert "✗ tab:1  0 3 * * *  Europe/Paris: the DAG team__1 is missing" in out


def test_folder_without_an_import_is_told(tmp_path: Path) -> None:
    code, out, err = prove(tmp_path)
    assert (code, out) == (1, "")
    assert "there is no import/report.json" in err


def test_broken_report_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "team", {}, [])
    (folder / "import/report.json").write_text("{")
    code, _, err = prove(folder)
    assert code == 1
    assert "Run `cronlift import` again" in err


def test_dense_schedules_are_compared_around_changes_and_in_weeks() -> None:
    paris, begin = ZoneInfo("Europe/Paris"), datetime(2026, 1, 1, tzinfo=UTC)
    dense, sparse = (parse_schedule(text, Flavour.DEBIAN) for text in ("* * * * *", "*/30 * * * *"))
    parts = stretches(dense, [paris], begin, 5, full=False)
    days = sum((part.until - part.after).days for part in parts)
    assert 150 < days <= 30 * 7 + 10 * 4
    for change in (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2030, 10, 27, 1, tzinfo=UTC)):
        assert any(part.after < change < part.until for part in parts)
    assert parts == stretches(dense, [paris], begin, 5, full=False)
    assert len(stretches(dense, [paris], begin, 5, full=True)) == 1
    assert len(stretches(sparse, [paris], begin, 5, full=False)) == 1


@pytest.mark.parametrize(
    ("daemon", "dag", "expected"),
    [
        ([1, 2, 2], [1, 2, 2], (3, None)),
        ([], [], (0, None)),
        ([1, 2, 2], [1, 2], (2, (2, 1, 0))),
        ([1, 5], [1, 3, 5], (1, (3, 0, 1))),
        ([1], [], (0, (1, 1, 0))),
        ([], [7, 7], (0, (7, 0, 2))),
    ],
)
def test_lists_of_starts_part_at_the_first_other_second(
    daemon: list[int], dag: list[int], expected: tuple[int, tuple[int, int, int] | None]
) -> None:
    count, found = first_difference(daemon, dag)
    parts = found and (round(found.at.timestamp()), found.daemon, found.dag)
    assert (count, parts) == expected


def test_more_starts_at_one_instant_than_a_minute_has_seconds_are_equal() -> None:
    from cronlift.airflow.dag_times import run_times
    from cronlift.airflow.timetable import CrontabTimetable

    text, paris = "0-59 0-23 * * *", ZoneInfo("Europe/Paris")
    after, until = datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    starts = fire_minutes(
        parse_schedule(text, Flavour.DEBIAN), paris, to_minute(after), to_minute(until), Flavour.DEBIAN
    )
    daemon = list(a_second_apart(starts, to_minute(after) * 60 + 1, to_minute(until) * 60 - 1))
    runs = run_times(CrontabTimetable(text, timezone="Europe/Paris"), after, until)
    assert daemon == [int(each.timestamp()) for each in runs][: len(daemon)]
    assert len(daemon) == 29 + 61 + 29


def test_remembered_expressions_give_the_same_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.timetables import _cron
    from airflow.timetables.trigger import CronTriggerTimetable

    from cronlift.airflow.dag_times import remember_expressions, run_times

    def found() -> list[list[datetime]]:
        span = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 15, tzinfo=UTC)
        texts = ("30 * * * *", "0 4 1 * 1", "*/20 4 31 * *", "0 4 * * mon-fri")
        return [list(run_times(CronTriggerTimetable(text, timezone="Europe/Paris"), *span)) for text in texts]

    monkeypatch.setattr(_cron, "croniter", _cron.croniter)
    before = found()
    remember_expressions()
    assert found() == before
    assert all(before)
