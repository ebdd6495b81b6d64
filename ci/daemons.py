"""Keep a program running behind this one: started detached, ended by the pid that was recorded, never by name."""

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ci.errors import CiError

STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Daemon:
    """A background program of this clone.

    Attributes:
        name: Names its record and its log.
        folder: Where the record `<name>.json` lies.
        log: The file that takes its output.
    """

    name: str
    folder: Path
    log: Path

    @property
    def record(self) -> Path:
        """The file that holds its pid, start time and command."""
        return self.folder / f"{self.name}.json"

    def pid(self) -> int | None:
        """Return the pid when it runs, None when it does not; a recycled pid is not taken for it."""
        try:
            recorded = json.loads(self.record.read_text())
        except (OSError, ValueError):
            return None
        pid = int(recorded["pid"])
        return pid if start_ticks(pid) == recorded["start_ticks"] else None

    def start(self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> int:
        """Start it unless the very same command runs already; return its pid."""
        words = [str(word) for word in command]
        pid = self.pid()
        if pid and json.loads(self.record.read_text())["command"] == words:
            return pid
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        null = os.open(os.devnull, os.O_RDONLY)
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        # Not subprocess: its handle complains when this program ends before the daemon, which is the point here.
        pid = os.posix_spawnp(
            words[0],
            words,
            {**os.environ, **(env or {})},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                *((os.POSIX_SPAWN_DUP2, log, fd) for fd in (1, 2)),
                *((os.POSIX_SPAWN_CLOSE, fd) for fd in _inherited_files()),
            ],
            setsid=True,
        )
        os.close(null)
        os.close(log)
        self.record.write_text(json.dumps({"pid": pid, "start_ticks": start_ticks(pid), "command": words}))
        return pid

    def stop(self) -> None:
        """End it by SIGTERM, after 10 s by SIGKILL; does nothing when it does not run.

        Raises:
            CiError: It outlived SIGKILL.
        """
        pid = self.pid()
        if pid:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):  # it ended by itself in between
                    os.kill(pid, number)
                if _wait_gone(self, STOP_SECONDS):
                    break
            else:
                raise CiError(f"{self.name} (pid {pid}) did not end on SIGKILL")
        self.record.unlink(missing_ok=True)


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None when there is none or it is a zombie.

    Source: proc(5), fields 3 and 22 of /proc/PID/stat; the name in field 2 may hold spaces and brackets.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _inherited_files() -> list[int]:
    """Return the open files that a program we start would get from us: a lock that our caller holds would never end."""
    found = []
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # the one that this very listing had open
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
    return found


def _wait_gone(daemon: Daemon, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if daemon.pid() is None:
            return True
        time.sleep(0.05)
    return False
