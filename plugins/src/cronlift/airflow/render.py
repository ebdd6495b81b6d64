"""From sources and Airflow's context to what is created: in a thread of the triggerer, or on a worker."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cronlift.airflow import settings
from cronlift.airflow.template_context import template_context
from cronlift.job.documents import Places
from cronlift.job.manifest import Defaults, build_objects
from cronlift.job.naming import TaskIdentity, digest, job_name
from cronlift.job.objects import Objects
from cronlift.job.parse import parse
from cronlift.job.sources import Sources
from cronlift.job.template import Images, render


def render_manifest(
    sources: Sources, context: Mapping[str, Any], identity: TaskIdentity, values: Mapping[str, Any]
) -> Any:
    """Render a task's manifest.

    Args:
        sources: Of the manifest.
        context: Airflow's template context.
        identity: The try.
        values: The task's own names, rendered.

    Returns:
        YAML text, or a dict.

    Raises:
        ManifestError: See `cronlift.job.template.render`.
        SettingsError: The deployment's images are malformed.
    """
    known = template_context(context, settings.team_name(identity.dag_id))
    images = Images(settings.read_images() if settings.has_images() else {})
    return render(sources, known, images, values=values, job_name=job_name(identity))


def render_values(values: Mapping[str, Any], context: Mapping[str, Any], identity: TaskIdentity) -> dict[str, Any]:
    """Render the templates in a task's values, as Airflow does on a worker.

    Raises:
        ManifestError: A template has a fault.
    """
    if not values:
        return {}
    known = template_context(context, settings.team_name(identity.dag_id))
    rendered: dict[str, Any] = render(Sources("values", document=dict(values)), known, Images({}))
    return rendered


def make_objects(
    rendered: Any,
    sources: Sources,
    identity: TaskIdentity,
    team: settings.Team,
    execution_timeout_seconds: float | None,
) -> Objects:
    """Build the objects of a try from its rendered manifest.

    Raises:
        ManifestError: The rendered manifest has a fault.
    """
    limit = timedelta(seconds=execution_timeout_seconds) if execution_timeout_seconds else None
    defaults = Defaults(team.namespace, team.service_account, limit)
    places = Places(sources.entry, has_lines=False)
    return build_objects(parse(rendered, places), identity, defaults, spec_hash(sources), places)


def spec_hash(sources: Sources) -> str:
    """Hash what a Job is made from.

    The sources, not the result: a try that is taken over renders again, and values such as `macros.datetime.now()`,
    a variable, or an image pinned by a new release may have changed while the Job ran.
    """
    plain = () if sources.templated else ("plain",)
    return digest(sources.entry, sorted(sources.files.items()), sources.document, *plain, length=16)
