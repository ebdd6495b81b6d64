"""What the notifier tells, to whom, and what it remembers; its database and servers are in tests/integration."""

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest

from tests.chart.test_scripts import load

notify = load("notify")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROUTES = {
    "billing": {"emails": ["billing@example.com"], "webhook": "/run/webhooks/billing/url"},
    "demo": {"emails": ["demo@example.com"], "webhook": ""},
    "quiet": {"emails": [], "webhook": ""},
}


def event(kind="failed", team="demo", dag_id="demo__a", run_id="r1", minutes=1):
    """Return an event some minutes before now."""
    moment = NOW - timedelta(minutes=minutes)
    return notify.Event(kind, team, dag_id, run_id, moment, moment)


def told(events, state):
    """Return (team, target, subject) of what is told."""
    return [(m.team, m.target, m.subject()) for m in notify.messages(events, ROUTES, state)]


def test_each_team_is_told_of_its_own_jobs_on_each_of_its_ways():
    events = [event(), event(team="billing", dag_id="billing__b"), event(team="quiet"), event(team="unknown")]
    assert told(events, notify.State(NOW)) == [
        ("billing", "mail", "billing__b failed"),
        ("billing", "webhook", "billing__b failed"),
        ("demo", "mail", "demo__a failed"),
    ]


def test_what_happens_at_once_is_one_message():
    events = [event(dag_id="demo__a"), event("missed", dag_id="demo__b", run_id=""), event("missed", dag_id="demo__c")]
    assert told(events, notify.State(NOW)) == [("demo", "mail", "3 jobs of demo: 1 failed, 2 did not run")]


@pytest.mark.parametrize(
    ("kind", "run_id", "words"),
    [
        ("failed", "r 1", "demo__a failed: it ended at 2026-03-01 11:59:00 UTC, run r 1."),
        ("missed", "", "demo__a did not run: it was due at 2026-03-01 11:59:00 UTC."),
        ("waiting", "r1", "demo__a waits to start: it is due since 2026-03-01 11:59:00 UTC, run r1."),
    ],
)
def test_an_event_is_told_in_words(kind, run_id, words):
    assert notify.paragraph(event(kind, run_id=run_id), "") == words


def test_an_event_has_a_link_to_its_run_or_its_dag():
    base = "https://airflow.example.com/etl/"
    assert notify.link(event(run_id="manual__1+0"), base) == (
        "https://airflow.example.com/etl/dags/demo__a/runs/manual__1%2B0"
    )
    assert notify.link(event("missed", run_id=""), base) == "https://airflow.example.com/etl/dags/demo__a"


def test_nothing_is_told_twice_and_a_second_failure_is_another_one():
    state = notify.State(NOW - timedelta(minutes=2))
    first = [event()]
    state = notify.after(state, first, list(notify.messages(first, ROUTES, state)), [], NOW)
    assert told(first, state) == []
    assert told([event(minutes=0)], state) == [("demo", "mail", "demo__a failed")]


def test_what_could_not_be_sent_is_told_again_and_what_could_is_not():
    events = [event(team="billing", dag_id="billing__b", minutes=3)]
    state = notify.State(NOW - timedelta(minutes=4))
    by_mail, by_webhook = notify.messages(events, ROUTES, state)
    state = notify.after(state, events, [by_mail], [by_webhook], NOW)
    assert state.until == NOW - timedelta(minutes=3)
    assert told(events, state) == [("billing", "webhook", "billing__b failed")]


def test_an_outage_of_the_mail_server_is_bridged_for_a_day():
    assert notify.since(notify.State(NOW - timedelta(hours=20)), NOW) == NOW - timedelta(hours=20, minutes=5)
    assert notify.since(notify.State(NOW - timedelta(days=9)), NOW) == NOW - timedelta(days=1, minutes=5)


def test_the_state_survives_a_restart_and_forgets_what_is_not_looked_at_any_more():
    before = notify.State(NOW)
    state = notify.after(before, [event()], list(notify.messages([event()], ROUTES, before)), [], NOW)
    assert notify.load(state.dump()) == state
    assert json.loads(state.dump())["told"] == ["mail failed demo__a r1 2026-03-01T11:59:00+00:00"]
    assert notify.after(state, [], [], [], NOW + timedelta(hours=1)).told == frozenset()


def send_all(monkeypatch, capsys, routes, server):
    """Send a message to each team; return how many connections a server got, and what was printed."""
    monkeypatch.setattr(notify, "SEND_SECONDS", 0.3)
    smtp = {"host": "127.0.0.1", "port": server.getsockname()[1], "security": "none", "from": "a@example.com"}
    silent = set()
    for message in notify.messages([event(team=team) for team in routes], routes, notify.State(NOW)):
        notify.send(message, routes[message.team], {"CRONLIFT_SMTP": json.dumps(smtp)}, silent)
    server.settimeout(0)
    connections = 0
    try:
        while True:
            server.accept()[0].close()
            connections += 1
    except BlockingIOError:
        return connections, capsys.readouterr().err.splitlines()


def test_a_mail_server_that_hangs_is_waited_for_once_in_a_round(monkeypatch, capsys):
    routes = {team: {"emails": [f"{team}@example.com"], "webhook": ""} for team in "abc"}
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        connections, words = send_all(monkeypatch, capsys, routes, silent)
    assert connections == 1
    assert words[1:] == [
        f"Team {team} was not told by mail: its server did not answer a moment ago" for team in ("b", "c")
    ]


def test_webhooks_of_a_host_that_hangs_hold_up_those_of_no_other(monkeypatch, capsys, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as other:
        for name, server in (("a", silent), ("b", silent), ("c", other)):
            (tmp_path / name).write_text(f"http://127.0.0.1:{server.getsockname()[1]}/{name}")
        routes = {team: {"emails": [], "webhook": str(tmp_path / team)} for team in "abc"}
        connections, words = send_all(monkeypatch, capsys, routes, silent)
        other.settimeout(5)
        other.accept()[0].close()
    assert connections == 1
    assert [line.partition(": ")[2] for line in words] == [
        "timed out", "its server did not answer a moment ago", "timed out"
    ]  # fmt: skip


def test_what_hung_in_the_round_before_comes_last():
    routes = {team: {"emails": [f"{team}@example.com"], "webhook": "/x"} for team in "ab"}
    found = notify.messages([event(team=team) for team in routes], routes, notify.State(NOW))
    turns = [(each.team, each.target) for each in notify.in_turn(found, {("a", "mail")})]
    assert turns == [("a", "webhook"), ("b", "mail"), ("b", "webhook"), ("a", "mail")]


def test_a_server_that_refuses_is_given_the_next_message(capsys):
    smtp = {"host": "127.0.0.1", "port": 1, "security": "none", "from": "a@example.com"}
    [message] = notify.messages([event()], ROUTES, notify.State(NOW))
    silent = set()
    assert not notify.send(message, ROUTES["demo"], {"CRONLIFT_SMTP": json.dumps(smtp)}, silent)
    assert "Connection refused" in capsys.readouterr().err
    assert silent == set()
