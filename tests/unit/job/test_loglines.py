"""Lines of a log: parsed, never twice, never lost, never without bounds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.job.loglines import LINE_LIMIT_CHARACTERS, Capped, Line, Resume, parse_line

START = datetime(2026, 1, 1, 3, 0, tzinfo=UTC)


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


@given(
    st.lists(st.sampled_from([0, 1, 400_000_000, 999_999_999, 10**9, 3 * 10**9]), min_size=1, max_size=40),
    st.lists(st.sampled_from(["same", "other"]), min_size=40, max_size=40),
    st.lists(st.integers(0, 40), max_size=5),
)
def test_stream_that_is_cut_anywhere_is_read_without_a_line_twice_or_lost(gaps, texts, cuts):
    lines, resume, read = stream(gaps, texts), Resume(), []
    for cut in [*sorted(cuts), len(lines)]:
        since = resume.since_time()
        offered = [line for line in lines if since is None or line.stamp >= since.rstrip("Z")]
        position = lines.index(offered[0]) if offered else len(lines)
        read += [line for line in offered[: max(0, cut - position)] if resume.is_new(line)]
    assert read == lines


def test_memory_of_a_resumable_stream_is_bounded():
    resume = Resume()
    for number in range(60_000):
        resume.is_new(Line(f"2026-01-01T03:00:00.{number:09d}Z", "x"))
    assert len(resume._seen) <= 20_000


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
