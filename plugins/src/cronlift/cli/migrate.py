"""`cronlift migrate`: DAG files of other operators for Kubernetes Jobs, rewritten.

The diff goes to stdout, notes and faults to stderr. Exit codes: 0 everything was translated or nothing was there to
translate, 1 something was left for a person, 2 wrong usage.
"""

import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import click

from cronlift.migrate.dag_file import Migration, Note, migrate


@click.command("migrate")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--write", is_flag=True, help="Change the files and write the manifests, instead of showing the diff.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each file.")
def migrate_command(files: Sequence[Path], write: bool, as_json: bool) -> None:
    """Rewrite DAG FILES that use the stock KubernetesJobOperator, or the one of airflow-kube-job-operator.

    What cannot be translated stays as it is, and is listed with its line and what to do about it.
    """
    planned: dict[Path, str] = {}
    reports = [_migrate_file(path, planned) for path in files]
    if write:
        for path, text in planned.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    if as_json:
        click.echo(json.dumps(reports, indent=2, ensure_ascii=False))
    for report in reports:
        if not as_json and not write:
            click.echo(report["diff"], nl=False)
        for note in report["notes"]:
            click.echo(f"{'✗' if note['left'] else '·'} {report['file']}:{note['line']}: {note['text']}", err=True)
    left = sum(note["left"] for report in reports for note in report["notes"])
    click.echo(f"{len(planned)} files {'written' if write else 'to write'}, {left} faults left for you.", err=True)
    if planned:
        click.echo(f"Next: {'cronlift validate' if write else 'the same with --write'}", err=True)
    if left:
        sys.exit(1)


def _migrate_file(path: Path, planned: dict[Path, str]) -> dict[str, Any]:
    """Plan a file's changes and describe them."""
    folder = path.resolve().parent

    def read(name: str) -> str | None:
        there = folder / name
        return planned.get(there, there.read_text(encoding="utf-8") if there.is_file() else None)

    try:
        source = path.read_bytes().decode()
        found = migrate(source, PurePosixPath(path.resolve().as_posix()), read)
    except (SyntaxError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None) or 1
        source, found = "", Migration("", notes=[Note(line, f"left as it is: {error}. Correct the file", left=True)])
    changed = {folder / name: text for name, text in found.manifests.items() if read(name) != text}
    if found.source != source:
        changed[path.resolve()] = found.source
    planned |= changed
    olds = {path.resolve(): source}
    diff = "".join(_diff(each, olds.get(each, ""), text, path.parent) for each, text in changed.items())
    return {
        "file": str(path),
        "changed": found.source != source,
        "manifests": sorted(found.manifests),
        "notes": [{"line": note.line, "text": note.text, "left": note.left} for note in found.notes],
        "diff": diff,
    }


def _diff(path: Path, old: str, new: str, folder: Path) -> str:
    name = (folder / path.relative_to(folder.resolve())).as_posix()
    before = name if old else "/dev/null"
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), before, name))
