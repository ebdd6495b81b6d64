import json
from pathlib import Path
from typing import Any

import pytest

from tests.scale import report

ABOUT = {
    "at": "2026-01-02T03:04:05Z",
    "machine": {"cpus": 2, "cpu": "EPYC ", "memory_gib": 24.0, "kernel": "6.1", "load_before": 0.5},
    "cluster": "embedded",
    "commit": "abc",
    "airflow": "3",
    "kubernetes": "v1",
    "kwok": "v0",
}
KNOWN = {"p50": 0.05, "p90": 0.1, "p99": 0.5, "max": 0.6}
SPREAD = {"p50": 0.1, "p90": 0.2, "p99": 4.0, "max": 5.0}


def standing(running: int, requests: float | None) -> dict[str, Any]:
    return {
        "running": running,
        "start_seconds": 12.3,
        "start_cpu_seconds_per_task": 0.2,
        "start_triggerer_cpu_seconds_per_task": 0.1,
        "rss_mib": 300.4,
        "cpu_seconds_per_minute": {"triggerer": 1.0, "scheduler": 2.0},
        "requests_per_minute": requests,
    }


def through_airflow(triggerers: int, **more: Any) -> dict[str, Any]:
    return {
        "about": ABOUT, "triggerers": triggerers, "tasks": 1000, "failed": 0, "idle_rss_mib": 200.0,
        "steps": [standing(100, 1.0), standing(1000, 2.0)], "mib_per_task": 0.1, "over_seconds": 60,
        "end_seconds": 70.0, "detection_seconds": KNOWN, "task_end_seconds": SPREAD, "end_cpu_seconds_per_task": 0.1,
        "end_triggerer_cpu_seconds_per_task": 0.05, **more,
    }  # fmt: skip


DIRECT = {
    "about": ABOUT,
    "steps": [
        {
            "running": 5000, "grow_seconds": 60.0, "rss_mib": 380.0, "cpu_seconds_per_minute": 1.5,
            "requests_per_minute": 0.0,
        },
    ],
    "mib_per_task": 0.05, "over_seconds": 60, "outcomes": {"TaskSuccessEvent": 5000}, "cpu_seconds": 90.0,
    "detection_seconds": SPREAD, "task_end_seconds": SPREAD, "requests": {"create jobs": 5000, "list jobs": 1},
}  # fmt: skip


def test_page_shows_what_was_measured_on_which_machine() -> None:
    text = report.markdown({"airflow_1": through_airflow(1), "airflow_2": through_airflow(2), "direct": DIRECT})
    assert "2026-01-02, 2 cores (EPYC), 24 GiB" in text
    assert "| 1 | 1,000 | 12 s | 0.20 s (0.10 s) | 300 MiB | 3.0 s (1.0 s) | 2 |" in text
    assert "| 2 | 1,000 | 0 | 0.10 MiB | 60 s | 70 s | 0.05 / 0.10 / 0.50 / 0.60 s | 0.10 / 0.20 / " in text
    assert "| 5,000 | 60 s | 380 MiB | 1.50 s | 0 |" in text
    assert "5,000 of 5,000 succeeded" in text


def test_every_row_has_as_many_cells_as_its_head() -> None:
    content = {"airflow_1": through_airflow(1), "direct": DIRECT}
    rows = [line for line in report.markdown(content).splitlines() if line.startswith("|")]
    tables: list[list[int]] = []
    for row, following in zip(rows, [*rows[1:], ""], strict=True):
        if following.startswith("| ---"):
            tables.append([])
        tables[-1].append(row.count("|"))
    assert [len(set(table)) for table in tables] == [1] * len(tables)


def test_part_that_was_not_measured_again_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report.measurements, "BUILD", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "scale.md")
    report.PAGE.write_text(f"before {report.BEGIN} old {report.END} after")
    report.keep({**ABOUT["machine"]}, "embedded", {"direct": {**DIRECT}}, to_docs=True)
    report.keep({**ABOUT["machine"]}, "embedded", {"airflow": [through_airflow(2)]}, to_docs=True)
    assert set(json.loads((tmp_path / "scale.json").read_text())) == {"direct", "airflow_2"}
    page = report.PAGE.read_text()
    assert page.startswith("before ")
    assert page.endswith(" after")
    assert "old" not in page
    assert "By driving triggers" in page


def test_short_form_leaves_the_page_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report.measurements, "BUILD", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "scale.md")
    report.keep({**ABOUT["machine"]}, "embedded", {"direct": {**DIRECT}}, to_docs=False)
    assert [path.name for path in tmp_path.iterdir()] == ["scale-short.json"]
