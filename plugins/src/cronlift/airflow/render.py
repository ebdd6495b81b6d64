"""From sources and Airflow's context to the Job: in a thread of the triggerer, or on a worker."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cronlift.airflow import settings
from cronlift.errors import ManifestError
from cronlift.job.manifest import Defaults, Places, build_objects, parse
from cronlift.job.naming import TaskIdentity, digest
from cronlift.job.objects import Objects
from cronlift.job.sources import Sources
from cronlift.job.template import Images, render

_SLOW_IN_TRIGGERER = (
    "prev_start_date_success",
    "prev_end_date_success",
    "prev_data_interval_start_success",
    "prev_data_interval_end_success",
)


class TemplateTaskInstance:
    """The `ti` of templates.

    In a triggerer of Airflow 3.3.2, `ti.xcom_pull('up')` never returns, because it asks for all map indexes; asking
    for -1, the index of a task that is not mapped, works. So that is the default here.

    Args:
        task_instance: Airflow's.
    """

    def __init__(self, task_instance: Any) -> None:
        self._task_instance = task_instance

    def xcom_pull(self, task_ids: Any = None, *args: Any, map_indexes: Any = -1, **more: Any) -> Any:
        """Pull an XCom of a task that is not mapped, or of the given map indexes."""
        return self._task_instance.xcom_pull(task_ids, *args, map_indexes=map_indexes, **more)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("xcom_push", "task"):
            raise AttributeError(name)
        return getattr(self._task_instance, name)


class _Refused:
    """A name that would never return: using it says so."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        raise ManifestError(
            f"{self._name} cannot be read where manifests are rendered (Airflow 3.3.2)",
            cure="Use logical_date, data_interval_start or data_interval_end, or pass the value by an XCom.",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return str(self)


def render_manifest(sources: Sources, context: Mapping[str, Any]) -> Any:
    """Render a task's manifest.

    Args:
        sources: Of the manifest.
        context: Airflow's template context.

    Returns:
        YAML text, or a dict.

    Raises:
        ManifestError: See `cronlift.job.template.render`.
        SettingsError: The deployment's images are malformed.
    """
    known = dict(context)
    if "ti" in known:
        known["ti"] = known["task_instance"] = TemplateTaskInstance(known["ti"])
    for name in _SLOW_IN_TRIGGERER:
        if name in known:
            known[name] = _Refused(name)
    images = Images(settings.read_images() if settings.has_images() else {})
    return render(sources, known, images)


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
    return digest(sources.entry, sorted(sources.files.items()), sources.document, length=16)
