"""`report.html`: one page that holds everything, with the picture of the day. Made from `report.json` alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from cronlift.crontab.report_load import MINUTES_PER_DAY, Load, load_of
from cronlift.crontab.report_markdown import IN_THE_IMAGE, MEANINGS, matrix, presences, secrets_of

_COLOURS = {
    "exact": "#2e7d32",
    "equivalent": "#558b2f",
    "changed": "#f9a825",
    "needs-decision": "#c62828",
    "host-only": "#6d4c41",
    "never-ran": "#78909c",
    "rejected-by-daemon": "#8e24aa",
    "disabled": "#90a4ae",
    "blank": "#cfd8dc",
    "comment": "#cfd8dc",
    "setting": "#b0bec5",
}
_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_DAY_WIDTH, _DAY_HEIGHT = 1440, 160
_CELL = 36
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 100rem; padding: 0 1rem; color: #1c2326; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; position: sticky; top: 0; background: #fff; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid #e0e4e6; vertical-align: top; }
code { font: 13px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.mark { color: #fff; border-radius: .6rem; padding: .05rem .5rem; white-space: nowrap; font-size: 13px; }
.small { color: #5f6b70; font-size: 13px; } svg { width: 100%; height: auto; } .heat { max-width: 64rem; }
.figures { display: flex; gap: 2rem; flex-wrap: wrap; } .figures b { display: block; font-size: 1.6rem; }
label { margin-right: 1rem; white-space: nowrap; }
"""
_SCRIPT = """
for (const box of document.querySelectorAll('input[data-verdict]'))
  box.addEventListener('change', () => {
    for (const row of document.querySelectorAll(`tr[data-verdict="${box.dataset.verdict}"]`))
      row.hidden = !box.checked;
  });
"""


