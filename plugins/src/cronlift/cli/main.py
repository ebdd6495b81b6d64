"""`cronlift render` and `cronlift validate`: what a manifest becomes, and what is wrong with it, before any run.

Results go to stdout, faults to stderr. Exit codes: 0 well, 1 a fault in a manifest, 2 wrong usage.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import yaml

from cronlift.cli.doctor import doctor_command
from cronlift.cli.sweep import sweep_command
from cronlift.errors import CronliftError
from cronlift.job.documents import Places
from cronlift.job.manifest import Defaults, build_objects
from cronlift.job.naming import TaskIdentity
from cronlift.job.parse import parse
from cronlift.job.review import check_sources
from cronlift.job.sources import collect
from cronlift.job.template import Images, render

_PAIR = "NAME=VALUE"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cronlift")
def main() -> None:
    """Move a crontab to Airflow on Kubernetes, and look after what moved."""


main.add_command(doctor_command)
main.add_command(sweep_command)


@main.command("render")
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="The DAG file's folder.")
@click.option("--dag", "dag_id", default="team__dag", show_default=True, help="DAG id of the pretended run.")
@click.option("--task", "task_id", default="task", show_default=True, help="Task id of the pretended run.")
@click.option("--date", type=click.DateTime(), help="Logical date of the pretended run; today by default.")
@click.option("--param", "params", multiple=True, metavar=_PAIR, help="One of {{ params }}; repeatable.")
@click.option("--image", "images", multiple=True, metavar=_PAIR, help="One of {{ images }}; repeatable.")
@click.option("--namespace", default="team", show_default=True, help="Namespace of the team.")
def render_command(
    manifest: Path,
    folder: Path | None,
    dag_id: str,
    task_id: str,
    date: datetime | None,
    params: Sequence[str],
    images: Sequence[str],
    namespace: str,
) -> None:
    """Print the Job that MANIFEST becomes, as the API server would get it."""
    moment = (date or datetime.now(UTC)).replace(tzinfo=UTC)
    run_id = f"manual__{moment.isoformat()}"
    identity = TaskIdentity("laptop/laptop", dag_id, run_id, task_id, -1, 1)
    try:
        base = folder or dag_folder(manifest)
        sources = collect(str(manifest.resolve().relative_to(base.resolve())), [base])
        known = Images(_pairs("--image", images) or _images_of_deployment() or {})
        text = render(sources, _context(identity, moment, _pairs("--param", params)), known)
        places = Places(sources.entry, has_lines=False)
        job = build_objects(parse(text, places), identity, Defaults(namespace, "cronlift-job"), "none", places).job
    except CronliftError as error:
        click.echo(f"cronlift: {error}", err=True)
        sys.exit(1)
    click.echo(yaml.safe_dump(job, sort_keys=False, default_flow_style=False), nl=False)


@main.command("validate")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="The DAG file's folder.")
def validate_command(paths: Sequence[Path], folder: Path | None) -> None:
    """Check manifests as the DAG processor would: PATHS are files, or folders whose Jobs are all checked."""
    manifests = [found for path in paths for found in manifests_in(path)]
    if not manifests:
        raise click.UsageError(f"No Job manifest in {', '.join(map(str, paths))}. Name files that hold `kind: Job`.")
    images, faults = _images_of_deployment(), 0
    for manifest in manifests:
        base = folder or dag_folder(manifest)
        try:
            sources = collect(str(manifest.resolve().relative_to(base.resolve())), [base])
            check_sources(sources, Images(images) if images is not None else None)
        except CronliftError as error:
            faults += 1
            click.echo(f"✗ {manifest}\n  {error}", err=True)
        else:
            click.echo(f"✓ {manifest}")
    if faults:
        click.echo(f"{faults} of {len(manifests)} manifests have faults", err=True)
        sys.exit(1)


def dag_folder(manifest: Path) -> Path:
    """Return the folder that a manifest's names are relative to: above `jobs/`, or its own."""
    parent = manifest.resolve().parent
    return parent.parent if parent.name == "jobs" else parent


def manifests_in(path: Path) -> list[Path]:
    """Return a file itself, or the files of a folder that hold a Job."""
    if path.is_file():
        return [path]
    files = (each for suffix in ("*.yaml", "*.yml") for each in path.rglob(suffix))
    return sorted(each for each in files if _holds_a_job(each))


def _holds_a_job(path: Path) -> bool:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.split("#")[0].strip() == "kind: Job" for line in lines)


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not separator or not name:
            raise click.UsageError(f"{option} {each!r} is not {_PAIR}, such as {option} legacy=registry/legacy:1.")
        pairs[name] = value
    return pairs


def _images_of_deployment() -> Mapping[str, str] | None:
    """Return the images of CRONLIFT_JOB_IMAGES, as a deployment has them; None where there is none."""
    text = os.environ.get("CRONLIFT_JOB_IMAGES", "").strip()
    if not text:
        return None
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise click.UsageError(f"CRONLIFT_JOB_IMAGES is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise click.UsageError("CRONLIFT_JOB_IMAGES is no JSON object of names and references.")
    return {str(name): str(reference) for name, reference in value.items()}


def _context(identity: TaskIdentity, moment: datetime, params: Mapping[str, str]) -> dict[str, Any]:
    """Return as much of Airflow's context as there is without a run."""
    ids = {"dag_id": identity.dag_id, "run_id": identity.run_id}
    return {
        "ds": f"{moment:%Y-%m-%d}",
        "ds_nodash": f"{moment:%Y%m%d}",
        "ts": moment.isoformat(),
        "ts_nodash": f"{moment:%Y%m%dT%H%M%S}",
        "logical_date": moment,
        "data_interval_start": moment,
        "data_interval_end": moment,
        "run_id": identity.run_id,
        "params": dict(params),
        "dag": SimpleNamespace(dag_id=identity.dag_id),
        "task": SimpleNamespace(task_id=identity.task_id),
        "ti": SimpleNamespace(**ids, task_id=identity.task_id, try_number=1, map_index=-1),
        "dag_run": SimpleNamespace(**ids, logical_date=moment, run_after=moment, conf={}),
    }
