"""What a task does, and what a pretended run of it would send to the API server."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cronlift.airflow import settings
from cronlift.airflow.pretended_run import Placeholder, pretended_context, pretended_identity
from cronlift.errors import CronliftError
from cronlift.facts.model import TaskFacts
from cronlift.job.documents import Places
from cronlift.job.images import GuessedImages, Images
from cronlift.job.manifest import Defaults, build_objects
from cronlift.job.naming import TaskIdentity, job_name
from cronlift.job.parse import parse
from cronlift.job.resources import images_of, job_resources
from cronlift.job.sources import Sources, collect, is_path
from cronlift.job.template import render


def facts_of_task(task: Any, root: Path, at: datetime) -> TaskFacts:
    """Find out what a task of a parsed DAG does.

    Args:
        task: Airflow's, mapped or not.
        root: What paths are told from.
        at: Logical date of the pretended run.
    """
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    mapped = isinstance(task, MappedOperator)
    facts: dict[str, Any] = {
        "task_id": task.task_id,
        "operator": task.operator_class.__name__ if mapped else type(task).__name__,
        "mapped": mapped,
        "upstream": tuple(sorted(task.upstream_task_ids)),
        "pool": task.pool,
        "retries": task.retries or 0,
    }
    arguments: Mapping[str, Any] = task.partial_kwargs if mapped else vars(task)
    if not _is_ours(task.operator_class if mapped else type(task)) or arguments.get("manifest") is None:
        return TaskFacts(**facts)
    folders = folders_of(task.get_dag())
    sources = collect(arguments["manifest"], folders, templated=arguments.get("templated", True))
    facts |= {"manifest": _manifest_path(arguments["manifest"], folders, root), "files": _files(sources, folders, root)}
    try:
        documents = _pretend(task, sources, _values(task, arguments, mapped=mapped), at)
    except CronliftError as error:
        return TaskFacts(**facts, unrendered=str(error))
    job, team = documents[-1], _team(task.dag_id)
    defaults = team.defaults if team else {}
    return TaskFacts(
        **facts,
        documents=documents,
        images=images_of(job["spec"]["template"]["spec"]),
        requests=job_resources(job, "requests", defaults),
        limits=job_resources(job, "limits", defaults),
    )


def folders_of(dag: Any) -> list[Path]:
    """Return where a DAG's manifests are looked up: beside its file, then in its template_searchpath."""
    more = dag.template_searchpath or ()
    return [Path(dag.folder), *(Path(each) for each in ([more] if isinstance(more, str) else more))]


def from_root(path: Path, root: Path) -> str:
    """Return a path as facts tell it: with slashes, from the root where it lies below it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _is_ours(operator: Any) -> bool:
    from cronlift.airflow.operator import KubernetesJobOperator

    return isinstance(operator, type) and issubclass(operator, KubernetesJobOperator)


def _manifest_path(manifest: Any, folders: list[Path], root: Path) -> str | None:
    if not isinstance(manifest, str) or not is_path(manifest):
        return None
    places = (each / manifest.strip() for each in folders)
    return next((from_root(each, root) for each in places if each.is_file()), None)


def _files(sources: Sources, folders: list[Path], root: Path) -> tuple[str, ...]:
    places = (next((each / name for each in folders if (each / name).is_file()), None) for name in sources.files)
    return tuple(sorted(from_root(each, root) for each in places if each is not None))


def _values(task: Any, arguments: Mapping[str, Any], *, mapped: bool) -> dict[str, Any]:
    """Return a task's values: literal ones as they are, results of other tasks as their names in angle brackets.

    Raises:
        CronliftError: They are known at run time only, their names included.
    """
    values = arguments.get("values")
    if mapped:
        expanded = getattr(getattr(task, "expand_input", None), "value", {})
        over = expanded.get("values") if isinstance(expanded, Mapping) else None
        if over is not None:
            if not isinstance(over, (list, tuple)) or not over:
                raise CronliftError("the task is mapped over values that are known at run time only")
            values = over[0]
    if values is not None and not isinstance(values, Mapping):
        raise CronliftError("the task's values are known at run time only")
    return {name: _literal(name, each) for name, each in (values or {}).items()}


def _literal(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _literal(f"{name}.{key}", each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_literal(f"{name}[{index}]", each) for index, each in enumerate(value)]
    return value if value is None or isinstance(value, (str, int, float, bool)) else Placeholder(name)


def _pretend(task: Any, sources: Sources, values: dict[str, Any], at: datetime) -> tuple[dict[str, Any], ...]:
    """Render a task's manifest for the first try of a run at a moment.

    Raises:
        CronliftError: That needs real values.
    """
    dag = task.get_dag()
    identity, moment = pretended_identity(dag.dag_id, task.task_id, at)
    params = {name: each for name, each in dict(dag.params or {}).items() if not isinstance(each, type)}
    context = {**(dag.user_defined_macros or {}), **pretended_context(identity, moment, params)}
    images = Images(settings.read_images()) if settings.has_images() else GuessedImages()
    given = render(Sources("values", document=values), context, Images({})) if values else {}
    rendered = render(sources, context, images, values=given, job_name=job_name(identity))
    places = Places(sources.entry, has_lines=False)
    objects = build_objects(parse(rendered, places), identity, _defaults(identity, task), "none", places)
    return (*objects.companions, objects.job)


def _defaults(identity: TaskIdentity, task: Any) -> Defaults:
    known = _team(identity.dag_id)
    namespace, account = (known.namespace, known.service_account) if known else ("team", settings.JOB_ACCOUNT)
    return Defaults(namespace, account, getattr(task, "execution_timeout", None))


def _team(dag_id: str) -> settings.Team | None:
    return settings.read_teams().get(settings.team_name(dag_id)) if settings.has_teams() else None
