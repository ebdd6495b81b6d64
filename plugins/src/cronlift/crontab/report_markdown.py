"""`REPORT.md`: the import for reviewers of the pull request. Made from `report.json` alone."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from cronlift.crontab.model import Verdict
from cronlift.crontab.plan_secrets import secret_name
from cronlift.crontab.report_load import load_of
from cronlift.crontab.users import NOBODY

_NO_JOBS = {str(each) for each in (Verdict.BLANK, Verdict.COMMENT, Verdict.SETTING)}
MEANINGS = {
    "exact": "runs as it did",
    "equivalent": "starts as it did, in other words",
    "changed": "runs, but something is not as it was",
    "needs-decision": "left out until somebody decides",
    "host-only": "stays on a host",
    "never-ran": "the old daemon never started it",
    "rejected-by-daemon": "the old daemon refused it",
    "disabled": "was commented out, or is given up",
    "blank": "no job",
    "comment": "no job",
    "setting": "no job",
}
"""Verdict -> what it means, in words."""

IN_THE_IMAGE = (
    "By rootfs/, contents.txt and Dockerfile of images/legacy; volume: mounted, so what lies there "
    "is not known; unused: its output goes to the task's log; unknown: it depends on a variable, or nothing tells."
)

SHARED = "Paths that several jobs name: on a volume, or each Pod has its own"
LOCALHOST = "What jobs expect on their own machine: name a Service"

_LEFT = ("host-only", "disabled", "never-ran", "rejected-by-daemon")
_SECTIONS = (
    ("needs-decision", "Left out until you decide"),
    ("changed", "Not as it was"),
    ("host-only", "Stays on a host"),
    ("rejected-by-daemon", "Refused by the old daemon"),
    ("never-ran", "Never ran"),
    ("disabled", "Disabled"),
)


def markdown(report: Mapping[str, Any]) -> str:
    """Return the file's content.

    Args:
        report: See `report.report_of`.
    """
    lines: Sequence[Mapping[str, Any]] = report["lines"]
    parts = [
        f"# Crontabs of team {report['team']}",
        "Written by `cronlift import` from `report.json`; decisions go into `decisions.yaml`.",
        _table(("verdict", "lines", "meaning"), _counts(report["counts"])),
        _state_of_groups(report["groups"], lines),
    ]
    for verdict, title in _SECTIONS:
        found = [line for line in lines if line["verdict"] == verdict]
        if found:
            rows = ((_where(each), _code(each["raw"]), _text(each["reason"]), _text(each["cure"])) for each in found)
            parts += [f"## {title}", _table(("where", "line", "why", "what to do"), rows)]
    parts += _load(lines)
    parts += ["## Every job", _jobs(lines)]
    parts += list(_needs(lines))
    ours = {secret_name(line["group"]) for line in lines if line["dag_id"]}
    parts += list(_secrets(secrets_of(lines), ours, report.get("namespace") or ""))
    return "\n\n".join(part for part in parts if part) + "\n"


def matrix(lines: Iterable[Mapping[str, Any]], key: str) -> dict[str, list[str]]:
    """Return what several jobs share: path or host -> the lines that name it, most shared first.

    Args:
        lines: Of a report.
        key: "image", "paths", "hosts", "missing" or "programs".
    """
    found: dict[str, list[str]] = {}
    for line in lines:
        for each in line.get(key) or ():
            found.setdefault(each, []).append(f"{line['file']}:{line['line']}")
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def shared_paths(lines: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the files and folders that several jobs name: path -> lines. Pods share none of them but on a volume.

    Args:
        lines: Of a report. Programs, and what the image has, are left out.
    """
    jobs = [line for line in lines if line["verdict"] not in _LEFT]
    programs = set(matrix(jobs, "programs"))
    present = {name for name, presence in presences(jobs).items() if presence == "present"}
    return {
        name: where
        for name, where in matrix(jobs, "paths").items()
        if len(where) > 1 and name not in programs and name not in present
    }


