"""`report.html`: one page that holds everything, with the picture of the day. Made from `report.json` alone."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from cronlift.crontab.report_load import Load, load_of
from cronlift.crontab.report_markdown import (
    IN_THE_IMAGE,
    LOCALHOST,
    MEANINGS,
    SHARED,
    matrix,
    presences,
    secrets_of,
    shared_paths,
)
from cronlift.crontab.report_picture import COLOURS, OFTEN, REST, clock, day, verdicts, week
from cronlift.crontab.users import NOBODY

MOST_NAMES = 8
"""Of jobs in one cell of the table of the busiest minutes."""

_WITHOUT_JOBS = ("blank", "comment")
"""Verdicts whose lines are hidden until somebody wants to see them."""
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 100rem; padding: 0 1rem; color: #1c2326; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; position: sticky; top: 0; background: #fff; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid #e0e4e6; vertical-align: top; }
code { font: 13px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.mark { color: #fff; border-radius: .6rem; padding: .05rem .5rem; white-space: nowrap; font-size: 13px; }
.small { color: #5f6b70; font-size: 13px; } svg { width: 100%; height: auto; } .few { width: auto; }
.figures { display: flex; gap: 2rem; flex-wrap: wrap; } .figures b { display: block; font-size: 1.6rem; }
.bar { display: flex; gap: 2px; margin: 1.2rem 0 0; } .bar span { color: #fff; font-size: 13px; min-width: 1.6rem;
  padding: .1rem .4rem; box-sizing: border-box; overflow: hidden; white-space: nowrap; }
.key { display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 1rem; vertical-align: -1px; }
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
    zone = f"{report['timezone']} time" if report.get("timezone") else "the old host's time"
    body = [
        f"<h1>{escape(title)}</h1>",
        _figures(report, load),
        verdicts(report["counts"], MEANINGS),
        *_decisions(lines),
        *_pictures(load, escape(zone)),
        *_files(report["groups"], lines),
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
    shown = [
        (f"{sum(counts.values()):,}", "lines"),
        (f"{dags:,}", "DAGs"),
        (f"{counts['needs-decision']:,}", "need a decision"),
        (f"{load.runs_per_day:,.0f}", "runs a day, each a Pod"),
        (f"{load.peak:,}", f"Pods at most start in one minute ({clock(load.peak_minute)})"),
    ]
    if load.often.jobs:
        often = f"of all runs are those of {_jobs(load.often.jobs)} every 5 min or more often"
        shown.append((f"{load.often_share:.0%}", often))
    return (
        '<div class="figures">' + "".join(f"<div><b>{big}</b>{escape(small)}</div>" for big, small in shown) + "</div>"
    )


def _decisions(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Tell first what somebody has to do."""
    open_ones = [line for line in lines if line["verdict"] == "needs-decision"]
    if open_ones:
        rows = "".join(
            f'<tr><td class="small">{_place(line)}</td><td><code>{escape(line["raw"])}</code></td>'
            f"<td>{_paragraph(line['reason'])}{_paragraph(line['cure'], 'To do: ')}</td></tr>"
            for line in open_ones
        )
        yield f"<h2>Left out until you decide</h2><table><tbody>{rows}</tbody></table>"


def _pictures(load: Load, zone: str) -> Iterator[str]:
    if not load.peak:
        return
    keys = ((OFTEN, load.often, "every 5 minutes or more often"), (REST, load.rest, "less often"))
    legend = "".join(
        f'<span class="key" style="background:{colour}"></span>{_jobs(part.jobs)} {what}: '
        f"{part.runs_per_day:,.0f} runs a day"
        for colour, part, what in keys
        if part.jobs
    )
    yield "<h2>The day</h2>"
    yield f'<p class="small">Starts in each minute of the day, {zone}, as a mean over the year.{legend}</p>'
    yield day(load)
    if load.peak > 1:
        yield "<h2>Busiest minutes</h2>"
        yield _busiest(load)
    if load.rest.jobs:
        often = f" The others add {load.often.runs_per_day / 24:,.0f} in each hour." if load.often.jobs else ""
        yield "<h2>The week</h2>"
        yield (
            f'<p class="small">Starts in each hour, {zone}, of {_jobs(load.rest.jobs)} less often than every '
            f"5 minutes.{often}</p>"
        )
        yield week(load)


