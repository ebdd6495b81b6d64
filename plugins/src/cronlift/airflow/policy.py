"""Airflow's cluster policy: which DAG belongs to which team. Loaded by the entry point `airflow.policy`.

A team's DAGs come from its own bundle, and Airflow's bundles and the chart's teams are called the same. So a DAG id
must begin with the name of its bundle: the triggerer then knows from the id alone for whom it acts.
"""

import sys
from pathlib import Path
from typing import Any

from airflow.policies import hookimpl

from cronlift.airflow import settings, warmup

# Airflow loads policies in every process, before it does anything else.
warmup.install(sys.argv)


@hookimpl
def dag_policy(dag: Any) -> None:
    """Refuse a DAG whose id does not begin with its bundle's name and `__`; in a preview, have every DAG stay paused.

    Args:
        dag: A DAG that was just parsed.

    Raises:
        AirflowClusterPolicyViolation: It claims another team, or none; it becomes an import error.
    """
    if settings.is_preview():
        dag.is_paused_upon_creation = True
    if not settings.has_teams():
        return
    bundle = bundle_of(Path(dag.fileloc), _bundle_folders())
    if bundle is None or bundle not in settings.read_teams():
        return
    wanted = f"{bundle}{settings.TEAM_SEPARATOR}"
    if not dag.dag_id.startswith(wanted) or dag.dag_id == wanted:
        from airflow.exceptions import AirflowClusterPolicyViolation

        from cronlift.errors import TeamError

        what, cure = wrong_team(dag.dag_id, bundle)
        text = f"{dag.fileloc}: {what}. {cure}"
        raise AirflowClusterPolicyViolation(text) from TeamError(text)


def wrong_team(dag_id: str, team: str) -> tuple[str, str]:
    """Return what is wrong with the id of a DAG in a team's folder, and what to do."""
    name = dag_id.partition(settings.TEAM_SEPARATOR)[2] or dag_id
    return (
        f"DAG id {dag_id!r} does not begin with the name of its team, {team!r}",
        f"Call the DAG {team + settings.TEAM_SEPARATOR + name!r}, or move the file to the other team's folder.",
    )


@hookimpl
def task_policy(task: Any) -> None:
    """Check the manifest of a mapped task, whose operator does not exist before it runs.

    Args:
        task: A task, mapped or not.

    Raises:
        AirflowClusterPolicyViolation: Its manifest has a fault.
    """
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    if not isinstance(task, MappedOperator) or not _is_ours(task.operator_class):
        return
    manifests, dag = _manifests_of(task), task.get_dag()
    if not manifests or dag is None:
        return
    from airflow.exceptions import AirflowClusterPolicyViolation

    from cronlift.airflow.checks import collect_and_check
    from cronlift.errors import CronliftError

    more = dag.template_searchpath or ()
    folders = [Path(dag.folder), *(Path(each) for each in ([more] if isinstance(more, str) else more))]
    try:
        templated = task.partial_kwargs.get("templated", True)
        for manifest in manifests:
            collect_and_check(manifest, folders, f"{dag.fileloc}: task {task.task_id}", dag.dag_id, templated=templated)
    except CronliftError as error:
        raise AirflowClusterPolicyViolation(str(error)) from error


def _manifests_of(task: Any) -> list[Any]:
    """Return the manifests of a mapped task that the DAG file names: one for all, or those that it is mapped over."""
    if (manifest := task.partial_kwargs.get("manifest")) is not None:
        return [manifest]
    mapped = getattr(task.expand_input, "value", None)
    if isinstance(mapped, dict):  # expand(manifest=[...])
        found = mapped.get("manifest")
    else:  # expand_kwargs([{"manifest": ...}, ...])
        found = [each.get("manifest") for each in mapped if isinstance(each, dict)] if isinstance(mapped, list) else []
    return [each for each in found if isinstance(each, (str, dict))] if isinstance(found, (list, tuple)) else []


def bundle_of(file: Path, folders: dict[str, Path]) -> str | None:
    """Return the bundle that a DAG file lies in.

    Args:
        file: Path of the DAG file.
        folders: Bundle name -> folder.

    Returns:
        The name of the innermost bundle, or None when the file lies in none.
    """
    found = [(len(folder.parts), name) for name, folder in folders.items() if file.is_relative_to(folder)]
    if not found:
        resolved = file.resolve()
        found = [
            (len(folder.parts), name) for name, folder in folders.items() if resolved.is_relative_to(folder.resolve())
        ]
    return max(found)[1] if found else None


def _bundle_folders() -> dict[str, Path]:
    """Read the bundles' folders from Airflow's configuration; bundles without a fixed path are not among them.

    A copied bundle's files are in its own folder of Airflow's storage: below `latest` for the DAG processor, below
    `versions/<hash>` for a task of a run that is pinned.
    """
    from airflow.configuration import conf

    entries = conf.getjson("dag_processor", "dag_bundle_config_list", fallback=[]) or []
    if not isinstance(entries, list):
        return {}
    folders = {}
    for entry in entries:
        if isinstance(entry, dict) and (path := (entry.get("kwargs") or {}).get("path")):
            copied = entry.get("classpath") == settings.GIT_SYNC_BUNDLE
            folders[entry["name"]] = _bundle_storage() / entry["name"] if copied else Path(path)
    return folders


def _bundle_storage() -> Path:
    """Return Airflow's bundle storage; its own function would load what the triggerer does not need."""
    import tempfile

    from airflow.configuration import conf

    place = conf.get("dag_processor", "dag_bundle_storage_path", fallback="")
    return Path(place) if place else Path(tempfile.gettempdir(), "airflow", "dag_bundles")


def _is_ours(operator_class: Any) -> bool:
    from cronlift.airflow.operator import KubernetesJobOperator

    return isinstance(operator_class, type) and issubclass(operator_class, KubernetesJobOperator)