def html(report: Mapping[str, Any]) -> str:
    """Return the file's content: one page, nothing loaded from elsewhere.

    Args:
        report: See `report.report_of`.
    """
    lines: Sequence[Mapping[str, Any]] = report["lines"]
    load = load_of(lines)
    title = f"Crontabs of team {report['team']}"
    body = [
        f"<h1>{escape(title)}</h1>",
        _figures(report, load),
        "<h2>The day</h2>",
        _day(load),
        "<h2>The week</h2>",
        _week(load),
        "<h2>Every line</h2>",
        _filters(report["counts"]),
        _lines(lines),
        *_matrices(lines),
        f"<script>{_SCRIPT}</script>",
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style>\n</head>\n<body>\n'
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _figures(report: Mapping[str, Any], load: Load) -> str:
    counts = report["counts"]
    dags = sum(bool(line["dag_id"]) for line in report["lines"])
    peak = f"{load.peak_minute // 60:02}:{load.peak_minute % 60:02}"
    shown = [
        (f"{sum(counts.values()):,}", "lines"),
        (f"{dags:,}", "DAGs"),
        (f"{counts['needs-decision']:,}", "need a decision"),
        (f"{load.runs_per_day:,.0f}", "runs a day"),
        (f"{load.peak:,}", f"Pods at most that start in one minute ({peak})"),
        (
            f"{load.often_share:.0%}",
            f"of all runs are those of the {load.often} jobs that run every 5 min or more often",
        ),
    ]
    return (
        '<div class="figures">' + "".join(f"<div><b>{big}</b>{escape(small)}</div>" for big, small in shown) + "</div>"
    )


def _day(load: Load) -> str:
    """Draw the starts in each minute of a day as one line of bars; more than the scale holds is cut, and said."""
    top = max(load.by_minute) or 1.0
    points = "".join(
        f"M{minute} {_DAY_HEIGHT}V{_DAY_HEIGHT - value / top * _DAY_HEIGHT:.1f}"
        for minute, value in enumerate(load.by_minute)
        if value
    )
    hours = "".join(
        f'<path d="M{hour * 60} 0V{_DAY_HEIGHT}" stroke="#e0e4e6"/>'
        f'<text x="{hour * 60 + 3}" y="{_DAY_HEIGHT + 16}" font-size="14" fill="#5f6b70">{hour:02}</text>'
        for hour in range(0, 24)
    )
    return (
        f'<svg viewBox="0 -20 {_DAY_WIDTH} {_DAY_HEIGHT + 40}" role="img" aria-label="Starts in each minute of a day">'
        f'{hours}<path d="{points}" stroke="#1565c0" stroke-width="1" fill="none"/>'
        f'<text x="4" y="-6" font-size="14" fill="#5f6b70">{top:,.3g} starts in a minute</text></svg>'
        f'<p class="small">Mean starts in each of the {MINUTES_PER_DAY} minutes of a day, by the wall clock.</p>'
    )


def _week(load: Load) -> str:
    top = max((value for day in load.by_hour for value in day), default=0.0) or 1.0
    cells = []
    for weekday, name in enumerate(_WEEKDAYS):
        y = weekday * _CELL
        cells.append(f'<text x="0" y="{y + _CELL * 0.6:.0f}" font-size="14" fill="#5f6b70">{name}</text>')
        for hour, value in enumerate(load.by_hour[weekday]):
            shade = f"hsl(210 70% {96 - 56 * (value / top) ** 0.5:.0f}%)"
            cells.append(
                f'<rect x="{40 + hour * _CELL}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" fill="{shade}">'
                f"<title>{name} {hour:02}:00, {value:,.1f} starts</title></rect>"
            )
    hours = "".join(
        f'<text x="{40 + hour * _CELL + 8}" y="{7 * _CELL + 16}" font-size="14" fill="#5f6b70">{hour:02}</text>'
        for hour in range(24)
    )
    return (
        f'<svg class="heat" viewBox="0 0 {44 + 24 * _CELL} {7 * _CELL + 24}" role="img" '
        f'aria-label="Starts in each hour of a week">{"".join(cells)}{hours}</svg>'
        f'<p class="small">Mean starts in each hour; darkest: {top:,.3g}.</p>'
    )


def _filters(counts: Mapping[str, int]) -> str:
    boxes = []
    for verdict, count in counts.items():
        if count:
            boxes.append(
                f'<label><input type="checkbox" checked data-verdict="{verdict}"> {_mark(verdict)} {count} '
                f'<span class="small">{escape(MEANINGS[verdict])}</span></label>'
            )
    return f"<p>{' '.join(boxes)}</p>"


def _lines(lines: Iterable[Mapping[str, Any]]) -> str:
    rows = []
    for line in lines:
        told = [_paragraph(line["reason"]), _paragraph(line["cure"], "To do: ")]
        told += [_paragraph(each, "To know: ") for each in line["warnings"]]
        dag = f"<code>{escape(line['dag_id'])}</code><br>" if line["dag_id"] else ""
        words = f"{dag}<span class='small'>{escape(line.get('words') or '')}</span>"
        rows.append(
            f'<tr data-verdict="{line["verdict"]}"><td class="small">{escape(line["file"])}:{line["line"]}</td>'
            f"<td>{_mark(line['verdict'])}</td><td><code>{escape(line['raw'])}</code></td><td>{words}</td>"
            f"<td>{''.join(told)}</td></tr>"
        )
    head = "".join(f"<th>{each}</th>" for each in ("where", "verdict", "line", "DAG", "why, and what to do"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _matrices(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    tables = (
        ("Secrets to create", secrets_of(lines)),
        ("Not in the image", matrix(lines, "missing")),
        ("Machines that jobs talk to", matrix(lines, "hosts")),
    )
    for title, found in tables:
        if found:
            rows = "".join(
                f'<tr><td><code>{escape(name)}</code></td><td class="small">{escape(", ".join(where))}</td></tr>'
                for name, where in found.items()
            )
            yield f"<h2>{title}</h2><table><tbody>{rows}</tbody></table>"
    if named := matrix(lines, "image"):
        presence = presences(lines)
        rows = "".join(
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(presence[name])}</td>"
            f'<td class="small">{escape(", ".join(where))}</td></tr>'
            for name, where in named.items()
        )
        head = "<tr><th>name</th><th>in the image</th><th>lines</th></tr>"
        yield f'<h2>Programs and paths that jobs name</h2><p class="small">{escape(IN_THE_IMAGE)}</p>'
        yield f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _paragraph(text: str, head: str = "") -> str:
    return f"<div{' class=small' if head else ''}>{head}{escape(text)}</div>" if text else ""


def _mark(verdict: str) -> str:
    return f'<span class="mark" style="background:{_COLOURS[verdict]}">{verdict}</span>'
