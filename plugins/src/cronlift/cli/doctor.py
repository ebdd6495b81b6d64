"""`cronlift doctor`: whether a deployment has on its clusters what it needs, and what to apply where it has not.

In the triggerer's Pod it checks with the triggerer's own credentials; on a laptop with those of a kubeconfig.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import yaml

from cronlift.airflow import settings
from cronlift.cli.sweep import choose
from cronlift.errors import ClusterError, SettingsError

if TYPE_CHECKING:
    import aiohttp

    from cronlift.cluster.checkup import Finding
    from cronlift.cluster.config import ClusterConfig

_MARKS = {"good": ("✓", "green"), "note": ("·", "yellow"), "bad": ("✗", "red")}
Setting = TypeVar("Setting")


@dataclass
class Deployment:
    """What is to be checked, as far as it is known here.

    Args:
        release: The release's namespace; empty on a laptop.
        teams: The teams by name.
        clusters: Other clusters by name.
        companions: Team -> whether its manifests may bring other objects; empty in a Pod, which is not told.
    """

    release: str = ""
    teams: Mapping[str, settings.Team] = field(default_factory=dict)
    clusters: Mapping[str, settings.Cluster] = field(default_factory=dict)
    companions: Mapping[str, bool] = field(default_factory=dict)


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--namespace", "namespaces", multiple=True, help="Only the team of this namespace; repeatable.")
@click.option(
    "--teams",
    "teams_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the teams from this teams.yaml, where no deployment has set CRONLIFT_TEAMS.",
)
def doctor_command(as_json: bool, namespaces: Sequence[str], teams_file: Path | None) -> None:
    """Check settings, clusters, and the rights of every team's launcher; change nothing.

    Exit code: 0 all is well, 1 something is missing, 2 wrong usage.
    """
    findings: list[Finding] = []
    deployment = read_teams_file(teams_file) if teams_file else read_environment(findings)
    chosen = choose(deployment.teams, namespaces)
    findings += asyncio.run(_examine(deployment, chosen))
    click.echo(json.dumps(as_report(findings), indent=2) if as_json else as_text(findings))
    if any(each.mark.value == "bad" for each in findings):
        sys.exit(1)


def read_environment(findings: list["Finding"]) -> Deployment:
    """Read what the chart tells every Airflow Pod; each variable becomes a finding."""
    from cronlift.cluster.checkup import Finding, Mark

    def read(variable: str, reader: Callable[[], Setting], words: Callable[[Setting], str]) -> Setting | None:
        try:
            value = reader()
        except SettingsError as error:
            cure = "Run it in the triggerer's Pod, or give --teams teams.yaml."
            findings.append(Finding("settings", Mark.BAD, str(error), cure))
            return None
        findings.append(Finding("settings", Mark.GOOD, f"{variable}: {words(value)}"))
        return value

    deployment = read(settings.DEPLOYMENT_VARIABLE, settings.read_deployment, str) or ""
    teams = read(settings.TEAMS_VARIABLE, settings.read_teams, _names) or {}
    read(settings.IMAGES_VARIABLE, settings.read_images, _names)
    read(settings.LINKS_VARIABLE, settings.read_links, _names)
    clusters = read(settings.CLUSTERS_VARIABLE, settings.read_clusters, _names) or {}
    return Deployment(deployment.partition("/")[0], teams, clusters)


def _names(value: Mapping[str, Any]) -> str:
    return ", ".join(sorted(value)) or "none"


def read_teams_file(path: Path) -> Deployment:
    """Read the teams from a teams.yaml.

    Raises:
        UsageError: It is no YAML, or holds no teams with namespaces.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["teams"]
        teams = {
            name: settings.Team(name, str(entry["namespace"]), settings.JOB_ACCOUNT) for name, entry in entries.items()
        }
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise click.UsageError(
            f"{path} is no teams.yaml: {error}. It reads like teams: {{demo: {{namespace: team-demo}}}}."
        ) from error
    return Deployment(
        teams=teams, companions={name: bool(entry.get("manifestObjects")) for name, entry in entries.items()}
    )


async def _examine(deployment: Deployment, teams: Sequence[settings.Team]) -> list["Finding"]:
    import aiohttp

    from cronlift.cluster.config import load_config, load_kubeconfig

    loaders: dict[str, Callable[[], ClusterConfig]] = {"": load_config}
    for name, each in deployment.clusters.items():
        loaders[name] = partial(load_kubeconfig, each.kubeconfig, each.context or None)
    findings: list[Finding] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16)) as session:
        for name, load in loaders.items():
            findings += await _examine_cluster(session, name, load, deployment, teams)
    return findings


async def _examine_cluster(
    session: "aiohttp.ClientSession",
    name: str,
    load: Callable[[], "ClusterConfig"],
    deployment: Deployment,
    teams: Sequence[settings.Team],
) -> list["Finding"]:
    from cronlift.cluster.access import AccessClient
    from cronlift.cluster.checkup import Finding, Mark, TeamPlace, check_cluster, check_team

    subject = f"cluster {name}" if name else "cluster"
    try:
        config = await asyncio.to_thread(load)
    except ClusterError as error:
        cure = "Run it in the triggerer's Pod, or where kubectl works."
        return [Finding(subject, Mark.BAD, str(error), cure)]
    ourselves = AccessClient(session, config)
    findings, user = await check_cluster(ourselves, config.host, subject)
    if not user:
        return findings
    everywhere = [team.namespace for team in deployment.teams.values()] + [deployment.release]
    for team in teams:
        place = TeamPlace(
            subject=f"team {team.name}, namespace {team.namespace}" + (f" on {subject}" if name else ""),
            namespace=team.namespace,
            service_account=team.service_account,
            ourselves=ourselves,
            launcher=AccessClient(session, config, team.launcher),
            strangers=tuple(each for each in everywhere if each and each != team.namespace),
            companions=deployment.companions.get(team.name),
        )
        findings += await check_team(place, user)
    return findings


def as_report(findings: Sequence["Finding"]) -> dict[str, Any]:
    """Return what `--json` prints."""
    return {
        "healthy": all(each.mark.value != "bad" for each in findings),
        "findings": [
            {"subject": each.subject, "mark": each.mark.value, "what": each.what, "cure": each.cure}
            for each in findings
        ],
        "apply": objects_to_apply(findings),
    }


def as_text(findings: Sequence["Finding"]) -> str:
    """Return a line for each finding, by subject, and at the end what to apply."""
    lines, subject = [], ""
    for each in findings:
        if each.subject != subject:
            subject = each.subject
            lines.append(subject[0].upper() + subject[1:])
        mark, colour = _MARKS[each.mark.value]
        lines.append(f"  {click.style(mark, fg=colour)} {each.what}")
        if each.cure:
            lines.append(f"    {each.cure}")
    bad = sum(each.mark.value == "bad" for each in findings)
    lines.append(f"{bad} of {len(findings)} checks failed." if bad else f"All {len(findings)} checks are well.")
    if objects := objects_to_apply(findings):
        lines += [
            "To put it right, apply:",
            *(f"---\n{yaml.safe_dump(each, sort_keys=False).rstrip()}" for each in objects),
        ]
    return "\n".join(lines)


def objects_to_apply(findings: Sequence["Finding"]) -> list[dict[str, Any]]:
    """Return every object that would put something right, once."""
    found = {}
    for each in (thing for finding in findings for thing in finding.apply):
        found[(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"])] = each
    return list(found.values())
