"""A callback of a pinned run leaves no stat that hides the parse of the newest version."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.manager import DagFileInfo, DagFileProcessorManager, DagFileStat

from cronlift.airflow.callback_stats import forget_stats_of_callbacks

# Airflow's in-process API asks starlette for its test client, which asks for another library.
pytestmark = pytest.mark.filterwarnings("ignore:Using .httpx. with .starlette.testclient.")

NEWEST = DagFileInfo(rel_path=Path("a.py"), bundle_name="demo", bundle_path=Path("/bundles/demo/latest"))
PINNED = DagFileInfo(
    rel_path=Path("a.py"), bundle_name="demo", bundle_path=Path("/bundles/demo/versions/1"), bundle_version="1"
)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> DagFileProcessorManager:
    """Return a manager that has parsed the file, and has just handled a callback of a pinned run."""
    handle: Any = DagFileProcessorManager.handle_parsing_result
    # A bundle that another test made has cured this process already.
    airflows_own = handle.__wrapped__ if hasattr(handle, "forgets_callbacks") else handle
    monkeypatch.setattr(DagFileProcessorManager, "handle_parsing_result", airflows_own)
    found = DagFileProcessorManager(max_runs=-1)
    found._file_stats[NEWEST] = DagFileStat(last_finish_time=datetime.now(UTC), run_count=1)
    monkeypatch.setattr(found, "_get_team_name", lambda name: None)
    monkeypatch.setattr(found, "_sort_by_mtime", lambda files: (list(files), set()))
    return found


def call_back(parsed: DagFileProcessorManager) -> None:
    process: Any = SimpleNamespace(had_callbacks=True, parsing_result=None, start_time=0.0)
    parsed.handle_parsing_result(PINNED, process, session=None)  # type: ignore[arg-type]


def queued(parsed: DagFileProcessorManager) -> list[DagFileInfo]:
    parsed._file_queue.clear()
    parsed.prepare_file_queue({"demo": {NEWEST}})
    return list(parsed._file_queue)


def test_callback_of_a_pinned_run_parses_nothing_again(parsed: DagFileProcessorManager) -> None:
    forget_stats_of_callbacks()
    forget_stats_of_callbacks()
    call_back(parsed)
    assert set(parsed._file_stats) == {NEWEST}
    assert queued(parsed) == []


def test_airflow_still_needs_it(parsed: DagFileProcessorManager) -> None:
    call_back(parsed)
    assert queued(parsed) == [NEWEST], "Airflow is cured: remove callback_stats.py"
