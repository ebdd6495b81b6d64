"""`cronlift check`: everything that can be told of a pull request without a cluster."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from cronlift.checks.affected import Scope
from cronlift.checks.catalogue import CHECKS
from cronlift.checks.formats import as_github, as_sarif, as_text
from cronlift.checks.model import Fault
from cronlift.checks.of_dags import Budget, check_files, warnings
from cronlift.checks.of_tree import orphans, without_team
from cronlift.cli import checked_tree
from cronlift.cli.checked_tree import CheckedTree
from cronlift.cli.deliverable import deliverable, leads_astray
from cronlift.cli.secret_files import written_secrets
from cronlift.errors import AuthoringError, CronliftError, FaultError
from cronlift.facts.model import FileFacts
from cronlift.policy.rules import RULES

_DEFAULT = Budget()


@dataclass
class Report:
    """What came of it.

    Attributes:
        faults: In the order of their places.
        warnings: What works, but probably not as meant.
        teams: Names of the teams whose DAGs were parsed.
        files: Facts of their DAG files.
        seconds: What the whole took.
    """

    faults: list[Fault]
    warnings: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    files: list[FileFacts] = field(default_factory=list)
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "ok": not self.faults,
            "faults": [each.to_json() for each in self.faults],
            "warnings": self.warnings,
            "teams": self.teams,
            "files": {each.path: round(each.seconds, 3) for each in self.files},
            "dags": sum(len(each.dags) for each in self.files),
            "seconds": round(self.seconds, 1),
        }


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--base", metavar="REF", help="Check only what differs from this commit or branch, and what that affects."
)
@click.option("--root", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The repository.")
@click.option("--team", help="The team, in a repository of its own without teams.yaml.")
@click.option("--file-budget", type=float, default=_DEFAULT.file, show_default=True, help="Seconds for an import.")
@click.option("--total-budget", type=float, default=_DEFAULT.total, show_default=True, help="Seconds for all imports.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "sarif", "github"]), default="text", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def check_command(
    paths: Sequence[Path],
    base: str | None,
    root: Path | None,
    team: str | None,
    file_budget: float,
    total_budget: float,
    form: str,
    as_json: bool,
) -> None:
    """Check DAGs, manifests and teams as the platform will take them, without a cluster.

    PATHS are teams' folders or files in them; without any, all of the repository is checked. DAG files are code: they
    are imported, in processes of their own, where variables, connections and the network are refused.

    Exit code: 0 well, 1 a fault was found, 2 wrong usage.
    """
    form = "json" if as_json else form
    progress = _Progress(quiet=form == "json" and not sys.stderr.isatty())
    try:
        tree = checked_tree.find(root, paths, team)
        report = run(tree, paths, base, Budget(file_budget, total_budget), progress)
    except AuthoringError as error:
        raise click.UsageError(str(error)) from error
    except FaultError as error:
        report = Report([checked_tree.as_fault(each, "teams-file") for each in error.faults])
    except CronliftError as error:
        raise click.UsageError(str(error)) from error
    click.echo(_shown(report, form), nl=False)
    if form in ("text", "github"):
        _say_end(report)
    if report.faults:
        sys.exit(1)


def run(
    tree: CheckedTree, paths: Sequence[Path], base: str | None, budget: Budget, progress: "_Progress | None" = None
) -> Report:
    """Check a repository.

    Args:
        tree: The repository.
        paths: Folders and files to check; none for all.
        base: Check only what a change from there can affect; None for all.
        budget: For imports.
        progress: Told how far it is.

    Raises:
        CronliftError: The base is no commit, a path is in no team's folder, or the check itself cannot run.
    """
    started, progress = time.monotonic(), progress or _Progress(quiet=True)
    change = tree.change(base) if base else None
    scope = change.scope if change else Scope(None, {})
    bundles = tree.bundles(scope, paths)
    names = [each.name for each in bundles]
    progress.say(f"Checking {len(bundles)} of {len(tree.teams)} teams" + _because(scope))
    faults = list(tree.own_faults()) if not paths else []
    faults += without_team(tree.files, tree.teams) if tree.has_teams_file and not paths else []
    faults += tree.environments[1]
    parsed = [each for each in bundles if not leads_astray(tree, each.name)]
    files = tree.facts(parsed, paths, progress.files) if parsed else []
    faults += check_files(files, budget)
    whole = [name for name in names if tree.is_whole(name, paths)]
    unlisted = {each.team for each in files for found in each.findings if found.kind == "deliverable"}
    known = [each.name for each in parsed if each.name in whole and each.name not in unlisted]
    faults += orphans(tree.files_of(known), [each for each in files if each.team in known])
    faults += deliverable(tree, whole, change)
    faults += tree.ruff(bundles, paths)
    faults += written_secrets(tree.root, tree.chosen(paths, change))
    told = [*warnings(files), *tree.lacking_images(files)]
    return Report(sorted(set(faults)), told, names, files, time.monotonic() - started)


def _because(scope: Scope) -> str:
    if scope.teams is None:
        return f", because of {scope.reasons['']}" if "" in scope.reasons else ""
    return ", those that the change can affect"


def _shown(report: Report, form: str) -> str:
    if form == "json":
        return json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n"
    if form == "sarif":
        rules = {each.id: each.what for each in CHECKS} | {f"policy/{each.id}": each.what for each in RULES}
        return as_sarif(report.faults, rules, version("cronlift"))
    return as_github(report.faults) if form == "github" else as_text(report.faults)


def _say_end(report: Report) -> None:
    for each in report.warnings:
        click.echo(f"{click.style('·', fg='yellow')} {each}", err=True)
    dags = sum(len(each.dags) for each in report.files)
    done = f"{dags} DAGs in {len(report.files)} files of {len(report.teams)} teams, {report.seconds:.1f} s"
    if report.faults:
        count = f"{len(report.faults)} fault{'s' if len(report.faults) != 1 else ''}"
        click.echo(f"{click.style('✗', fg='red')} {count}: {done}. docs/checks.md describes every check.", err=True)
    else:
        click.echo(f"{click.style('✓', fg='green')} {done}", err=True)


class _Progress:
    """Tells on standard error how far it is; in place on a terminal, else once in a while."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._shown = quiet, time.monotonic()

    def say(self, text: str) -> None:
        if not self._quiet:
            click.echo(f"… {text}", err=True)

    def files(self, done: int, total: int) -> None:
        every_seconds = 0.1 if sys.stderr.isatty() else 10.0
        if self._quiet or (time.monotonic() - self._shown < every_seconds and done < total):
            return
        self._shown = time.monotonic()
        if sys.stderr.isatty():
            click.echo(f"\r… Imported {done} of {total} files", err=True, nl=done == total)
        elif done < total:
            click.echo(f"… Imported {done} of {total} files", err=True)
