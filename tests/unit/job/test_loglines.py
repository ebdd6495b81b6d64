"""Lines of a log: parsed, never twice, never lost, never without bounds."""

import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronlift.job.loglines import LINE_LIMIT_CHARACTERS, Capped, Line, Resume, Tail, parse_line

START = datetime(2026, 1, 1, 3, 0, tzinfo=UTC)
NOW = 100.0  # seconds of a clock that only goes forward


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"2026-01-01T03:00:00.123456789Z hello", Line("2026-01-01T03:00:00.123456789Z", "hello")),
        (b"2026-01-01T03:00:00.1Z  two spaces", Line("2026-01-01T03:00:00.100000000Z", " two spaces")),
        (b"2026-01-01T05:00:00.5+02:00 zone", Line("2026-01-01T03:00:00.500000000Z", "zone")),
        (b"2026-01-01T03:00:00Z whole", Line("2026-01-01T03:00:00.000000000Z", "whole")),
        (b"2026-01-01T03:00:00.123456789Z \xff\xfe", Line("2026-01-01T03:00:00.123456789Z", "\ufffd\ufffd")),
        (b"2026-01-01T03:00:00.123456789Z ", Line("2026-01-01T03:00:00.123456789Z", "")),
        (b"2026-01-01T03:00:00.123456789Z dos\r", Line("2026-01-01T03:00:00.123456789Z", "dos")),
        (b"unable to retrieve container logs", None),
        (b"", None),
    ],
)
def test_line_is_parsed(raw, expected):
    assert parse_line(raw) == expected


def stream(gaps: list[int], texts: list[str]) -> list[Line]:
    """Make lines whose stamps never go back: gaps are nanoseconds."""
    nanoseconds, lines = 0, []
    for gap, text in zip(gaps, texts, strict=False):
        nanoseconds += gap
        moment = START + timedelta(seconds=nanoseconds // 10**9)
        lines.append(Line(f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z", text))
    return lines


@settings(max_examples=400)
@given(
    gaps=st.lists(st.sampled_from([0, 0, 0, 1, 400_000_000, 999_999_999, 10**9, 3 * 10**9]), min_size=1, max_size=20),
    texts=st.lists(st.sampled_from(["same", "other"]), min_size=20, max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=6),
    overlap_seconds=st.integers(0, 3),
    remembered=st.sampled_from([1, 2, 4, 10_000]),
)
def test_stream_that_is_cut_anywhere_is_read_without_a_line_twice_or_lost(
    gaps, texts, cuts, overlap_seconds, remembered
):
    """Whatever the server repeats beyond what it was asked for, and however little is remembered."""
    lines, resume, read = stream(gaps, texts), Resume(remembered), []
    for cut in [*cuts, len(lines)]:
        since = resume.since_time()
        asked = datetime.fromisoformat(since) - timedelta(seconds=overlap_seconds) if since else START
        offered = [line for line in lines if line.stamp >= f"{asked:%Y-%m-%dT%H:%M:%S}"]
        position = lines.index(offered[0]) if offered else len(lines)
        read += [line for line in offered[: max(0, cut - position)] if resume.is_new(line)]
    assert read == lines


@given(
    jitter=st.lists(st.integers(0, 900_000_000), min_size=2, max_size=40),
    cuts=st.lists(st.integers(0, 40), max_size=4),
)
def test_lines_out_of_order_are_read_once_over_cuts(jitter, cuts):
    """Standard output and error are stamped apart: a line may be older than the one before, by less than a second."""
    lines = []
    for number, back in enumerate(jitter):
        nanoseconds = 10**9 + number * 300_000_000 - back
        moment = START + timedelta(seconds=nanoseconds // 10**9)
        lines.append(Line(f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z", f"line {number}"))
    resume, read = Resume(), []
    for cut in [*cuts, len(lines)]:
        since = resume.since_time()
        offered = [line for line in lines[:cut] if since is None or line.stamp >= since.rstrip("Z")]
        read += [line for line in offered if resume.is_new(line)]
    assert sorted(read, key=lambda line: line.text) == sorted(lines, key=lambda line: line.text)
    assert len(set(read)) == len(read)


def test_memory_of_a_resumable_stream_is_bounded():
    """Also when a flood of long lines is followed by days of silence."""
    lines = [Line(f"2026-01-01T03:00:00.{number:09d}Z", f"{number:06}" * 500) for number in range(12_000)]
    resume = Resume()
    tracemalloc.start()
    for line in lines:
        resume.is_new(line)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 200_000


@pytest.fixture
def written():
    return []


def capped(written, head, tail):
    return Capped(lambda _moment, text: written.append(text), head, tail)


def test_short_log_is_handed_on_at_once_and_whole(written):
    output = capped(written, 1000, 100)
    for number in range(5):
        output.add(START, f"line {number}")
    assert written == [f"line {number}" for number in range(5)]
    output.finish()
    assert len(written) == 5


def test_long_log_keeps_head_and_tail_and_counts_the_rest(written):
    output = capped(written, 50, 50)
    for number in range(1000):
        output.add(START, f"line {number:03}")
    output.finish()
    assert written[0] == "line 000"
    assert written[-1] == "line 999"
    (left_out,) = [text for text in written if "left out" in text]
    head, tail = written.index(left_out) - 1, len(written) - written.index(left_out) - 1
    assert left_out == f"... {1000 - head - tail} lines ({(1000 - head - tail) * 9} characters) are left out here"


def test_log_between_head_and_tail_loses_nothing(written):
    output = capped(written, 50, 1000)
    for number in range(50):
        output.add(START, f"line {number:03}")
    output.finish()
    assert [text for text in written if text.startswith("line")] == [f"line {number:03}" for number in range(50)]


def test_endless_line_is_cut(written):
    capped(written, 10**6, 10).add(START, "x" * (LINE_LIMIT_CHARACTERS + 7))
    assert written[0].endswith("(7 more characters left out)")


@pytest.fixture
def tail(written):
    def make(lines: int, every: float | None = None, limit: int = 10**6) -> Tail:
        return Tail(capped(written, 10**6, 10**6), lines, every, limit)

    return make


def test_tail_shows_only_the_last_lines_at_the_end(written, tail):
    output = tail(2)
    for number in range(5):
        output.add(START, f"line {number}")
        output.tick(NOW + number * 1000)
    assert written == []
    output.finish()
    assert written == ["... not shown before these lines: 3 (tail_lines=2)", "line 3", "line 4"]


def test_tail_of_each_container_is_its_own(written, tail):
    output = tail(1)
    for number in range(2):
        output.add(START, f"[a] {number}", "a")
        output.add(START, f"[b] {number}", "b")
    output.finish()
    assert [text for text in written if text.startswith("[")] == ["[a] 1", "[b] 1"]


def test_tail_shows_the_last_lines_each_so_often_and_none_twice(written, tail):
    output = tail(2, every=60)
    output.tick(NOW)
    for number in range(3):
        output.add(START, f"line {number}")
    output.tick(NOW + 59)
    assert written == []
    output.tick(NOW + 60)
    assert written == ["... not shown before these lines: 1 (tail_lines=2)", "line 1", "line 2"]
    output.tick(NOW + 120)
    output.add(START, "line 3")
    output.finish()
    assert written[3:] == ["line 3"]


def test_tail_is_bounded_however_many_lines_are_asked_for(written, tail):
    output = tail(10**9, limit=1000)
    for number in range(1000):
        output.add(START, f"line {number:04}", f"container {number % 3}")
    output.finish()
    assert sum(len(text) + 1 for text in written if text.startswith("line")) <= 1000
    assert written[-1].startswith("line 09")
