"""What old and new runs of a line did: when they ran, how they ended, how long they took, what they printed."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cronlift.crontab.history import printed, read_history
from cronlift.crontab.ids import command_hash

SLOWER = 1.5
"""A median that much longer than before is told; Pods take some seconds to start, which a few runs do not show."""
SLOWER_SECONDS = 5.0


@dataclass(frozen=True)
class Run:
    """One run of one line.

    Args:
        id: DAG id.
        exit: Its exit code; None when it is not known.
        seconds: How long it took; None when it is not known.
        size_bytes: Of its output; None when it is not known.
        sha256: Of its output; None when it is not known.
    """

    id: str
    exit: int | None = None
    seconds: float | None = None
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Comparison:
    """The old and the new runs of one line.

    Args:
        id: DAG id.
        old: How many old runs.
        new: How many new ones.
        differences: What is not alike, a sentence each; empty when all that is known is.
    """

    id: str
    old: int
    new: int
    differences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what `--json` prints of it."""
        return {"id": self.id, "old": self.old, "new": self.new, "differences": list(self.differences)}


def read_runs(text: str, lines: Sequence[Mapping[str, Any]], groups: Mapping[str, Any], zone: ZoneInfo) -> list[Run]:
    """Read runs out of logs of any kind; what is none is passed over.

    Args:
        text: Lines of the measuring shell of docs/cutover.md, termination messages and last lines of cronrun, or cron's
            own log, which says no more than that a job started.
        lines: Of the report.
        groups: Of the report.
        zone: The old host's, for times that do not say theirs.
    """
    names = {line["dag_id"].partition("__")[2]: line["dag_id"] for line in lines if line.get("dag_id")}
    hashes = {line["command_hash"]: line["dag_id"] for line in lines if line.get("dag_id")}
    found = []
    for each in text.splitlines():
        run = _measured(each, hashes) or _message(each, names) or _last_line(each, names)
        if run is not None:
            found.append(run)
    return found + _logged(text, lines, groups, zone)


def _measured(text: str, hashes: Mapping[str, str]) -> Run | None:
    """Read a line of the measuring shell: start, exit code, seconds, bytes, hash, user, command."""
    parts = text.split("\t", 6)
    if len(parts) != 7 or not _ISO.match(parts[0]):
        return None
    dag_id = hashes.get(command_hash(parts[5], parts[6])) or hashes.get(command_hash("", parts[6]))
    if dag_id is None or not (parts[1].isdigit() and parts[3].isdigit()):
        return None
    return Run(dag_id, int(parts[1]), float(parts[2]), int(parts[3]), parts[4] or None)


def _message(text: str, names: Mapping[str, str]) -> Run | None:
    start = text.find('{"job": ')
    if start < 0:
        return None
    try:
        found = json.loads(text[start:])
        if found["outcome"] != "ran" or found["job"] not in names:
            return None
        size = found.get("output_bytes")
        return Run(names[found["job"]], int(found["code"]), float(found["seconds"]), size)
    except (ValueError, KeyError, TypeError):
        return None


def _last_line(text: str, names: Mapping[str, str]) -> Run | None:
    found = _CRONRUN.search(text)
    if found is None or found["job"] not in names:
        return None
    code = int(found["exit"]) if found["exit"] != "none" else None
    return Run(names[found["job"]], code, float(found["seconds"]))


def _logged(text: str, lines: Sequence[Mapping[str, Any]], groups: Mapping[str, Any], zone: ZoneInfo) -> list[Run]:
    by_command: dict[str, str] = {}
    for line in lines:
        if line.get("dag_id") and line.get("schedule"):
            by_command.setdefault(_squeezed(_command_of(line, groups)), line["dag_id"])
    starts = read_history(text.splitlines(), zone, datetime.now(UTC))
    return [Run(by_command[found]) for each in starts if (found := _squeezed(each.command)) in by_command]


def compare_runs(old: Iterable[Run], new: Iterable[Run]) -> list[Comparison]:
    """Compare line by line.

    Args:
        old: Of the old host.
        new: Of Airflow.

    Returns:
        A comparison for each id that either has, in order.
    """
    before, after = _by_id(old), _by_id(new)
    found = []
    for each in sorted(before.keys() | after.keys()):
        ours = before.get(each, []), after.get(each, [])
        found.append(Comparison(each, len(ours[0]), len(ours[1]), _differences(*ours)))
    return found


def _differences(old: Sequence[Run], new: Sequence[Run]) -> tuple[str, ...]:
    if not old:
        return ("It never ran on the old host in this time.",)
    if not new:
        return ("It never ran in Airflow in this time.",)
    found = []
    codes = [{each.exit for each in runs if each.exit is not None} for runs in (old, new)]
    if all(codes) and codes[0] != codes[1]:
        shown = [", ".join(map(str, sorted(each))) for each in codes]
        found.append(f"Exit codes: {shown[0]} before, {shown[1]} now.")
    times = [sorted(each.seconds for each in runs if each.seconds is not None) for runs in (old, new)]
    if all(times):
        medians = [each[len(each) // 2] for each in times]
        if medians[1] > max(medians[0] * SLOWER, medians[0] + SLOWER_SECONDS):
            found.append(f"Takes longer: {medians[0]:.1f} s before, {medians[1]:.1f} s now (medians).")
    hashes = [{each.sha256 for each in runs if each.sha256} for runs in (old, new)]
    sizes = [sorted(each.size_bytes for each in runs if each.size_bytes is not None) for runs in (old, new)]
    if all(hashes) and not hashes[0] & hashes[1] and all(sizes):
        medians = [each[len(each) // 2] for each in sizes]
        found.append(f"Output: no run printed the same; {medians[0]} bytes before, {medians[1]} now (medians).")
    elif all(sizes) and bool(sizes[0][-1]) != bool(sizes[1][-1]):
        found.append("Output: " + ("none now." if sizes[0][-1] else "none before, some now."))
    return tuple(found)


def _by_id(runs: Iterable[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for each in runs:
        found.setdefault(each.id, []).append(each)
    return found


_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
_CRONRUN = re.compile(
    r"cronrun: (?P<job>\S+) \([^)]*\) ran: exit (?P<exit>\d+|none), signal \w+, (?P<seconds>[\d.]+) s\b"
)


def _command_of(line: Mapping[str, Any], groups: Mapping[str, Any]) -> str:
    """Return a report line's command, as cron's log shows it: without the time fields and the user."""
    fields = 1 if str(line["schedule"]).startswith("@") else 5
    fields += groups[line["group"]]["format"] == "system"
    words = str(line["raw"]).strip().split(None, fields)
    return printed(words[fields]) if len(words) > fields else ""


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\\%", "%")).strip()