def _jobs(count: int) -> str:
    return "1 job that runs" if count == 1 else f"{count:,} jobs that run"


def _busiest(load: Load) -> str:
    rows = []
    for busy in load.busiest:
        often = busy.starts - len(busy.others)
        told = [f"<code>{escape(each)}</code>" for each in busy.others[:MOST_NAMES]]
        if len(busy.others) > MOST_NAMES:
            told.append(f"{len(busy.others) - MOST_NAMES} more")
        if often:
            told.append(f"{often} of those that run often")
        rows.append(f"<tr><td>{clock(busy.minute)}</td><td>{busy.starts}</td><td>{', '.join(told)}</td></tr>")
    head = "<tr><th>at</th><th>Pods</th><th>jobs that can start then</th></tr>"
    return f'<table class="few"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'


def _files(groups: Mapping[str, Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = []
    for group in groups.values():
        dags = sum(bool(line["dag_id"]) for line in lines if line["file"] == group["file"])
        told = "".join(_paragraph(each) for each in group["warnings"])
        rows.append(
            f"<tr><td><code>{escape(group['file'])}</code></td><td>{group['flavour']}, {group['format']}</td>"
            f'<td>{dags}</td><td>{group["state"] if dags else ""}</td><td class="small">{told}</td></tr>'
        )
    if rows:
        head = "<tr><th>file</th><th>daemon, format</th><th>DAGs</th><th>state</th><th>to know</th></tr>"
        yield f"<h2>Files</h2><table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _filters(counts: Mapping[str, int]) -> str:
    boxes = []
    for verdict, count in counts.items():
        if count:
            boxes.append(
                f'<label><input type="checkbox"{"" if verdict in _WITHOUT_JOBS else " checked"} '
                f'data-verdict="{verdict}"> {_mark(verdict)} {count} '
                f'<span class="small">{escape(MEANINGS[verdict])}</span></label>'
            )
    return f"<p>{' '.join(boxes)}</p>"


def _lines(lines: Iterable[Mapping[str, Any]]) -> str:
    rows = []
    for line in lines:
        told = [_paragraph(line["reason"]), _paragraph(line["cure"], "To do: ")]
        told += [_paragraph(each, "To know: ") for each in line["warnings"] if each != NOBODY]
        dag = f"<code>{escape(line['dag_id'])}</code><br>" if line["dag_id"] else ""
        runs = f"<br>{line['runs_per_day']:,.4g} runs a day" if dag and line.get("runs_per_day") else ""
        words = f"{dag}<span class='small'>{escape(line.get('words') or '')}{runs}</span>"
        hidden = " hidden" if line["verdict"] in _WITHOUT_JOBS else ""
        rows.append(
            f'<tr data-verdict="{line["verdict"]}"{hidden}><td class="small">{_place(line)}</td>'
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
        (LOCALHOST, matrix(lines, "localhost")),
        (SHARED, shared_paths(lines)),
    )
    for title, found in tables:
        if found:
            rows = "".join(
                f'<tr><td>{_named(name)}</td><td class="small">{escape(", ".join(where))}</td></tr>'
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


def _place(line: Mapping[str, Any]) -> str:
    return f"{escape(line['file'])}:{line['line']}"


def _named(text: str) -> str:
    """Return a name as code; of a sentence, what stands in backquotes."""
    return _paragraph(text) if text.endswith(".") and " " in text else f"<code>{escape(text)}</code>"


def _paragraph(text: str, head: str = "") -> str:
    told = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return f"<div{' class=small' if head else ''}>{head}{told}</div>" if text else ""


def _mark(verdict: str) -> str:
    return f'<span class="mark" style="background:{COLOURS[verdict]}">{verdict}</span>'
