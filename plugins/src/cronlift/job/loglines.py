"""Lines of a container's log: parse them, drop what was read before, and keep a task's log within bounds."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# A longer line is cut; the kubelet itself hands on at most 16 KiB at a time.
LINE_LIMIT_CHARACTERS = 32 * 1024
# A task's log is read in a browser. Whole logs of this size belong into a log system.
HEAD_LIMIT_CHARACTERS = 8 * 1024 * 1024
TAIL_LIMIT_CHARACTERS = 512 * 1024
# sinceTime has a resolution of one second; overlap one more for lines of two streams that were written out of order.
OVERLAP = timedelta(seconds=1)
REMEMBERED_LINES = 20_000


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
    return datetime.fromisoformat(stamp[:26]).replace(tzinfo=UTC)


class Resume:
    """Remember the last lines of a stream, so that it can be opened again after a cut without a line twice or lost."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._again: dict[tuple[str, str], int] = {}
        self._newest: str | None = None
        self._oldest_remembered = ""

    def since_time(self) -> str | None:
        """Return what to ask for when opening the stream again; None for all of it. Starts the comparison anew."""
        self._again = dict(self._seen)
        if self._newest is None:
            return None
        return (moment_of(self._newest) - OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")

    def is_new(self, line: Line) -> bool:
        """Tell whether a line was not handed on before, and remember it."""
        key = (line.stamp, line.text)
        if self._again.get(key):
            self._again[key] -= 1
            return False
        if line.stamp < self._oldest_remembered:
            return False
        self._seen[key] = self._seen.get(key, 0) + 1
        self._newest = max(self._newest or "", line.stamp)
        self._forget()
        return True

    def _forget(self) -> None:
        """Drop what a reopened stream cannot bring again, and bound the rest."""
        kept_from = (moment_of(self._newest or "") - OVERLAP).strftime("%Y-%m-%dT%H:%M:%S")
        while self._seen:
            (stamp, text), _ = next(iter(self._seen.items()))
            if stamp >= kept_from and len(self._seen) <= REMEMBERED_LINES:
                break
            if stamp >= kept_from:
                self._oldest_remembered = max(self._oldest_remembered, stamp)
            del self._seen[(stamp, text)]


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

    def add(self, moment: datetime, text: str) -> None:
        """Take a line."""
        if len(text) > LINE_LIMIT_CHARACTERS:
            text = f"{text[:LINE_LIMIT_CHARACTERS]} ... ({len(text) - LINE_LIMIT_CHARACTERS} more characters left out)"
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


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
