"""Start the job's shell as the old daemon did, copy what it writes, and wait for its end."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from .report import Ending

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
"""What a Pod's end, or a person, sends; it is for the job."""

CHUNK_BYTES = 65536
STILL_OPEN_SECONDS = 2.0
"""How long after the shell's end its output may stay open before the log says who holds it."""

Sink = Callable[[bytes], None]
"""Gets the output in order, piece by piece."""


class Shell:
    """A job's shell with everything that it started.

    Args:
        arguments: The program and its arguments.
        environment: Its whole environment.
        folders: Working directories to try, in order; the first one that can be entered is it.
        stdin: File to read; None for an empty input.
        refusal: What to write when the program cannot be run, with {shell} and {cause}; the exit code is then 1.
    """

    def __init__(
        self,
        arguments: Sequence[bytes],
        environment: Mapping[str, str],
        folders: Sequence[str],
        stdin: str | None,
        refusal: str,
    ) -> None:
        self._arguments = list(arguments)
        self._environment = dict(environment)
        self._folders = folders
        self._stdin = stdin
        self._refusal = refusal
        self._pid = 0
        self._ending: Ending | None = None
        self._started = 0.0

    def run(self, out: Sink, err: Sink | None = None, tell: Callable[[str], None] = lambda text: None) -> Ending:
        """Run it to its end.

        Args:
            out: Takes what it writes; both streams through one pipe, so their order is kept.
            err: Takes its stderr, through a pipe of its own; None to join it to `out`.
            tell: Takes a sentence about processes that hold the output, or that are left behind.

        Returns:
            How the shell ended. What it started in the background is waited for as long as it can write to the output.
        """
        sinks = [out] if err is None else [out, err]
        pipes = [os.pipe() for _ in sinks]
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        before = {number: signal.getsignal(number) for number in (*FORWARDED, signal.SIGCHLD)}
        old_wakeup = signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        try:
            # Blocked until there is a process to pass them on to.
            signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
            for number in FORWARDED:
                signal.signal(number, self._forward)
            signal.signal(signal.SIGCHLD, lambda number, frame: None)
            self._start([write for _, write in pipes])
            signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
            self._copy({read: sink for (read, _), sink in zip(pipes, sinks)}, wake_read, tell)  # noqa: B905
        finally:
            signal.set_wakeup_fd(old_wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(wake_read)
            os.close(wake_write)
        if left := self.processes():
            tell(f"left in the background, ends with the Pod: {', '.join(left)}")
        assert self._ending is not None
        return self._ending

    def processes(self) -> list[str]:
        """Return the processes of the job's session, as `<pid> <name>`."""
        return [f"{pid} {name}" for pid, name, _ in _session(self._pid)]

    def _start(self, writes: list[int]) -> None:
        self._started = time.monotonic()
        self._pid = os.fork()
        if self._pid:
            for each in writes:
                os.close(each)
            return
        try:
            self._become(writes)
        except OSError as error:
            text = self._refusal.format(shell=os.fsdecode(self._arguments[0]), cause=error.strerror)
            os.write(2, os.fsencode(text))
        finally:
            os._exit(1)

    def _become(self, writes: list[int]) -> None:
        """Turn this process, a fresh fork, into the shell."""
        os.setsid()
        stdin = os.open(self._stdin or os.devnull, os.O_RDONLY)
        os.dup2(stdin, 0)
        os.dup2(writes[0], 1)
        os.dup2(writes[-1], 2)
        os.umask(0o022)
        for number in (*FORWARDED, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores the last two
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for folder in self._folders:
            try:
                os.chdir(folder)
                break
            except OSError:
                continue
        environment = {os.fsencode(name): os.fsencode(value) for name, value in self._environment.items()}
        os.closerange(3, 256)
        os.execve(self._arguments[0], self._arguments, environment)

    def _copy(self, sinks: dict[int, Sink], wake: int, tell: Callable[[str], None]) -> None:
        """Copy until the shell has ended and nobody can write any more."""
        poll = select.poll()
        for read in (*sinks, wake):
            poll.register(read, select.POLLIN)
        open_pipes = dict(sinks)
        told = False
        while open_pipes or self._ending is None:
            waiting = STILL_OPEN_SECONDS * 1000 if self._ending is not None and not told else None
            ready = [handle for handle, _ in poll.poll(waiting)]
            if not ready and not told:
                told = True
                tell(f"the shell has ended; waiting for what still holds its output: {self._holders()}")
            if wake in ready:
                while _read(wake):
                    pass
                self._reap()
            for handle in ready:
                if handle == wake:
                    continue
                if data := _read(handle):
                    open_pipes[handle](data)
                else:
                    poll.unregister(handle)
                    os.close(handle)
                    del open_pipes[handle]

    def _holders(self) -> str:
        return ", ".join(self.processes()) or "a process that left the job's session"

    def _reap(self) -> None:
        if self._ending is not None:
            return
        pid, status, usage = os.wait4(self._pid, os.WNOHANG)
        if not pid:
            return
        killed = os.WIFSIGNALED(status)
        self._ending = Ending(
            exit=None if killed else os.WEXITSTATUS(status),
            signal=os.WTERMSIG(status) if killed else None,
            seconds=time.monotonic() - self._started,
            max_rss_bytes=usage.ru_maxrss * 1024,
        )

    def _forward(self, number: int, frame: object) -> None:
        """Send a signal to the job's process group, and to what made a group of its own in the job's session."""
        others = {group for _, _, group in _session(self._pid)}
        for group in {self._pid, *others}:
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                continue


def _session(session: int) -> list[tuple[int, str, int]]:
    """Return pid, name and process group of a session's living processes."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                program, _, rest = file.read().partition(" (")[2].rpartition(") ")
        except OSError:
            continue
        state, _, group, of = rest.split()[:4]
        if int(of) == session and state not in "ZX":
            found.append((int(name), program, int(group)))
    return sorted(found)


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, CHUNK_BYTES)
    except BlockingIOError:
        return b""
