"""`cronlift validate`: what is wrong with manifests, before any DAG is parsed."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from cronlift.airflow import settings
from cronlift.cli.inputs import PAIR, images_of_deployment, manifests_in, pairs, read_sources
from cronlift.errors import ClusterError, CronliftError, ManifestError
from cronlift.job.advice import Advice
from cronlift.job.names import unknown_names
from cronlift.job.review import Review, review
from cronlift.job.template import Images


@dataclass
class Report:
    """What was found in one manifest.

    Args:
        manifest: The file.
        faults: Each would be an import error of the DAG.
        warnings: What works, but probably not as meant.
        review: For asking the server; None when its sources could not be read.
    """

    manifest: Path
    faults: list[ManifestError] = field(default_factory=list)
    warnings: list[Advice] = field(default_factory=list)
    review: Review | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `--json` prints of it."""
        return {
            "manifest": str(self.manifest),
            "ok": not self.faults,
            "faults": [{"where": each.where, "what": each.what, "cure": each.cure} for each in self.faults],
            "warnings": [asdict(each) for each in self.warnings],
        }


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The DAG file's folder, then those of its template_searchpath; repeatable.",
)
@click.option("--value", "values", multiple=True, metavar=PAIR, help="One of the tasks' values; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with an entry for each manifest.")
@click.option("--server", is_flag=True, help="Ask the API server too, by a dry run that creates nothing.")
@click.option("--team", help="With --server: as this team's launcher, in its namespace.")
@click.option("--namespace", help="With --server: in this namespace.")
def validate_command(
    paths: Sequence[Path],
    folders: Sequence[Path],
    values: Sequence[str],
    as_json: bool,
    server: bool,
    team: str | None,
    namespace: str | None,
) -> None:
    """Check manifests as the DAG processor would: PATHS are files, or folders whose Jobs are all checked.

    Exit code: 0 well, 1 a fault was found or the server could not be asked, 2 wrong usage.
    """
    manifests = [found for path in paths for found in manifests_in(path, folders)]
    if not manifests:
        raise click.UsageError(f"No Job manifest in {', '.join(map(str, paths))}. Name files that hold `kind: Job`.")
    place = _place(server, team, namespace)
    images = images_of_deployment()
    known = Images(images) if images is not None else None
    reports = [examine(each, folders, known, pairs("--value", values)) for each in manifests]
    unasked = _ask(reports, *place) if place is not None else ""
    if as_json:
        click.echo(json.dumps([each.to_json() for each in reports], indent=2, ensure_ascii=False))
    else:
        for each in reports:
            _show(each)
    if unasked:
        click.echo(f"cronlift: the API server was not asked: {unasked}", err=True)
    faulty = sum(bool(each.faults) for each in reports)
    if faulty and not as_json:
        click.echo(f"{faulty} of {len(reports)} manifests have faults", err=True)
    if faulty or unasked:
        sys.exit(1)


def examine(manifest: Path, folders: Sequence[Path], images: Images | None, values: dict[str, str]) -> Report:
    """Check one manifest without a cluster.

    Args:
        manifest: The file.
        folders: See `inputs.read_sources`.
        images: The deployment's images, or None where they are not known.
        values: The tasks' values; a name that is not among them is a warning, for the task may give it.
    """
    try:
        sources = read_sources(manifest, folders)
    except ManifestError as error:
        return Report(manifest, list(error.faults))
    found = review(sources, images)
    unknown = [Advice(each.what, each.where, each.cure) for each in unknown_names(sources, values)]
    return Report(manifest, list(found.faults), unknown + found.advice(), found)


def _place(server: bool, team: str | None, namespace: str | None) -> tuple[str, str | None] | None:
    """Return the namespace to ask in and whom to impersonate; None without --server."""
    if not server:
        if team or namespace:
            raise click.UsageError("--team and --namespace are for --server. Add it, or leave them out.")
        return None
    if team is None:
        if namespace is None:
            raise click.UsageError("--server needs to know where: add --team or --namespace.")
        return namespace, None
    if namespace is None:
        try:
            known = settings.read_teams() if settings.has_teams() else {}
        except CronliftError as error:
            raise click.UsageError(str(error)) from error
        if team not in known:
            raise click.UsageError(f"The namespace of team {team!r} is not known here. Add --namespace.")
        return known[team].namespace, known[team].launcher
    return namespace, settings.Team(team, namespace, settings.JOB_ACCOUNT).launcher


def _ask(reports: Sequence[Report], namespace: str, user: str | None) -> str:
    """Add the server's faults to the reports; return why it could not be asked, or nothing."""
    from cronlift.cli.dry_run import ask_server

    try:
        asyncio.run(ask_server(reports, namespace, user))
    except ClusterError as error:
        return str(error)
    return ""


def _show(report: Report) -> None:
    well = not report.faults
    mark = click.style("✓", fg="green") if well else click.style("✗", fg="red")
    click.echo(f"{mark} {report.manifest}", err=not well)
    for fault in report.faults:
        click.echo(f"  {fault}", err=True)
    for warning in report.warnings:
        click.echo(f"  {click.style('·', fg='yellow')} {warning}", err=True)
