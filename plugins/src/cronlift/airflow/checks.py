"""What is checked while a DAG file is parsed, so that a fault is an import error and not a failed night."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from cronlift.airflow import settings
from cronlift.errors import ManifestError, OperatorArgumentError
from cronlift.job.access import check_access
from cronlift.job.ownership import check_ownership
from cronlift.job.review import Review, review
from cronlift.job.sources import INLINE_NAME, Sources, collect
from cronlift.job.template import Images
from cronlift.policy.rules import judge

log = logging.getLogger(__name__)


def collect_and_check(
    manifest: str | dict[str, Any],
    folders: Sequence[Path],
    asked_by: str,
    dag_id: str = "",
    names: Collection[str] | None = None,
    retries: int = 0,
    *,
    templated: bool = True,
) -> Sources:
    """Collect a task's sources and check them as far as that is possible without a run.

    Args:
        manifest: As the DAG gave it.
        folders: Where paths are looked up.
        asked_by: The task in words, with its file and line; named where the fault is not in a file of its own.
        dag_id: Tells the team, where the deployment's teams are known.
        names: What the task and its DAG add to Airflow's names; None when that is not known before the run.
        retries: Of the task; what it makes questionable is logged, with all other warnings.
        templated: Whether the manifest is Jinja.

    Returns:
        The sources.

    Raises:
        ManifestError: With every fault found.
        SettingsError: The deployment's images are malformed.
    """
    try:
        sources = collect(manifest, folders, templated=templated)
        images = Images(settings.read_images()) if settings.has_images() else None
        found = review(sources, images, values=names)
        faults = list(found.faults)
        if settings.has_teams() and (team := settings.read_teams().get(settings.team_name(dag_id))):
            faults += check_access(sources, team.name)
            faults += _of_team(found, team)
        if faults:
            raise ManifestError.all_of(faults)
    except ManifestError as error:
        if error.where and not error.where.startswith(INLINE_NAME):
            raise
        error.args = (f"{asked_by}: {error}",)
        raise
    for advice in found.advice(retries):
        log.warning("%s: %s", asked_by, advice)
    return sources


def _of_team(found: Review, team: settings.Team) -> list[ManifestError]:
    """Judge a manifest by its team's rules; where the policy is off, by names that are never allowed.

    It may have other faults: all of them are told at once.
    """
    if team.rules is None:
        return check_ownership(found.documents, found.places, team.namespace)
    companions = [each for each in found.documents if each.kind != "Job"]
    return [
        *judge(found.documents, found.places, team.rules),
        *check_ownership(companions, found.places, team.namespace),
    ]


def check_cluster(cluster: str | None, asked_by: str) -> None:
    """Refuse a cluster that this deployment does not have, where its clusters are known.

    Raises:
        OperatorArgumentError: It has no cluster of that name.
        SettingsError: The deployment's clusters are malformed.
    """
    if cluster is None or not settings.has_teams():
        return
    known = settings.read_clusters()
    if cluster not in known:
        names = ", ".join(sorted(known)) or "none"
        raise OperatorArgumentError(
            f"{asked_by}: this deployment has no cluster {cluster!r}. Its clusters: {names}. "
            "Leave the argument out to use the own one, or add the cluster to the chart's values."
        )
