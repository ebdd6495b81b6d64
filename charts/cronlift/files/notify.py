"""Tell teams by mail and webhook that a job of theirs failed, did not run or waits: notify.py [--once].

Reads Airflow's database every 15 s, so it needs neither Prometheus nor a living scheduler: a job that nobody started is
told too. What happens within one round is one message for a team. How far it has told is an Airflow variable, written
after each message, so a restart forgets nothing and repeats at most the one that it broke into; what cannot be sent is
tried again for a day.
"""

import contextlib
import http.client
import json
import os
import smtplib
import ssl
import sys
import time
import urllib.request
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import cronlift_database
import psycopg2

ALIVE = Path("/tmp/alive")  # noqa: S108 - the pod's own memory
ROUND_SECONDS = 15
SEND_SECONDS = 20
OVERLAP = timedelta(minutes=5)
"""Looked at again in each round: a transaction shows its times only when it ends."""

KEEP_TRYING = timedelta(days=1)
OLDEST_RUN = timedelta(days=3)
"""Runs due before are not looked at, for the index on run_after: somebody is at work on them."""

VARIABLE = "cronlift__notified"
WORDS = {"failed": "failed", "missed": "did not run", "waiting": "waits to start"}
TIMES = {"failed": "ended at", "missed": "was due at", "waiting": "is due since"}

QUERY = """
SELECT 'failed', d.bundle_name, r.dag_id, r.run_id, r.end_date, r.end_date
FROM dag_run r JOIN dag d ON d.dag_id = r.dag_id
WHERE r.state = 'failed' AND r.end_date > %(since)s AND r.run_after > now() - %(oldest)s
UNION ALL
SELECT 'missed', bundle_name, dag_id, '', next_dagrun_create_after, next_dagrun_create_after + %(late)s
FROM dag
WHERE NOT is_paused AND NOT is_stale
  AND next_dagrun_create_after <= now() - %(late)s AND next_dagrun_create_after > %(since)s - %(late)s
UNION ALL
SELECT 'waiting', d.bundle_name, r.dag_id, r.run_id, r.run_after, r.run_after + %(late)s
FROM dag_run r JOIN dag d ON d.dag_id = r.dag_id
WHERE r.state = 'queued' AND r.run_after <= now() - %(late)s AND r.run_after > %(since)s - %(late)s
ORDER BY 6
"""


@dataclass(frozen=True)
class Event:
    """What happened to a job.

    Attributes:
        kind: `failed`, `missed` or `waiting`.
        team: The DAG's bundle.
        dag_id: The DAG.
        run_id: The run; empty for one that was not made.
        at: The time to tell: its end, or when it was due.
        known_at: When it became an event: its end, or when it was too late.
    """

    kind: str
    team: str
    dag_id: str
    run_id: str
    at: datetime
    known_at: datetime

    def key(self, target: str) -> str:
        """Return what tells this event, sent to a target, from all others."""
        return " ".join((target, self.kind, self.dag_id, self.run_id, self.known_at.isoformat()))


@dataclass(frozen=True)
class State:
    """How far all is told: everything before `until`, and of what is younger the keys in `told`."""

    until: datetime
    told: frozenset[str] = frozenset()

    def dump(self) -> str:
        """Return it as the variable's text."""
        return json.dumps({"until": self.until.isoformat(), "told": sorted(self.told)})


def load(text: str) -> State:
    """Return what `State.dump` wrote."""
    found = json.loads(text)
    return State(datetime.fromisoformat(found["until"]), frozenset(found["told"]))


def keys(events: Iterable[Event]) -> frozenset[str]:
    """Return the keys of events for every target."""
    return frozenset(event.key(target) for event in events for target in ("mail", "webhook"))


def since(state: State, now: datetime) -> datetime:
    """Return how far back to look."""
    return max(state.until, now - KEEP_TRYING) - OVERLAP


@dataclass(frozen=True)
class Message:
    """Events of one team for one target, `mail` or `webhook`."""

    team: str
    target: str
    events: tuple[Event, ...]

    def subject(self) -> str:
        """Return the first line: what happened to the job, or how many jobs."""
        if len(self.events) == 1:
            return f"{self.events[0].dag_id} {WORDS[self.events[0].kind]}"
        counts = {kind: sum(event.kind == kind for event in self.events) for kind in WORDS}
        parts = ", ".join(f"{count} {WORDS[kind]}" for kind, count in counts.items() if count)
        return f"{len(self.events)} jobs of {self.team}: {parts}"

    def body(self, base_url: str) -> str:
        """Return a paragraph for each event, with its link where the address of the UI is known."""
        return "\n\n".join(paragraph(event, base_url) for event in self.events)


