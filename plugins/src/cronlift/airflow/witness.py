"""Watches a DAG file while it is imported: what it asks of others, and what it says of its DAGs itself.

For a process that imports one file and ends: what is set up here is not taken back.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

from airflow.sdk.exceptions import AirflowSecretsBackendAccessDenied

_NETWORK_EVENTS = frozenset(("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"))
"""Source: https://docs.python.org/3/library/audit_events.html; what extensions in C do is not among them."""

_CURES = {
    "variable": "Read it in the manifest, as {{ var.value.NAME }}, or in the task; git holds what a DAG is made from.",
    "connection": "Read it in the manifest, as {{ conn.NAME }}, or in the task.",
    "network": "Ask in the task. The DAG processor imports the file again and again, also when nobody answers.",
}


class ForbiddenWhileImportingError(AirflowSecretsBackendAccessDenied):
    """A DAG file asked for a variable, a connection or the network while it was imported.

    Airflow falls back to another secrets backend, or to a default, on every error but this one's base.
    """


@dataclass(frozen=True)
class Request:
    """What a file asked for.

    Attributes:
        kind: "variable", "connection" or "network".
        what: The request in words.
        cure: What to do instead.
        file: The file of the bundle that asked, or None.
        line: Line in it, or None.
    """

    kind: str
    what: str
    cure: str
    file: Path | None
    line: int | None


@dataclass
class Construction:
    """How a file made a DAG.

    Attributes:
        given: Names of the arguments that it gave.
        start_date_aware: Whether the start date that it gave has a time zone.
        line: Line of the call, None when it is not in the file.
    """

    given: frozenset[str]
    start_date_aware: bool
    line: int | None


@dataclass
class Witness:
    """What was seen.

    Attributes:
        folder: The bundle's; lines are told of files in it.
        file: The DAG file.
        requests: In order.
        invalid: DAGs that Airflow's own look at them refused, with the error.
    """

    folder: Path
    file: Path
    requests: list[Request] = field(default_factory=list)
    invalid: list[tuple[Any, Exception]] = field(default_factory=list)
    _made: dict[int, Construction] = field(default_factory=dict)

    def construction(self, dag: Any) -> Construction:
        """Return how a DAG was made."""
        return self._made.get(id(dag), Construction(frozenset(), False, None))

    def watch(self) -> None:
        """Refuse variables, connections and the network from now on in this process, and note how DAGs are made."""
        from airflow.sdk import DAG
        from airflow.sdk.execution_time import task_runner

        # The DAG processor sets the same name, and asks its manager there.
        task_runner.SUPERVISOR_COMMS = self  # type: ignore[assignment]
        sys.addaudithook(self._hear)
        original = DAG.__init__

        @wraps(original)
        def make(dag: Any, *args: Any, **more: Any) -> None:
            original(dag, *args, **more)
            caller = sys._getframe(1)
            dag.fileloc = caller.f_code.co_filename  # which Airflow took from its caller's caller: ourselves
            self._made[id(dag)] = Construction(
                frozenset(more),
                _is_aware(more.get("start_date") or (more.get("default_args") or {}).get("start_date")),
                next((frame.f_lineno for frame in _frames(caller) if frame.f_code.co_filename == str(self.file)), None),
            )

        DAG.__init__ = make  # type: ignore[assignment, method-assign]
        look = DAG.validate

        def validate(dag: Any) -> None:
            try:
                look(dag)  # type: ignore[no-untyped-call]
            except Exception as error:  # of which Airflow keeps the words alone
                self.invalid.append((dag, error))
                raise

        DAG.validate = validate  # type: ignore[method-assign]

    def send(self, message: Any) -> Any:
        """Stand in for the DAG processor's manager, which answers what DAG files ask.

        Raises:
            ForbiddenWhileImportingError: It is about a variable or a connection.
        """
        name = type(message).__name__
        kind = next((each for each in ("variable", "connection") if each in name.lower()), None)
        if kind is None:
            return None
        key = getattr(message, "key", None) or getattr(message, "conn_id", None) or "by prefix"
        raise self._refuse(kind, f"the file asks for {kind} {key!r} while it is imported")

    def _hear(self, event: str, details: tuple[Any, ...]) -> None:
        if event in _NETWORK_EVENTS:
            where = details[1] if event in ("socket.connect", "socket.sendto") else details[0]
            raise self._refuse("network", f"the file uses the network while it is imported ({event} {where})")

    def _refuse(self, kind: str, what: str) -> ForbiddenWhileImportingError:
        place = next((frame for frame in _frames(sys._getframe(2)) if self._is_ours(frame)), None)
        file = Path(place.f_code.co_filename) if place is not None else None
        found = Request(kind, what, _CURES[kind], file, place.f_lineno if place is not None else None)
        if found not in self.requests:
            self.requests.append(found)
        return ForbiddenWhileImportingError(f"{what}. {found.cure}")

    def _is_ours(self, frame: FrameType) -> bool:
        return Path(frame.f_code.co_filename).is_relative_to(self.folder)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_aware(moment: Any) -> bool:
    with suppress(AttributeError):
        return moment.tzinfo is not None
    return False
