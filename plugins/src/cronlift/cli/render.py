"""`cronlift render`: what a manifest becomes, without a cluster and without a run."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import yaml

from cronlift.airflow.pretended_run import pretended_context, pretended_identity
from cronlift.airflow.settings import JOB_ACCOUNT
from cronlift.cli.inputs import PAIR, images_of_deployment, pairs, read_sources, typed_pairs
from cronlift.errors import CronliftError, ManifestError
from cronlift.job.documents import Places
from cronlift.job.manifest import Defaults, build_objects
from cronlift.job.masking import mask
from cronlift.job.names import refused_value_names, unknown_names
from cronlift.job.naming import job_name
from cronlift.job.parse import parse
from cronlift.job.template import Images, render


@click.command("render")
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The DAG file's folder, then those of its template_searchpath; repeatable.",
)
@click.option("--dag", "dag_id", default="team__dag", show_default=True, help="DAG id of the pretended run.")
@click.option("--task", "task_id", default="task", show_default=True, help="Task id of the pretended run.")
@click.option("--date", type=click.DateTime(), help="Logical date of the pretended run, in UTC; now by default.")
@click.option("--param", "params", multiple=True, metavar=PAIR, help="One of {{ params }}, JSON or text; repeatable.")
@click.option("--value", "values", multiple=True, metavar=PAIR, help="One of the task's values, likewise; repeatable.")
@click.option("--image", "images", multiple=True, metavar=PAIR, help="One of {{ images }}; repeatable.")
@click.option("--namespace", default="team", show_default=True, help="Namespace of the team.")
@click.option("--show-secrets", is_flag=True, help="Show the values of environment variables and Secrets.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object of kind List.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead.")
def render_command(
    manifest: Path,
    folders: Sequence[Path],
    dag_id: str,
    task_id: str,
    date: datetime | None,
    params: Sequence[str],
    values: Sequence[str],
    images: Sequence[str],
    namespace: str,
    show_secrets: bool,
    as_json: bool,
    output: Path | None,
) -> None:
    """Print the objects that MANIFEST becomes, as the API server would get them; values are masked.

    Connections, variables and results of other tasks are shown as their names in angle brackets.

    Exit code: 0 well, 1 the manifest has a fault, 2 wrong usage.
    """
    given = typed_pairs("--value", values)
    if refused := refused_value_names(given):
        raise click.UsageError(" ".join(refused))
    known = Images(pairs("--image", images) or images_of_deployment() or {})
    identity, moment = pretended_identity(dag_id, task_id, date)
    context = pretended_context(identity, moment, typed_pairs("--param", params))
    try:
        sources = read_sources(manifest, folders)
        if unknown := unknown_names(sources, given):
            raise ManifestError.all_of(unknown)
        rendered = render(sources, context, known, values=given, job_name=job_name(identity))
        places = Places(sources.entry, has_lines=False)
        objects = build_objects(parse(rendered, places), identity, Defaults(namespace, JOB_ACCOUNT), "none", places)
    except CronliftError as error:
        click.echo(f"cronlift: {error}", err=True)
        sys.exit(1)
    documents = [*objects.companions, objects.job] if show_secrets else mask(objects)
    text = as_text(documents, as_json=as_json)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"Cannot write {output}: {error.strerror}.") from error
    click.echo(f"Wrote {output}", err=True)


def as_text(documents: Sequence[dict[str, Any]], *, as_json: bool) -> str:
    """Return objects as YAML documents, or as one List of JSON; kubectl reads both."""
    if as_json:
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)}, indent=2) + "\n"
    return yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=False)
