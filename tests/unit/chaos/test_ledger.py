import json
from typing import Any

import pytest

from tests.live import ledger
from tests.live.ledger import Ledger


def job(uid: str, **status: Any) -> dict[str, Any]:
    annotations = {
        f"cronlift.dev/{key}": value for key, value in {"run-id": "r", "task-id": "t", "try-number": "2"}.items()
    }
    return {"metadata": {"name": f"job-{uid}", "uid": uid, "annotations": annotations}, "status": status}


def condition(kind: str, status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status, "lastTransitionTime": "2026-11-23T10:00:00Z"}


class Book(Ledger):
    """A ledger whose API server holds what the test gives it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__("team")
        self._monkeypatch = monkeypatch

    def list_jobs(self, *items: dict[str, Any]) -> None:
        page = json.dumps({"metadata": {"resourceVersion": "7"}, "items": items})
        self._monkeypatch.setattr(ledger, "kubectl", lambda *_, **__: page)
        assert self._list("jobs") == "7"


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> Book:
    return Book(monkeypatch)


def test_a_job_is_live_until_a_condition_of_its_own_is_true(book: Book) -> None:
    book.list_jobs(job("a"))
    assert book.jobs("r")[0].is_live
    book.list_jobs(job("a", conditions=[condition("FailureTarget"), condition("Failed", "False")]))
    assert book.jobs("r")[0].is_live
    book.list_jobs(job("a", conditions=[condition("Failed")]))
    [record] = book.jobs("r")
    assert (record.verdict, record.ended_at, record.is_live) == ("Failed", 1795428000.0, False)


def test_a_job_that_went_away_while_nobody_watched_is_gone_and_its_successor_another_one(book: Book) -> None:
    book.list_jobs(job("a"))
    book.list_jobs(job("b"))
    former, successor = book.jobs("r")
    assert (former.uid, former.is_live) == ("a", False)
    assert former.gone_at is not None
    assert (successor.uid, successor.is_live, successor.try_number) == ("b", True, 2)


def test_jobs_of_other_runs_are_not_counted(book: Book) -> None:
    book.list_jobs(job("a"))
    assert book.jobs("another") == []
