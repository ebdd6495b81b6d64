"""What the UI's home page warns of, and that Airflow takes it."""

from datetime import UTC, datetime, timedelta

import pytest
from airflow.api_fastapi.common.types import UIAlert

from cronlift.airflow import banner
from cronlift.airflow.source_links import web_only

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def state(checked=1, synced=2.0, refusal=""):
    checked_at = (NOW - timedelta(seconds=checked)).isoformat()
    return {
        "commit": "c" * 40,
        "version": "v",
        "refusal": refusal,
        "checked_at": checked_at,
        "synced_seconds_ago": synced,
    }


@pytest.mark.parametrize("ref", ["", "main", "refs/heads/main"])
def test_main_in_sync_needs_no_word(ref):
    assert banner.words(ref, {"demo": state()}, NOW) == []


def test_another_ref_than_main_is_told():
    assert banner.words("feature/x", {}, NOW) == [
        "The DAGs here come from `feature/x` of the repository, not from `main`."
    ]


@pytest.mark.parametrize("stale", [state(synced=600.0), state(checked=600), state(checked=200, synced=200.0)])
def test_sync_that_stands_still_is_told_once_for_all_bundles(stale):
    (text,) = banner.words("main", {"demo": stale, "billing": stale, "good": state()}, NOW)
    assert "have not arrived for" in text
    assert "(billing, demo)" in text


def test_refusal_is_told_with_what_is_kept():
    (text,) = banner.words("main", {"demo": state(refusal="4 of 5 Python files are gone")}, NOW)
    assert text == f"Bundle `demo` stays at `{'c' * 12}`: 4 of 5 Python files are gone."


def test_bundle_of_which_nothing_is_known_is_no_alarm():
    assert banner.words("main", {"demo": {}}, NOW) == []


def test_airflow_shows_what_is_so_now_and_not_what_was_so_at_its_start(monkeypatch):
    """The page's route: `[alert for alert in DASHBOARD_UIALERTS if isinstance(alert, UIAlert)]`."""
    alerts = banner.DeliveryAlerts()
    states = {}
    monkeypatch.setattr(banner, "read_states", lambda: states)
    monkeypatch.setattr(banner, "CACHE_SECONDS", 0.0)
    monkeypatch.setenv("CRONLIFT_GIT_REF", "main")
    shown = lambda: [alert.text for alert in alerts if isinstance(alert, UIAlert)]  # noqa: E731 - as the route does
    assert shown() == []
    states["demo"] = {**state(refusal="emptied"), "checked_at": datetime.now(UTC).isoformat()}
    assert shown() == [f"Bundle `demo` stays at `{'c' * 12}`: emptied."]
    alerts.append(UIAlert(text="Ours", category="info"))
    assert shown()[0] == "Ours"
    states.clear()
    assert shown() == ["Ours"]


def test_database_that_does_not_answer_is_no_reason_to_hide_the_page(monkeypatch):
    from sqlalchemy.exc import OperationalError

    def fail():
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr(banner, "read_states", fail)
    assert list(banner.DeliveryAlerts()) == []


@pytest.mark.parametrize(
    ("address", "result"),
    [("https://github.com/a", "https://github.com/a"), ("javascript:alert(1)", None), (None, None), ({"x": 1}, None)],
)
def test_only_addresses_of_the_web_are_led_on_to(address, result):
    assert web_only(address) == result
