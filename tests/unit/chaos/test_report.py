from pathlib import Path

import pytest

from tests.chaos import catalogue, report
from tests.chaos.play import Outcome
from tests.live import measurements

MACHINE = {"cpus": 2, "cpu": "AMD", "memory_gib": 24, "kernel": "6.18"}
NONE_WRONG = {"verdict": 0, "twice": 0, "log": 0, "orphan": 0}


def outcome(title: str, **more: object) -> Outcome:
    return Outcome(title, 20, 40, "2026-11-23T10:00:00Z", "abc", **{"counts": NONE_WRONG, **more})  # type: ignore[arg-type]


def test_a_row_tells_what_a_fault_did() -> None:
    good = outcome("good", taken_over=20, take_over_seconds=31.4, late_seconds=1.25, orphans_before_sweep=10)
    bad = outcome("bad", findings=["work_00: is failed, not success"], counts={**NONE_WRONG, "verdict": 1})
    lost = outcome("lost", error="No end of\nrun x", counts={})
    rows = report.render([good, bad, lost], MACHINE).splitlines()
    assert rows[0].endswith("1 of 3 faults passed.")
    assert rows[-3:] == [
        "| good | 0 | 0 | 0 | 10, 0 | 20, within 31 s | 1.2 s | passed |",
        "| bad | 1 | 0 | 0 | 0, 0 |  |  | failed |",
        "| lost |  |  |  |  |  |  | not judged: No end of run x |",
    ]
    assert {row.count("|") for row in rows[2:]} == {9}


def test_the_page_changes_between_its_marks_only(tmp_path: Path) -> None:
    page = tmp_path / "faults.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_page([outcome("good")], MACHINE, page)
    text = page.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "| good |" in text
    assert "old" not in text


def test_the_page_of_the_repo_has_the_marks() -> None:
    text = report.PAGE.read_text()
    assert (text.count(report.BEGIN), text.count(report.END)) == (1, 1)


def test_a_fault_tried_again_replaces_its_row_and_keeps_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurements, "BUILD", tmp_path)
    titles = ["first", "second"]
    report.keep("chaos", MACHINE, outcome("second", error="no"), titles)
    report.keep("chaos", MACHINE, outcome("dropped"), [*titles, "dropped"])
    kept = report.keep("chaos", MACHINE, outcome("first"), titles)
    assert [(each.title, each.error) for each in kept] == [("first", None), ("second", "no")]
    kept = report.keep("chaos", MACHINE, outcome("second"), titles)
    assert [(each.title, each.error) for each in kept] == [("first", None), ("second", None)]


def test_no_two_faults_have_the_same_title() -> None:
    titles = [fault.title for fault in (*catalogue.SHORT_FORM, *catalogue.LONG_FORM)]
    twice = {title for title in titles if titles.count(title) > 1}
    assert twice == set()
