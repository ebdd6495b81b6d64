"""`report.json`: one entry for every input line, and what was written.

The other reports are made from it alone, so that lines of files that were imported earlier stay in them.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cronlift.crontab.describe import describe
from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.ids import Known
from cronlift.crontab.model import Verdict
from cronlift.crontab.plan import Group, Plan, PlannedLine
from cronlift.crontab.report_load import rhythm_of
from cronlift.crontab.secrets import find_secrets, mask
from cronlift.crontab.text import printable
from cronlift.errors import CrontabError

FORMAT = 1
FILE_NAME = "report.json"

Report = dict[str, Any]
"""{"format", "team", "timezone", "namespace", "groups": {name: {...}}, "counts": {verdict: lines}, "lines": [...],
"files": {path: sha256}}; the keys of a line are those of `_entry`."""


def report_of(plan: Plan, earlier: Report | None = None) -> Report:
    """Make the report of an import.

    Args:
        plan: The import.
        earlier: The report of the one before; lines and groups of files that are not in the plan are kept.

    Returns:
        The report, without `files`.
    """
    now = {group.name: group for group in plan.groups}
    before: Mapping[str, Any] = (earlier or {}).get("groups", {})
    kept: dict[str, list[Any]] = {}
    for line in (earlier or {}).get("lines", []):
        kept.setdefault(line["group"], []).append(line)
    groups: dict[str, Any] = {}
    lines: list[Any] = []
    for name in dict.fromkeys((*before, *now)):  # each keeps its place, whichever file is imported again
        planned = now.get(name)
        groups[name] = before[name] if planned is None else _group(planned)
        lines += kept.get(name, []) if planned is None else _entries(planned, plan.settings.zone)
    return {
        "format": FORMAT,
        "team": plan.settings.team,
        "timezone": plan.settings.zone,
        "namespace": plan.settings.namespace,
        "groups": groups,
        "counts": counts_of(lines),
        "lines": lines,
    }


def counts_of(lines: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count the lines of each verdict; verdicts that no line has are there with 0."""
    found = {str(verdict): 0 for verdict in Verdict}
    for line in lines:
        found[line["verdict"]] += 1
    return found


def read_report(text: str, name: str = FILE_NAME) -> Report:
    """Read an earlier report.

    Raises:
        CrontabError: It is none.
    """
    cure = "Restore the file from git, or remove it to begin anew; the ids of the DAGs are then given again."
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CrontabError(f"the report of the last import is no JSON ({error})", where=name, cure=cure) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(found.get("lines"), list):
        raise CrontabError(f"the report of the last import is not of format {FORMAT}", where=name, cure=cure)
    return found


def known_ids(report: Report | None) -> list[Known]:
    """Return the ids that an earlier import gave."""
    return [
        Known(line["id"], line["file"], line["schedule"] or "", line["command_hash"], line["line"])
        for line in (report or {}).get("lines", [])
        if line.get("id")
    ]


def known_groups(report: Report | None) -> dict[str, str]:
    """Return the groups that an earlier import made: path of the source -> name."""
    return {group["file"]: name for name, group in (report or {}).get("groups", {}).items()}


def as_text(report: Report) -> str:
    """Return the file's content."""
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"


def _group(group: Group) -> dict[str, Any]:
    crontab = group.crontab
    return {
        "file": printable(crontab.source.path),
        "state": group.decision.state,
        "start": group.decision.start.isoformat(),
        "flavour": str(crontab.flavour),
        "format": str(crontab.format),
        "kind": crontab.source.kind,
        "dag_file": f"cron_{group.name}.py" if group.jobs else None,
        "warnings": [mask(printable(each)) for each in group.warnings],
    }


def _entries(group: Group, zone: str) -> list[dict[str, Any]]:
    return [_entry(line, group, zone) for line in group.lines]


def _entry(planned: PlannedLine, group: Group, zone: str) -> dict[str, Any]:
    """Return a line's entry; `dag_id` only when there is such a DAG, `id` also when it was left out."""
    line, judgement, job = planned.line, planned.judgement, planned.job
    entry: dict[str, Any] = {
        "file": printable(line.file),
        "line": line.number,
        "raw": planned.raw,
        "kind": str(line.kind),
        "verdict": str(judgement.verdict),
        "reason": mask(printable(judgement.reason)),
        "cure": mask(printable(judgement.cure)),
        "dag_id": job.dag_id if job is not None else None,
        "id": planned.id,
        "group": group.name,
        "user": line.user,
        "schedule": line.schedule,
        "timezone": zone if line.schedule else None,
        "cron_timezone": line.timezone,
        "flavour": str(group.crontab.flavour),
        "warnings": [mask(printable(each)) for each in judgement.warnings],
        "command_hash": planned.hash or None,
    }
    choice, facts = judgement.choice, judgement.facts
    known = tuple(each.value for each in find_secrets(line.raw))
    if choice is not None and planned.id is not None:
        schedule = parse_schedule(line.schedule or "", group.crontab.flavour, planned.id)
        by_hand = job is not None and job.schedule_python == "None" and choice.kind != "never"
        entry |= {
            "words": describe(schedule, line.timezone or zone),
            "schedule_kind": "manual" if by_hand else choice.kind,
            "expression": choice.expression,
            "schedule_reason": choice.reason,
            "first_difference": choice.first_difference.isoformat() if choice.first_difference else None,
            "runs_per_day": 0.0 if by_hand else round(rhythm_of(schedule).runs_per_day, 4),
        }
    if facts is not None:
        entry |= {
            "programs": _shown(facts.programs, known),
            "paths": _shown(facts.paths, known),
            "hosts": _shown(facts.hosts, known),
            "localhost": _shown(facts.localhost, known),
            "missing": _shown(judgement.missing, known),
            "image": {mask(printable(name), known): str(presence) for name, presence in judgement.presences.items()},
        }
    if job is not None:
        entry |= {
            "manifest": job.manifest,
            "max_active_runs": job.max_active_runs,
            "secrets": {variable: f"{name}/{key}" for variable, (name, key) in job.secrets.items()},
            "volumes": dict(job.volumes),
        }
    return entry


def _shown(texts: Iterable[str], known: tuple[str, ...]) -> list[str]:
    return [mask(printable(each), known) for each in texts]
