"""The pictures of `report.html`: a day minute by minute, a week hour by hour, the verdicts as one bar. All SVG."""

from collections.abc import Mapping
from html import escape

from cronlift.crontab.report_load import MINUTES_PER_DAY, Load

COLOURS = {
    "exact": "#2e7d32",
    "equivalent": "#558b2f",
    "changed": "#b26a00",
    "needs-decision": "#c62828",
    "host-only": "#6d4c41",
    "never-ran": "#546e7a",
    "rejected-by-daemon": "#8e24aa",
    "disabled": "#607d8b",
    "blank": "#90a4ae",
    "comment": "#90a4ae",
    "setting": "#78909c",
}
"""Of a verdict's mark; white letters can be read on each."""

OFTEN, REST, PEAK = "#b0bec5", "#1565c0", "#c62828"
_GREY = "#5f6b70"
_WEEK = (("Mon", 1), ("Tue", 2), ("Wed", 3), ("Thu", 4), ("Fri", 5), ("Sat", 6), ("Sun", 0))
_LEFT, _HEIGHT = 44, 200
_CELL_WIDTH, _CELL_HEIGHT = 56, 30
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_MOST_TICKS = 5


def day(load: Load) -> str:
    """Draw the starts in each minute of a day: those of jobs that run often below, all others above them.

    Args:
        load: Of the report.
    """
    top = max(*load.by_minute, 1.0)
    step = next((each for each in _STEPS if top / each <= _MOST_TICKS), _STEPS[-1])
    ticks = "".join(
        f'<path d="M{_LEFT} {_y(value, top):.1f}h{MINUTES_PER_DAY}" stroke="#e0e4e6"/>'
        f"{_text(_LEFT - 6, _y(value, top) + 5, str(value), anchor='end')}"
        for value in range(0, int(top) + 1, step)
    )
    hours = "".join(_hour(load, hour) for hour in range(24))
    often, both = load.often.by_minute, load.by_minute
    bars = _bars([(0.0, value) for value in often], top, OFTEN)
    bars += _bars(list(zip(often, both, strict=True)), top, REST)
    return (
        f'<svg viewBox="0 -30 {_LEFT + MINUTES_PER_DAY + 30} {_HEIGHT + 56}" role="img" '
        f'aria-label="Starts in each minute of a day">{ticks}{bars}{hours}{_peak(load, top)}</svg>'
    )


def week(load: Load) -> str:
    """Draw the starts in each hour of a week, of the jobs that do not run often: those would drown all others.

    Args:
        load: Of the report.
    """
    by_hour = load.rest.by_hour
    top = max(max(day) for day in by_hour) or 1.0
    cells = []
    for row, (name, weekday) in enumerate(_WEEK):
        y = row * _CELL_HEIGHT
        cells.append(_text(0, y + 20, name, anchor="start"))
        for hour, value in enumerate(by_hour[weekday]):
            x, share = _LEFT + hour * _CELL_WIDTH, (value / top) ** 0.5
            cells.append(
                f'<rect x="{x}" y="{y}" width="{_CELL_WIDTH - 2}" height="{_CELL_HEIGHT - 2}" '
                f'fill="hsl(210 70% {97 - 57 * share:.0f}%)">'
                f"<title>{name} {hour:02}:00-{hour:02}:59, {value:,.1f} starts</title></rect>"
            )
            if value >= 0.05:
                ink = "#fff" if share > 0.6 else "#1c2326"
                cells.append(_text(x + _CELL_WIDTH / 2 - 1, y + 19, _short(value), ink))
    hours = "".join(
        _text(_LEFT + hour * _CELL_WIDTH + _CELL_WIDTH / 2, 7 * _CELL_HEIGHT + 16, f"{hour:02}") for hour in range(24)
    )
    return (
        f'<svg viewBox="0 0 {_LEFT + 24 * _CELL_WIDTH} {7 * _CELL_HEIGHT + 24}" role="img" '
        f'aria-label="Starts in each hour of a week">{"".join(cells)}{hours}</svg>'
    )


def verdicts(counts: Mapping[str, int], meanings: Mapping[str, str]) -> str:
    """Draw the verdicts on lines with jobs as one bar.

    Args:
        counts: Of the report.
        meanings: Verdict -> what it means.
    """
    shown = {each: count for each, count in counts.items() if count and each not in ("blank", "comment", "setting")}
    cells = "".join(
        f'<span style="flex:{count} 1 0;background:{COLOURS[each]}" '
        f'title="{escape(meanings[each])}">{count} {each}</span>'
        for each, count in shown.items()
    )
    return f'<div class="bar" role="img" aria-label="Verdicts on the jobs">{cells}</div>' if shown else ""


def _hour(load: Load, hour: int) -> str:
    """Return an hour's mark on the axis, and what the pointer tells of it."""
    minutes = range(hour * 60, hour * 60 + 60)
    starts = sum(load.by_minute[minute] for minute in minutes)
    most = max(minutes, key=lambda minute: load.by_minute[minute])
    told = f"{hour:02}:00-{hour:02}:59: {starts:,.0f} starts, most at {clock(most)} ({load.by_minute[most]:,.1f})"
    x = _LEFT + hour * 60
    return (
        f'<path d="M{x} {_HEIGHT}v6" stroke="{_GREY}"/>'
        f"{_text(x, _HEIGHT + 22, f'{hour:02}:00')}"
        f'<path d="M{x} 0h60V{_HEIGHT}h-60z" fill="transparent"><title>{told}</title></path>'
    )


def _bars(ranges: list[tuple[float, float]], top: float, colour: str) -> str:
    path = "".join(
        f"M{_LEFT + minute + 0.5} {_y(low, top):.1f}V{_y(high, top):.1f}"
        for minute, (low, high) in enumerate(ranges)
        if high > low
    )
    return f'<path d="{path}" stroke="{colour}" stroke-width="1" fill="none"/>' if path else ""


def _peak(load: Load, top: float) -> str:
    if not load.peak:
        return ""
    x, y = _LEFT + load.peak_minute, _y(load.by_minute[load.peak_minute], top) - 4
    early = load.peak_minute < MINUTES_PER_DAY / 2
    words = f"up to {load.peak} Pod{'s' if load.peak > 1 else ''} start at {clock(load.peak_minute)}"
    label = _text(x + (9 if early else -9), y - 2, words, PEAK, "start" if early else "end")
    return f'<path d="M{x} {y:.1f}l-5 -9h10z" fill="{PEAK}"/>{label}'


def _text(x: float, y: float, words: str, colour: str = _GREY, anchor: str = "middle") -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="14" fill="{colour}" pointer-events="none">{words}</text>'


def _y(value: float, top: float) -> float:
    return _HEIGHT - value / top * _HEIGHT


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 9.95 or abs(value - round(value)) < 0.05 else f"{value:.1f}"


def clock(minute: int) -> str:
    """Return a minute of the day as people write it."""
    return f"{minute // 60:02}:{minute % 60:02}"
