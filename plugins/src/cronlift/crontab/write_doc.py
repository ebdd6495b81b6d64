"""What a DAG says about itself in the UI: the old line, when it starts, what changed, and the way back."""

import re
from datetime import datetime, timedelta
from itertools import islice

from cronlift.crontab.describe import describe
from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.fires import fire_times
from cronlift.crontab.model import Line, Verdict
from cronlift.crontab.plan_model import Host, Judgement
from cronlift.crontab.secrets import mask
from cronlift.crontab.text import printable
from cronlift.crontab.zones import find_zone

NEXT_STARTS = 5
_LOOK_AHEAD = (timedelta(days=8), timedelta(days=400), timedelta(days=366 * 9))
"""Most lines start often; 29 February needs up to eight years."""


def doc_of(line: Line, raw: str, judgement: Judgement, host: Host, dag_id: str) -> str:
    """Return the Markdown of a line's DAG.

    Args:
        line: The line.
        raw: As shown: passwords masked.
        judgement: On the line.
        host: Where it comes from.
        dag_id: The id.
    """
    schedule = parse_schedule(line.schedule or "", host.flavour, dag_id)
    zone = find_zone(host.zone)
    cron_zone = find_zone(line.timezone) if line.timezone else None
    starts = _next_starts(line, host, dag_id) if judgement.verdict is not Verdict.NEVER_RAN else []
    file = printable(line.file)
    parts = [
        f"Line {line.number} of `{file}`, user `{line.user or 'unknown'}`, {host.flavour} cron:",
        f"    {_shown(raw)}",
        f"{describe(schedule, cron_zone or zone)}. Verdict: **{judgement.verdict}**. "
        f"{_prose(_sentence(judgement.reason))} {_prose(judgement.cure)}".strip(),
    ]
    if host.decision.state != "live":
        parts.append(
            "**Shadow**: each run looks up what the job needs and runs nothing; the old crontab still does the work."
        )
    if starts:
        parts.append("Next starts (UTC): " + ", ".join(f"{each:%Y-%m-%d %H:%M}" for each in starts))
    if line.comments:
        parts.append(
            "Comments above it:\n\n" + "\n".join(f"    {_shown(each, host.passwords)}" for each in line.comments)
        )
    if line.environment:
        parts.append(
            "Variables:\n\n" + "\n".join(f"    {_shown(mask(f'{name}={value}'))}" for name, value in line.environment)
        )
    if judgement.warnings:
        parts.append("To know:\n\n" + "\n".join(f"- {_prose(each)}" for each in judgement.warnings))
    parts.append(
        f"Back to cron: `cronlift cutover rolled-back {host.group}` puts the line above back into `{file}`, as it was."
    )
    return "\n\n".join(parts) + "\n"


def _next_starts(line: Line, host: Host, dag_id: str) -> list[datetime]:
    schedule = parse_schedule(line.schedule or "", host.flavour, dag_id)
    zone, cron_zone = find_zone(host.zone), find_zone(line.timezone) if line.timezone else None
    after = host.decision.start - timedelta(minutes=1)
    found: list[datetime] = []
    for ahead in _LOOK_AHEAD:
        found = list(islice(fire_times(schedule, zone, after, after + ahead, host.flavour, cron_zone), NEXT_STARTS))
        if len(found) == NEXT_STARTS:
            break
    return found


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text[0].upper()}{text[1:]}."


def _shown(text: str, known: tuple[str, ...] = ()) -> str:
    return re.sub(r"[\r\n\f\v\x1c-\x1e\x85\u2028\u2029]", "?", mask(printable(text), known))


def _prose(text: str) -> str:
    """Return text for Markdown, in which a backslash before a sign would vanish, outside of code."""
    parts = re.split(r"(`[^`]*`)", mask(printable(text)))
    return "".join(each if each.startswith("`") else each.replace("\\", "\\\\") for each in parts)
