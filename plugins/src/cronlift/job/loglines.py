"""Lines of a container's log: parse them, drop what was read before, and keep a task's log within bounds."""

from array import array
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

# A longer line is cut; the kubelet itself hands on at most 16 KiB at a time.
LINE_LIMIT_CHARACTERS = 32 * 1024
# A task's log is read in a browser. Whole logs of this size belong into a log system.
HEAD_LIMIT_CHARACTERS = 8 * 1024 * 1024
TAIL_LIMIT_CHARACTERS = 512 * 1024
# sinceTime has a resolution of one second; overlap one more for lines of two streams that were written out of order.
OVERLAP = timedelta(seconds=1)
# A stream prints that many lines in these two seconds only while it floods; each costs 12 bytes, for days if need be.
REMEMBERED_LINES = 10_000


@dataclass(frozen=True)
class Line:
    """One line of output.

    Args:
        stamp: The kubelet's timestamp, RFC 3339 with nanoseconds; it sorts as text.
        text: The line, without its end.
    """

    stamp: str
    text: str


def parse_line(raw: bytes) -> Line | None:
    """Parse a line of a log asked for with `timestamps=true`.

    Args:
        raw: The line without its newline.

    Returns:
        The line; None when it has no timestamp, as the kubelet's own remarks have none.
    """
    stamp, _, text = raw.decode("utf-8", "replace").partition(" ")
    if len(stamp) < 20 or stamp[4] != "-" or stamp[10] != "T":
        return None
    return Line(normal_stamp(stamp), text.rstrip("\r"))


def normal_stamp(stamp: str) -> str:
    """Return a timestamp in UTC with nine digits, so that stamps sort as text."""
    if stamp.endswith("Z") and len(stamp) == 30:
        return stamp
    whole, _, rest = stamp.partition(".")
    if not rest:
        return _utc(stamp).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(digits) :]
    moment = _utc(whole + (zone or "Z"))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{digits[:9].ljust(9, '0')}Z"


def moment_of(stamp: str) -> datetime:
    """Return a stamp as a moment, to the microsecond."""
    return datetime.fromisoformat(f"{stamp[:26]}+00:00")


