"""Old and new runs of a line."""

from zoneinfo import ZoneInfo

import pytest

from cronlift.crontab.ids import command_hash
from cronlift.crontab.runs import Run, compare_runs, read_runs

LINES = [
    {"dag_id": "t__h_root_dump", "command_hash": command_hash("root", "/opt/dump.sh  daily"), "group": "g",
     "schedule": "0 23 * * *", "raw": "0 23 * * * root /opt/dump.sh  daily", "user": "root"},
]  # fmt: skip
GROUPS = {"g": {"format": "system"}}


@pytest.mark.parametrize(
    ("text", "run"),
    [
        (
            "2026-12-01T23:00:00Z\t1\t41\t120\tabc\troot\t/opt/dump.sh  daily",
            Run("t__h_root_dump", 1, 41.0, 120, "abc"),
        ),
        (
            '{"job": "h_root_dump", "line": "x:1", "outcome": "ran", "code": 0, "seconds": 3.5, "output_bytes": 7}',
            Run("t__h_root_dump", 0, 3.5, 7),
        ),
        (
            "[2026] cronrun: h_root_dump (etc/crontab:3) ran: exit 2, signal none, 1.25 s, max RSS 3.0 MiB",
            Run("t__h_root_dump", 2, 1.25),
        ),
        ("Dec  1 23:00:01 web1 CRON[123]: (root) CMD (/opt/dump.sh  daily)", Run("t__h_root_dump")),
        ('{"job": "h_root_dump", "outcome": "shadow", "code": 0}', None),
        ("anything else", None),
    ],
)
def test_runs_are_read_out_of_every_kind_of_log(text, run):
    assert read_runs(f"noise\n{text}\n", LINES, GROUPS, ZoneInfo("UTC")) == ([run] if run else [])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ([Run("x", 0, 5.0, 10, "a")], [Run("x", 0, 7.0, 10, "a")], ()),
        ([Run("x", 0)], [Run("x", 1)], ("Exit codes: 0 before, 1 now.",)),
        ([Run("x", 0, 10.0)], [Run("x", 0, 30.0)], ("Takes longer: 10.0 s before, 30.0 s now (medians).",)),
        ([Run("x", 0, 1.0, 5, "a")], [Run("x", 0, 1.0, 6, "b")],
         ("Output: no run printed the same; 5 bytes before, 6 now (medians).",)),
        ([Run("x", 0, 1.0, 5)], [Run("x", 0, 1.0, 0)], ("Output: none now.",)),
        ([Run("x")], [], ("It never ran in Airflow in this time.",)),
        ([], [Run("x")], ("It never ran on the old host in this time.",)),
        ([Run("x")], [Run("x", 0, 1.0, 5)], ()),
    ],
)  # fmt: skip
def test_differences_are_told(old, new, words):
    (found,) = compare_runs(old, new)
    assert found.differences == words