def paragraph(event: Event, base_url: str) -> str:
    """Return one event in words."""
    run = f", run {event.run_id}" if event.run_id else ""
    first = f"{event.dag_id} {WORDS[event.kind]}: it {TIMES[event.kind]} {event.at.astimezone(UTC):%F %T} UTC{run}."
    return "\n".join([first, link(event, base_url)] if base_url else [first])


def link(event: Event, base_url: str) -> str:
    """Return the page of the run, or of the DAG."""
    page = f"{base_url.rstrip('/')}/dags/{quote(event.dag_id, safe='')}"
    return f"{page}/runs/{quote(event.run_id, safe='')}" if event.run_id else page


def messages(events: Iterable[Event], routes: Mapping[str, Mapping[str, Any]], state: State) -> Iterator[Message]:
    """Yield what is to be told: a message for each team and target that has news."""
    found = list(events)
    for team, route in routes.items():
        for target in [name for name, key in (("mail", "emails"), ("webhook", "webhook")) if route[key]]:
            news = tuple(event for event in found if event.team == team and event.key(target) not in state.told)
            if news:
                yield Message(team, target, news)


def in_turn(found: Iterable[Message], failed: Container[tuple[str, str]]) -> list[Message]:
    """Return messages with those last whose team and target could not be told in the round before.

    What hangs for one of them must not keep a server from all others, round after round.
    """
    return sorted(found, key=lambda message: (message.team, message.target) in failed)


def after(
    state: State, events: Iterable[Event], sent: Iterable[Message], unsent: Iterable[Message], now: datetime
) -> State:
    """Return the state after a round.

    Args:
        state: Before it.
        events: All that was seen in it.
        sent: What was told.
        unsent: What could not be; it holds `until` back.
        now: When the round began.
    """
    told = state.told | {event.key(message.target) for message in sent for event in message.events}
    waiting = [event.known_at for message in unsent for event in message.events]
    return State(min([now, *waiting]), told & keys(events))


def mail(message: Message, to: list[str], environment: Mapping[str, str]) -> None:
    """Send a message to a team's addresses.

    Raises:
        OSError: The server does not answer, or refuses; `smtplib.SMTPException` is one.
    """
    smtp = json.loads(environment["CRONLIFT_SMTP"])
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = message.subject(), smtp["from"], ", ".join(to)
    letter["Date"], letter["Message-ID"] = formatdate(), make_msgid(domain=smtp["from"].rpartition("@")[2])
    letter.set_content(message.body(environment.get("AIRFLOW__API__BASE_URL", "")))
    context = ssl.create_default_context()
    where = (smtp["host"], int(smtp["port"]))
    with (
        smtplib.SMTP_SSL(*where, timeout=SEND_SECONDS, context=context)
        if smtp["security"] == "tls"
        else smtplib.SMTP(*where, timeout=SEND_SECONDS)
    ) as server:
        if smtp["security"] == "starttls":
            server.starttls(context=context)
        if user := environment.get("CRONLIFT_SMTP_USERNAME"):
            server.login(user, environment["CRONLIFT_SMTP_PASSWORD"])
        server.send_message(letter)


def webhook(url_file: str) -> str:
    """Return the address of a team's webhook.

    Raises:
        ValueError: The file holds no http address.
    """
    url = Path(url_file).read_text().strip()
    if not url.startswith(("https://", "http://")) or not url.isprintable() or " " in url:
        raise ValueError("the webhook's Secret holds no address that begins with https:// or http://")
    return url


def post(message: Message, url: str, environment: Mapping[str, str]) -> None:
    """Send a message to a team's webhook; `text` is what Slack, Mattermost and Teams show.

    Raises:
        OSError: It does not answer, or with an error; `urllib.error.HTTPError` is one.
    """
    base_url = environment.get("AIRFLOW__API__BASE_URL", "")
    events = [
        {
            "kind": event.kind,
            "dag_id": event.dag_id,
            "run_id": event.run_id,
            "at": event.at.astimezone(UTC).isoformat(),
            "url": link(event, base_url) if base_url else "",
        }
        for event in message.events
    ]
    content = {
        "text": f"{message.subject()}\n{message.body(base_url)}",
        "deployment": environment.get("CRONLIFT_DEPLOYMENT", ""),
        "team": message.team,
        "events": events,
    }
    request = urllib.request.Request(  # noqa: S310 - looked at above
        url, data=json.dumps(content).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=SEND_SECONDS):  # noqa: S310
        pass


