"""`cronlift sweep`: delete the Jobs that nobody waits for any more; without --yes, only show them.

Runs where Airflow's database and the launchers' rights are: in a Pod of the release. The chart runs it by a CronJob.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cronlift.airflow import settings
from cronlift.errors import ClusterError, CronliftError

if TYPE_CHECKING:
    from cronlift.cluster.sweeper import Place, Sighting

DEFAULT_MIN_AGE_MINUTES = 10.0
_WORDS = {
    "unclear": "left alone: ",
    "held": "left for a day, because it could not start: ",
    "orphan": "",
    "deleted": "deleted: ",
    "spared": "left alone: ",
    "failed": "NOT DELETED: ",
}


@click.command("sweep")
@click.option("--yes", is_flag=True, help="Delete them; otherwise they are only shown.")
@click.option("--json", "as_json", is_flag=True, help="Print every live Job as JSON.")
@click.option(
    "--min-age",
    type=click.FloatRange(min=0),
    default=DEFAULT_MIN_AGE_MINUTES,
    show_default=True,
    metavar="MINUTES",
    help="Leave younger Jobs alone.",
)
@click.option("--namespace", "namespaces", multiple=True, help="Only this team's namespace; repeatable.")
def sweep_command(yes: bool, as_json: bool, min_age: float, namespaces: Sequence[str]) -> None:
    """Delete Jobs that run on although their task has ended, was cleared, or is gone.

    Exit code: 0 well, 1 something could not be read or deleted, 2 wrong usage.
    """
    try:
        deployment, teams = settings.read_deployment(), settings.read_teams()
        clusters = settings.read_clusters()
    except CronliftError as error:
        _fail(str(error))
    chosen = choose(teams, namespaces)
    try:
        found, faults = asyncio.run(_sweep(deployment, chosen, clusters, timedelta(minutes=min_age), yes))
    except CronliftError as error:
        _fail(f"{error} Nothing was deleted.")
    if as_json:
        click.echo(json.dumps(as_report(deployment, found, faults), indent=2))
    else:
        click.echo(as_text(found, len(faults), yes=yes))
    for fault in faults:
        click.echo(f"cronlift: {fault}", err=True)
    if faults or any(each.fate.value == "failed" for each in found):
        sys.exit(1)


def choose(teams: Mapping[str, settings.Team], namespaces: Sequence[str]) -> list[settings.Team]:
    """Return the teams of the named namespaces, or all.

    Raises:
        UsageError: A namespace is no team's.
    """
    known = {team.namespace: team for team in teams.values()}
    if unknown := [each for each in namespaces if each not in known]:
        raise click.UsageError(
            f"{', '.join(unknown)} is no team's namespace. The teams' are: {', '.join(sorted(known)) or 'none'}."
        )
    return [team for team in teams.values() if not namespaces or team.namespace in namespaces]


async def _sweep(
    deployment: str,
    teams: Sequence[settings.Team],
    clusters: Mapping[str, settings.Cluster],
    min_age: timedelta,
    yes: bool,
) -> tuple[list["Sighting"], list[ClusterError]]:
    from cronlift.airflow.task_states import read_records
    from cronlift.cluster.config import load_kubeconfig
    from cronlift.cluster.hub import Hub
    from cronlift.cluster.sweeper import Fate, Sweeper

    configs = {name: partial(load_kubeconfig, each.kubeconfig, each.context or None) for name, each in clusters.items()}
    hub = Hub(configs=configs)
    try:
        places, faults = await _places(hub, teams, [None, *clusters])
        sweeper = Sweeper(deployment, read_records, min_age)
        found, more = await sweeper.look(places)
        if yes:
            found = [await sweeper.remove(each) if each.fate is Fate.ORPHAN else each for each in found]
        return found, faults + more
    finally:
        await hub.close()


async def _places(
    hub: Any, teams: Sequence[settings.Team], clusters: Sequence[str | None]
) -> tuple[list["Place"], list[ClusterError]]:
    """Return every team's namespace on every cluster, and the errors of the clusters that cannot be reached."""
    from cronlift.cluster.sweeper import Place

    places, faults = [], []
    for cluster in clusters:
        try:
            places += [Place(team.namespace, await hub.client(team.launcher, cluster), cluster or "") for team in teams]
        except ClusterError as error:
            faults.append(error)
    return places, faults


def as_report(deployment: str, found: Sequence["Sighting"], faults: Sequence[ClusterError]) -> dict[str, Any]:
    """Return what `--json` prints."""
    jobs = [
        {
            "cluster": each.place.cluster,
            "namespace": each.place.namespace,
            "name": each.name,
            "uid": each.uid,
            "age_seconds": round(each.age.total_seconds()),
            "task": asdict(each.identity) if each.identity is not None else None,
            "fate": each.fate.value,
            "why": each.why,
        }
        for each in found
    ]
    return {"deployment": deployment, "jobs": jobs, "errors": [str(fault) for fault in faults]}


def as_text(found: Sequence["Sighting"], unread: int, *, yes: bool) -> str:
    """Return the table of all Jobs that are not plainly wanted, and a last line that sums up.

    Args:
        found: Every live Job.
        unread: How many clusters and namespaces could not be read.
        yes: Whether orphans were deleted.
    """
    counts = {fate: sum(each.fate.value == fate for each in found) for fate in _WORDS}
    if yes:
        summary = f"{counts['deleted']} orphans deleted, {counts['failed']} could not be"
    elif counts["orphan"]:
        summary = f"{counts['orphan']} of them orphans. Nothing was deleted; to delete: cronlift sweep --yes"
    else:
        summary = "none of them an orphan"
    blind = f", besides {unread} places that could not be read" if unread else ""
    summary = f"{len(found)} live Jobs{blind}; {summary}"
    shown = [each for each in found if each.fate.value in _WORDS]
    if not shown:
        return summary
    rows = [("JOB", "NAMESPACE", "AGE", "TASK", "WHY")]
    rows += [
        (
            each.name,
            f"{each.place.cluster}:{each.place.namespace}" if each.place.cluster else each.place.namespace,
            age_in_words(each.age),
            _task(each),
            _WORDS[each.fate.value] + each.why,
        )
        for each in shown
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows]
    return "\n".join([*lines, summary])


def age_in_words(age: timedelta) -> str:
    """Return an age in its largest unit, such as "12 min"."""
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def _task(each: "Sighting") -> str:
    identity = each.identity
    if identity is None:
        return "?"
    index = f"[{identity.map_index}]" if identity.map_index >= 0 else ""
    return f"{identity.dag_id} {identity.task_id}{index} {identity.run_id} try {identity.try_number}"


def _fail(message: str) -> NoReturn:
    click.echo(f"cronlift: {message}", err=True)
    sys.exit(1)
