"""Which files an import writes, and what happens to those that are there already.

A file that nobody touched since it was generated is replaced. One that was edited stays, and the new version is put
beside it as `<name>.new`, once for each version.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cronlift.crontab.ids import slug_of
from cronlift.crontab.plan import Plan
from cronlift.crontab.report import FILE_NAME as REPORT_JSON
from cronlift.crontab.report_html import html
from cronlift.crontab.report_markdown import markdown
from cronlift.crontab.write_dag import dag_text
from cronlift.crontab.write_manifest import manifest_text

IMPORT_FOLDER = "import"
BESIDE_SUFFIX = ".new"

_TEST = '''\
"""The DAGs that were imported for team {team} run when the old daemon started their jobs."""

from pathlib import Path

from click.testing import CliRunner

from cronlift.cli.main import main

FOLDER = Path(__file__).parents[2] / "{folder}"


def test_imported_dags_run_when_the_old_daemon_did() -> None:
    done = CliRunner().invoke(main, ["prove", str(FOLDER), "--years", "1"])
    assert done.exit_code == 0, done.output
'''


class Fate(StrEnum):
    """What happens to a file."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    REMOVED = "removed"
    KEPT = "kept"
    """It was edited by hand, and what would be generated is as before."""
    BESIDE = "beside"
    """It was edited by hand; the new version goes beside it."""
    OVERWRITTEN = "overwritten"
    """It was edited by hand, and is replaced because the user said so."""


@dataclass(frozen=True)
class FileChange:
    """What happens to one file.

    Args:
        path: Relative to the repository's root.
        fate: What happens.
        text: The generated text; empty for a file that goes.
        before: What is there now; None when nothing is.
    """

    path: str
    fate: Fate
    text: str
    before: str | None

    @property
    def target(self) -> str:
        """Return the path that is written."""
        return self.path + BESIDE_SUFFIX if self.fate is Fate.BESIDE else self.path


def files_of(plan: Plan, report: Mapping[str, Any], folder: str) -> dict[str, str]:
    """Return everything that an import generates, but for report.json and decisions.yaml.

    Args:
        plan: The import.
        report: Its report, with the lines of earlier imports.
        folder: The team's, relative to the repository's root, such as "dags/billing".

    Returns:
        Path relative to the root -> text.
    """
    team = plan.settings.team
    found = {}
    for group in plan.groups:
        if group.jobs:
            shown = report["groups"][group.name]["file"]
            found[f"{folder}/cron_{group.name}.py"] = dag_text(shown, team, group.decision.start, group.jobs)
        for job in group.jobs:
            found[f"{folder}/{job.manifest}"] = manifest_text(job)
    found[f"{folder}/{IMPORT_FOLDER}/REPORT.md"] = markdown(report)
    found[f"{folder}/{IMPORT_FOLDER}/report.html"] = html(report)
    found[f"tests/dags/test_import_{slug_of(team)}.py"] = _TEST.format(team=team, folder=folder)
    return found


def fingerprint(text: str) -> str:
    """Return the hash by which a later import sees whether a file was edited."""
    return hashlib.sha256(text.encode()).hexdigest()


def kept_fingerprints(earlier: Mapping[str, Any] | None, plan: Plan, folder: str) -> dict[str, str]:
    """Return the fingerprints of files that belong to groups which are not in the plan."""
    before: dict[str, str] = dict((earlier or {}).get("files", {}))
    now = {group.name for group in plan.groups}
    others = [name for name in (earlier or {}).get("groups", {}) if name not in now]
    own = {f"{folder}/cron_{name}.py" for name in others}
    inside = tuple(f"{folder}/jobs/{name}/" for name in others)
    return {path: value for path, value in before.items() if path in own or (inside and path.startswith(inside))}


def changes_of(
    files: Mapping[str, str],
    on_disk: Mapping[str, str],
    before: Mapping[str, str],
    kept: Mapping[str, str],
    *,
    overwrite: bool = False,
) -> list[FileChange]:
    """Decide what happens to each file.

    Args:
        files: What is generated now.
        on_disk: What is there: path -> text, of all paths in `files` and `before` that exist.
        before: Fingerprints of what the last import generated.
        kept: Those of them that this import has nothing to do with.
        overwrite: Replace files that were edited by hand too.

    Returns:
        A change for each path, in order.
    """
    changes = []
    for path, text in sorted(files.items()):
        now = on_disk.get(path)
        changes.append(FileChange(path, _fate(text, now, before.get(path), overwrite), text, now))
    for path in sorted(set(before) - set(files) - set(kept)):
        now = on_disk.get(path)
        if now is not None:
            edited = fingerprint(now) != before[path] and not overwrite
            changes.append(FileChange(path, Fate.KEPT if edited else Fate.REMOVED, "", now))
    return changes


def _fate(text: str, now: str | None, before: str | None, overwrite: bool) -> Fate:
    if now is None:
        return Fate.NEW
    if now == text:
        return Fate.SAME
    if fingerprint(now) == before:
        return Fate.CHANGED
    if overwrite:
        return Fate.OVERWRITTEN
    return Fate.KEPT if before == fingerprint(text) else Fate.BESIDE


__all__ = [
    "BESIDE_SUFFIX",
    "IMPORT_FOLDER",
    "REPORT_JSON",
    "Fate",
    "FileChange",
    "changes_of",
    "files_of",
    "fingerprint",
    "kept_fingerprints",
]