@contextlib.contextmanager
def patience(server: str, silent: set[str]) -> Iterator[None]:
    """Wait for a server that hangs only once in a round.

    Judged by the time, not by the error: a refusal costs nothing, and the next message may be taken.

    Args:
        server: What the block talks to.
        silent: Servers that hung in this round; this one is added when it does too.

    Raises:
        ConnectionError: It is among them.
    """
    if server in silent:
        raise ConnectionError("its server did not answer a moment ago")
    started = time.monotonic()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if time.monotonic() - started > SEND_SECONDS / 2:
            silent.add(server)
        raise


def send(message: Message, route: Mapping[str, Any], environment: Mapping[str, str], silent: set[str]) -> bool:
    """Send a message and tell whether that went well; never says where to, which is a secret of webhooks."""
    try:
        if message.target == "mail":
            with patience("mail server", silent):
                mail(message, route["emails"], environment)
        else:
            url = webhook(route["webhook"])
            with patience(urlsplit(url).netloc, silent):
                post(message, url, environment)
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"Team {message.team} was not told by {message.target}: {error}", file=sys.stderr, flush=True)
        return False
    print(f"Told team {message.team} by {message.target}: {message.subject()}", flush=True)
    return True


def look(cursor: "psycopg2.extensions.cursor", start: datetime, late: timedelta) -> list[Event]:
    """Return what happened since."""
    cursor.execute(QUERY, {"since": start, "late": late, "oldest": OLDEST_RUN})
    return [Event(*row) for row in cursor.fetchall()]


def remember(connection: "psycopg2.extensions.connection", state: State) -> None:
    """Write down how far all is told."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO variable (key, val, description, is_encrypted) VALUES (%s, %s, %s, false) "
            "ON CONFLICT (key) DO UPDATE SET val = excluded.val, is_encrypted = false",
            (VARIABLE, state.dump(), "How far teams were told of their jobs; written by the notifier."),
        )


def one_round(
    environment: Mapping[str, str], deliver: Callable[..., bool] = send, failed: set[tuple[str, str]] | None = None
) -> None:
    """Look, tell, and write down what was told.

    Args:
        environment: The pod's.
        deliver: Sends a message; tells whether it was taken.
        failed: Team and target of what could not be sent in the round before; after it, in this one.

    Raises:
        psycopg2.Error: The database does not answer.
    """
    routes = json.loads(environment["CRONLIFT_ROUTES"])
    late = timedelta(seconds=int(environment["CRONLIFT_LATE_SECONDS"]))
    with contextlib.closing(cronlift_database.connect(timeout_seconds=5)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', '10s', true)")
            cursor.execute("SELECT now(), (SELECT val FROM variable WHERE key = %s)", (VARIABLE,))
            now, text = cursor.fetchone()
            state = State(now) if text is None else load(text)
            events = look(cursor, since(state, now), late)
            if text is None:
                # The very first round: nothing of the past is news.
                state = State(now, keys(events))
        done: dict[bool, list[Message]] = {True: [], False: []}
        silent: set[str] = set()
        failed = set() if failed is None else failed
        for message in in_turn(messages(events, routes, state), failed):
            sent = deliver(message, routes[message.team], environment, silent)
            done[sent].append(message)
            # Each message may take as long as its server lets it: the pod is alive as long as one after the other ends.
            ALIVE.touch()
            if sent:
                # `until` waits for the end of the round: what comes after this message is not told yet.
                remember(connection, State(state.until, after(state, events, done[True], [], now).told))
        failed.clear()
        failed.update((message.team, message.target) for message in done[False])
        new = after(state, events, done[True], done[False], now)
        # Once a minute, or when there is something to remember: each write makes a row that PostgreSQL must clean up.
        if text is None or new.told != state.told or new.until - state.until > timedelta(minutes=1):
            remember(connection, new)


def main() -> int:
    """Go on for ever, or with --once one round."""
    failed: set[tuple[str, str]] = set()
    while True:
        started = time.monotonic()
        try:
            one_round(os.environ, failed=failed)
        except psycopg2.Error as error:
            print(f"Nothing was looked at: {str(error).strip()}", file=sys.stderr, flush=True)
            if "--once" in sys.argv:
                return 1
        if "--once" in sys.argv:
            return 0
        ALIVE.touch()
        time.sleep(max(0.0, ROUND_SECONDS - (time.monotonic() - started)))


if __name__ == "__main__":
    sys.exit(main())