class Resume:
    """Remember the last lines of a stream, so that it can be opened again after a cut without a line twice or lost.

    Lines are remembered by their hashes, second by second: a line may be long, and a task may wait for days.

    Args:
        remembered: How many lines at most.
    """

    def __init__(self, remembered: int = REMEMBERED_LINES) -> None:
        self._limit, self._count = remembered, 0
        self._seconds: dict[str, _Second] = {}
        self._newest_second = self._kept_from = ""
        # Of what had to be forgotten although the server may send it again: the last stamp, and how many lines bear it.
        self._forgotten, self._forgotten_lines = "", 0
        # What a stream that was opened again may bring a second time.
        self._asked_from = self._skip_before = ""
        self._skip = 0
        self._again: Counter[int] = Counter()

    def since_time(self) -> str | None:
        """Return what to ask for when opening the stream again; None for all of it. Starts the comparison anew."""
        self._again = Counter(key for second in self._seconds.values() for key in second.hashes)
        self._asked_from, self._skip_before, self._skip = self._kept_from, self._forgotten, self._forgotten_lines
        return f"{self._kept_from}Z" if self._kept_from else None

    def is_new(self, line: Line) -> bool:
        """Tell whether a line was not handed on before, and remember it."""
        if self._asked_from:
            if line.stamp < self._asked_from or line.stamp < self._skip_before:
                return False
            if self._skip and line.stamp == self._skip_before:
                self._skip -= 1
                return False
        key = hash((line.stamp, line.text))
        if self._again and self._again[key]:
            self._again[key] -= 1
            if not self._again[key]:
                del self._again[key]
            return False
        self._remember(line.stamp, key)
        return True

    def _remember(self, stamp: str, key: int) -> None:
        name = stamp[:19]
        second = self._seconds.get(name)
        if second is None:
            second = self._seconds[name] = _Second()
            if name > self._newest_second:
                self._newest_second = name
                self._kept_from = f"{moment_of(stamp) - OVERLAP:%Y-%m-%dT%H:%M:%S}"
                for old in [each for each in self._seconds if each < self._kept_from]:
                    self._count -= len(self._seconds.pop(old).hashes)
        second.hashes.append(key)
        second.nanoseconds.append(int(stamp[20:29]))
        self._count += 1
        if self._count > self._limit:
            self._forget_some()

    def _forget_some(self) -> None:
        """Forget a quarter of what is remembered, or the oldest second if that is less."""
        name = min(self._seconds)
        second = self._seconds[name]
        count = min(len(second.hashes), max(1, self._limit // 4))
        dropped = second.nanoseconds[:count]
        last = max(dropped)
        stamp = f"{name}.{last:09d}Z"
        if stamp > self._forgotten:
            self._forgotten, self._forgotten_lines = stamp, 0
        if stamp == self._forgotten:
            self._forgotten_lines += dropped.count(last)
        del second.hashes[:count], second.nanoseconds[:count]
        self._count -= count
        if not second.hashes:
            del self._seconds[name]


class _Second:
    """The lines of one second: hashes, and the stamps' fractions."""

    __slots__ = ("hashes", "nanoseconds")

    def __init__(self) -> None:
        self.hashes = array("q")
        self.nanoseconds = array("I")


class LogOutput(Protocol):
    """What takes the lines of a task's log."""

    def add(self, moment: datetime, text: str, source: str = "") -> None:
        """Take a line of a source, which is a container."""

    def finish(self) -> None:
        """Hand on what was held back; there is no more to come."""


class Capped:
    """Hand on the head of a log, hold back its tail, and count what lies between.

    Args:
        write: Takes a moment and a text.
        head_limit: Characters that are handed on at once.
        tail_limit: Characters that are kept for the end.
    """

    def __init__(
        self,
        write: Callable[[datetime, str], None],
        head_limit: int = HEAD_LIMIT_CHARACTERS,
        tail_limit: int = TAIL_LIMIT_CHARACTERS,
    ) -> None:
        self._write, self._room, self._tail_limit = write, head_limit, tail_limit
        self._tail: deque[tuple[datetime, str]] = deque()
        self._tail_size = self._left_out_lines = self._left_out_characters = 0

    def add(self, moment: datetime, text: str, source: str = "") -> None:
        """Take a line, of whatever source."""
        text = _cut(text)
        if self._room > 0:
            self._room -= len(text) + 1
            self._write(moment, text)
            if self._room <= 0:
                self._write(moment, "... the log is longer than this view; its last lines follow at the end")
            return
        self._tail.append((moment, text))
        self._tail_size += len(text) + 1
        while self._tail_size > self._tail_limit:
            _, dropped = self._tail.popleft()
            self._tail_size -= len(dropped) + 1
            self._left_out_lines += 1
            self._left_out_characters += len(dropped) + 1

    def finish(self) -> None:
        """Hand on the tail; once."""
        if self._left_out_lines:
            words = f"... {self._left_out_lines} lines ({self._left_out_characters} characters) are left out here"
            self._write(self._tail[0][0] if self._tail else datetime.now(UTC), words)
            self._left_out_lines = 0
        while self._tail:
            self._write(*self._tail.popleft())


@dataclass
class _LastLines:
    """The last lines of one source."""

    lines: deque[tuple[datetime, str]] = field(default_factory=deque)
    left_out: int = 0


class Tail:
    """Show only the last lines of each container, at the end and, if asked, each so often; none twice.

    Args:
        output: Where they are shown.
        lines: How many of each container.
        every_seconds: How often; None for only at the end.
        limit: Characters that are held at most, over all containers.
    """

    def __init__(
        self,
        output: LogOutput,
        lines: int,
        every_seconds: float | None = None,
        limit: int = TAIL_LIMIT_CHARACTERS,
    ) -> None:
        self._output, self._count, self._every, self._limit = output, lines, every_seconds, limit
        self._sources: dict[str, _LastLines] = {}
        self._size = 0
        self._shown_at: float | None = None

    def add(self, moment: datetime, text: str, source: str = "") -> None:
        """Take a line."""
        text = _cut(text)
        held = self._sources.setdefault(source, _LastLines())
        held.lines.append((moment, text))
        self._size += len(text) + 1
        while len(held.lines) > self._count or (self._size > self._limit and len(held.lines) > 1):
            _, dropped = held.lines.popleft()
            held.left_out += 1
            self._size -= len(dropped) + 1

    def tick(self, now: float) -> None:
        """Show what there is, when it is time.

        Args:
            now: Seconds of a clock that only goes forward; the first call starts the time.
        """
        if self._every is None:
            return
        if self._shown_at is None:
            self._shown_at = now
        elif now - self._shown_at >= self._every:
            self._shown_at = now
            self._show()

    def finish(self) -> None:
        """Show the last lines that were not shown yet."""
        self._show()
        self._output.finish()

    def _show(self) -> None:
        sources, self._sources, self._size = self._sources, {}, 0
        for source, held in sources.items():
            if held.left_out:
                words = f"... not shown before these lines: {held.left_out} (tail_lines={self._count})"
                self._output.add(held.lines[0][0], words, source)
            for moment, text in held.lines:
                self._output.add(moment, text, source)


def _cut(text: str) -> str:
    if len(text) <= LINE_LIMIT_CHARACTERS:
        return text
    return f"{text[:LINE_LIMIT_CHARACTERS]} ... ({len(text) - LINE_LIMIT_CHARACTERS} more characters left out)"


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
