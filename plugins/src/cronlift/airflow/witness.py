"""Watches a DAG file while it is imported: what it asks of others, and what it says of its DAGs itself.

For a process that imports one file and ends: what is set up here is not taken back.
"""

import os
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

_PROCESS_EVENTS = frozenset(
    ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty")
)
_ASKS_THE_MACHINE = frozenset(("platform", "ctypes.util", "uuid"))
"""Modules of Python that start a program to answer what the machine is like, or where a library lies."""

_CURES = {
    "variable": "Read it in the manifest, as {{ var.value.NAME }}, or in the task; git holds what a DAG is made from.",
    "connection": "Read it in the manifest, as {{ conn.NAME }}, or in the task.",
    "process": "Run it in the task: a Job. The DAG processor would start it at each import.",
    "network": "Ask in the task. The DAG processor imports the file again and again, also when nobody answers.",
}


def _variable(key: str) -> Any:
    from airflow.sdk.execution_time.comms import VariableResult

    return VariableResult(key=key, value="0")  # a number, a text and JSON


def _connection(key: str) -> Any:
    from airflow.sdk.execution_time.comms import ConnectionResult

    empty = dict.fromkeys(("host", "schema", "login", "password", "extra"), "")
    return ConnectionResult(conn_id=key, conn_type="generic", port=0, **empty)  # type: ignore[arg-type]


_STAND_INS = {"GetVariable": _variable, "GetConnection": _connection}


class ForbiddenWhileImportingError(AirflowSecretsBackendAccessDenied):
    """A DAG file asked for a variable, a connection, the network or another process while it was imported.

    Airflow falls back to another secrets backend, or to a default, on every error but this one's base.
    """


@dataclass(frozen=True)
class Request:
    """What a file asked for.

    Attributes:
        kind: "variable", "connection", "network" or "process".
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

    @property
    def used_stand_ins(self) -> bool:
        """Whether DAGs may be made of what was never there."""
        return any(each.kind in ("variable", "connection") for each in self.requests)

    def construction(self, dag: Any) -> Construction:
        """Return how a DAG was made."""
        return self._made.get(id(dag), Construction(frozenset(), False, None))

    def watch(self) -> None:
        """Refuse all that a file may not ask for from now on in this process, and note how DAGs are made."""
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

        Returns:
            A stand-in for a variable or a connection, so that the file goes on and all that it asks for is told.

        Raises:
            ForbiddenWhileImportingError: It is about a variable or a connection, but for getting it.
        """
        name = type(message).__name__
        kind = next((each for each in ("variable", "connection") if each in name.lower()), None)
        if kind is None:
            return None
        key = getattr(message, "key", None) or getattr(message, "conn_id", None) or "by prefix"
        error = self._refuse(kind, f"the file asks for {kind} {key!r} while it is imported")
        answer = _STAND_INS.get(name)
        if answer is None:
            raise error
        return answer(str(key))

    def _hear(self, event: str, details: tuple[Any, ...]) -> None:
        if event in _NETWORK_EVENTS:
            where = details[1] if event in ("socket.connect", "socket.sendto") else details[0]
            raise self._refuse("network", f"the file uses the network while it is imported ({event} {where})")
        if event in _PROCESS_EVENTS and self._is_meant(sys._getframe(1)):
            raise self._refuse(
                "process", f"the file starts a process while it is imported ({_program(event, details)})"
            )

    def _refuse(self, kind: str, what: str) -> ForbiddenWhileImportingError:
        place = next((frame for frame in _frames(sys._getframe(2)) if self._is_ours(frame)), None)
        file = Path(place.f_code.co_filename) if place is not None else None
        found = Request(kind, what, _CURES[kind], file, place.f_lineno if place is not None else None)
        if found not in self.requests:
            self.requests.append(found)
        return ForbiddenWhileImportingError(f"{what}. {found.cure}")

    def _is_meant(self, frame: FrameType) -> bool:
        """Tell whether a process is the file's own doing, not that of Python or of a package while it is imported."""
        for each in _frames(frame):
            if self._is_ours(each):
                return True
            name = each.f_globals.get("__name__")
            if name in _ASKS_THE_MACHINE or each.f_code.co_filename.startswith("<frozen importlib"):
                return False
        return False

    def _is_ours(self, frame: FrameType) -> bool:
        return Path(frame.f_code.co_filename).is_relative_to(self.folder)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _program(event: str, details: tuple[Any, ...]) -> str:
    """Return the call and the program that an audit event names, without what it is told: that may be a secret."""
    index = 1 if event == "os.spawn" else 0
    given = details[index] if len(details) > index and details[index] is not None else ""
    if event == "subprocess.Popen" and not given and details[1]:
        given = details[1] if isinstance(details[1], (str, bytes)) else details[1][0]
    words = os.fsdecode(given).split() if isinstance(given, (str, bytes, os.PathLike)) else []
    return f"{event} {words[0]}" if words else event


def _is_aware(moment: Any) -> bool:
    with suppress(AttributeError):
        return moment.tzinfo is not None
    return False