def presences(lines: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return what each named program and path is in the image: "present", "missing" or others, several by commas."""
    found: dict[str, dict[str, None]] = {}
    for line in lines:
        for name, presence in (line.get("image") or {}).items():
            found.setdefault(name, {})[presence] = None
    return {name: ", ".join(each) for name, each in found.items()}


def secrets_of(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the Secrets that jobs wait for: name/key -> lines."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for place in (line.get("secrets") or {}).values():
            found.setdefault(place, []).append(f"{line['file']}:{line['line']}")
    return dict(sorted(found.items()))


def _counts(counts: Mapping[str, int]) -> Iterator[Sequence[str]]:
    for verdict, count in counts.items():
        if count:
            yield verdict, str(count), MEANINGS[verdict]
    yield "**all**", f"**{sum(counts.values())}**", "every input line"


def _state_of_groups(groups: Mapping[str, Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for name, group in groups.items():
        dags = sum(bool(line["dag_id"]) for line in lines if line["file"] == group["file"])
        rows.append((name, _code(group["file"]), group["flavour"], str(dags), group["state"], group["start"]))
    warnings = [f"- {_code(each['file'])}: {_text(text)}" for each in groups.values() for text in each["warnings"]]
    table = _table(("group", "file", "daemon", "DAGs", "state", "from"), rows)
    return "\n\n".join(["## Files", table, *(["\n".join(warnings)] if warnings else [])])


def _load(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    load = load_of(lines)
    if not load.runs_per_day:
        return []
    at = f"{load.peak_minute // 60:02}:{load.peak_minute % 60:02}"
    words = [f"{load.runs_per_day:,.0f} runs a day; at most {load.peak} start in one minute ({at})."]
    if load.often.jobs:
        words.append(
            f"{load.often.jobs} jobs run every five minutes or more often and make {load.often_share:.0%} of all runs: "
            "each run is a Pod, so let them run less often, or put their loop into a Deployment."
        )
    return ["## Load", " ".join(words)]


def _jobs(lines: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for line in lines:
        if line["dag_id"]:
            runs = f"{line.get('runs_per_day', 0):,.4g}"
            rows.append((_where(line), _code(line["dag_id"]), line["verdict"], _text(line.get("words", "")), runs,
                         line.get("schedule_kind", "")))  # fmt: skip
    return _table(("where", "DAG", "verdict", "starts", "runs a day", "timetable"), rows) if rows else "None."


def _needs(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for title, head, found in (
        ("Not in the image", "name", matrix(lines, "missing")),
        ("Machines that jobs talk to", "host", matrix(lines, "hosts")),
        (SHARED, "path", shared_paths(lines)),
    ):
        if found:
            yield f"## {title}"
            yield _table((head, "lines"), ((_code(name), ", ".join(where)) for name, where in found.items()))
    if found := matrix(lines, "localhost"):
        yield f"## {LOCALHOST}"
        yield _table(("what", "lines"), ((_text(name), ", ".join(where)) for name, where in found.items()))
    if found := matrix(lines, "image"):
        presence = presences(lines)
        yield "## Programs and paths that jobs name"
        yield IN_THE_IMAGE
        rows = ((_code(name), presence[name], ", ".join(where)) for name, where in found.items())
        yield _table(("name", "in the image", "lines"), rows)
    told = [(line, [each for each in line["warnings"] if each != NOBODY]) for line in lines]  # said once, of the file
    if warned := [(_where(line), " ".join(warnings)) for line, warnings in told if warnings]:
        yield "## To know"
        yield _table(("where", "what"), ((where, _text(text)) for where, text in warned))


def _secrets(places: Mapping[str, Sequence[str]], ours: Collection[str], namespace: str) -> Iterator[str]:
    """Tell of the Secrets that the jobs wait for, with a command for each; the shell's variables bring the values.

    Args:
        places: Name/key -> lines.
        ours: The names that the import gave; people who decided for another have it.
        namespace: Of the team.
    """
    if not places:
        return
    yield "## Secrets to create"
    yield _table(("Secret/key", "lines"), ((_code(name), ", ".join(where)) for name, where in places.items()))
    keys: dict[str, list[str]] = {}
    for place in places:
        name, _, key = place.partition("/")
        keys.setdefault(name, []).append(key)
    keys = {name: found for name, found in keys.items() if name in ours}
    where = f" --namespace {namespace}" if namespace else ""
    commands = (
        f"kubectl create secret generic {name}{where}"
        + "".join(f' \\\n  --from-literal={key}="${key}"' for key in found)
        for name, found in keys.items()
    )
    if not keys:
        return
    yield "With each password in a variable of its key's name:"
    yield "```sh\n" + "\n".join(commands) + "\n```"


def _where(line: Mapping[str, Any]) -> str:
    return f"{_text(line['file'])}:{line['line']}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _text(text: str) -> str:
    """Return text that is nothing else in Markdown: no cell ends in it, and no tag begins."""
    flat = re.sub(r"\s+", " ", text).strip()
    parts = re.split(r"(`[^`]*`)", flat)  # in code nothing is escaped, but for the table's own sign
    return "".join(each.replace("|", "\\|") if each.startswith("`") else _escaped(each) for each in parts)


def _escaped(text: str) -> str:
    return re.sub(r"([\\|*_`])", r"\\\1", text).replace("<", "&lt;")


def _code(text: str) -> str:
    flat = re.sub(r"[\r\n\t]+", " ", text).replace("|", "\\|")
    fence = "`" * (max((len(each) for each in re.findall(r"`+", flat)), default=0) + 1)
    edge = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{edge}{flat}{edge}{fence}" if flat else ""
