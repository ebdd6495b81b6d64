"""What the chart tells every Airflow Pod about its deployment, read in this module only.

CRONLIFT_DEPLOYMENT   `<namespace>/<release>`; part of every Job's identity
CRONLIFT_TEAMS        JSON: {"demo": {"namespace": "team-demo", "serviceAccount": "cronlift-job", "rules": {}}}. Rules:
                      what cronlift.policy reads of teams.yaml; missing where the policy is off.
CRONLIFT_JOB_IMAGES_FILE  a file with JSON: {"legacy": "registry.example/legacy:1.4"}. A file, because Kubernetes shows
                      a new list to running Pods; read anew each time. CRONLIFT_JOB_IMAGES, the JSON itself, is for
                      laptops and tests, and wins.
CRONLIFT_CLUSTERS     JSON: {"gpu": {"kubeconfig": "/etc/cronlift/clusters/gpu/kubeconfig", "context": ""}}; optional
CRONLIFT_GIT_REF      the ref that git-sync follows; the UI says so when it is not main
CRONLIFT_LINKS        JSON: {"job": "https://headlamp.example/c/main/jobs/{namespace}/{job}"}; optional, see links.py
CRONLIFT_PREVIEW      set for a release that only shows DAGs; they stay paused whatever they say
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cronlift.errors import SettingsError, TeamError
from cronlift.job.naming import LAUNCHER_ACCOUNT
from cronlift.policy.team import TeamRules, container_defaults, read_team

DEPLOYMENT_VARIABLE = "CRONLIFT_DEPLOYMENT"
TEAMS_VARIABLE = "CRONLIFT_TEAMS"
IMAGES_VARIABLE = "CRONLIFT_JOB_IMAGES"
IMAGES_FILE_VARIABLE = "CRONLIFT_JOB_IMAGES_FILE"
CLUSTERS_VARIABLE = "CRONLIFT_CLUSTERS"
LINKS_VARIABLE = "CRONLIFT_LINKS"
PREVIEW_VARIABLE = "CRONLIFT_PREVIEW"
GIT_REF_VARIABLE = "CRONLIFT_GIT_REF"
DELIVERY_KEY = "cronlift"
"""Under which the DAG processor tells of a bundle, see delivery_status.py."""
GIT_SYNC_BUNDLE = "cronlift.airflow.bundle.GitSyncBundle"
TEAM_SEPARATOR = "__"
JOB_ACCOUNT = "cronlift-job"


@dataclass(frozen=True)
class Team:
    """A team as the chart describes it.

    Args:
        name: Team name; its bundle and the prefix of its DAG ids are called the same.
        namespace: Where its Jobs run.
        service_account: The account of its Pods.
        rules: What its Jobs may be; None where the policy is off.
        defaults: "requests.cpu" and the like -> what its containers get that say nothing, as far as it is known.
    """

    name: str
    namespace: str
    service_account: str
    rules: TeamRules | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)

    @property
    def launcher(self) -> str:
        """The user that calls for this team impersonate."""
        return f"system:serviceaccount:{self.namespace}:{LAUNCHER_ACCOUNT}"


@dataclass(frozen=True)
class Cluster:
    """Another cluster on which Jobs may run.

    Args:
        kubeconfig: Path of its kubeconfig file, in the triggerer.
        context: Context in it; empty for the current one.
    """

    kubeconfig: str
    context: str = ""


def read_deployment(environment: Mapping[str, str] = os.environ) -> str:
    """Return the deployment's name.

    Raises:
        SettingsError: It is not set.
    """
    value = environment.get(DEPLOYMENT_VARIABLE, "").strip()
    if not value:
        raise SettingsError(_missing(DEPLOYMENT_VARIABLE, "cronlift/cronlift"))
    return value


def read_teams(environment: Mapping[str, str] = os.environ) -> dict[str, Team]:
    """Return the deployment's teams by name.

    Raises:
        SettingsError: The variable is not set, no JSON, or an entry lacks its namespace.
    """
    example = '{"demo": {"namespace": "team-demo", "serviceAccount": "cronlift-job"}}'
    teams = {}
    for name, entry in _read_json(TEAMS_VARIABLE, example, environment).items():
        if not isinstance(entry, dict) or not isinstance(entry.get("namespace"), str):
            raise SettingsError(_malformed(TEAMS_VARIABLE, f"team {name!r} has no namespace", example))
        given = entry.get("rules") if isinstance(entry.get("rules"), dict) else None
        rules = None if given is None else read_team({**given, "namespace": entry["namespace"]})
        # `cronlift diff` gives entries of teams.yaml as they are, so that no rule keeps an old DAG from being read.
        defaults = container_defaults((entry if given is None else given).get("containerDefaults") or {})
        account = str(entry.get("serviceAccount") or JOB_ACCOUNT)
        teams[name] = Team(name, entry["namespace"], account, rules, defaults)
    return teams


def read_images(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the deployment's job images by name.

    Raises:
        SettingsError: Neither variable is set, the file cannot be read, it is no JSON, or a value is no string.
    """
    example = '{"legacy": "registry.example/legacy:1.4"}'
    path = environment.get(IMAGES_FILE_VARIABLE, "").strip()
    if path and not environment.get(IMAGES_VARIABLE, "").strip():
        try:
            environment = {IMAGES_VARIABLE: Path(path).read_text()}
        except OSError as error:
            raise SettingsError(f"{IMAGES_FILE_VARIABLE} names {path}, which cannot be read: {error}") from error
    images = _read_json(IMAGES_VARIABLE, example, environment)
    for name, reference in images.items():
        if not isinstance(reference, str) or not reference:
            raise SettingsError(_malformed(IMAGES_VARIABLE, f"image {name!r} is {reference!r}, no reference", example))
    return images


def read_clusters(environment: Mapping[str, str] = os.environ) -> dict[str, Cluster]:
    """Return the deployment's other clusters by name; empty when it has none.

    Raises:
        SettingsError: The variable is no JSON, or an entry names no kubeconfig.
    """
    if not environment.get(CLUSTERS_VARIABLE, "").strip():
        return {}
    example = '{"gpu": {"kubeconfig": "/etc/cronlift/clusters/gpu/kubeconfig"}}'
    clusters = {}
    for name, entry in _read_json(CLUSTERS_VARIABLE, example, environment).items():
        if not isinstance(entry, dict) or not isinstance(entry.get("kubeconfig"), str) or not entry["kubeconfig"]:
            raise SettingsError(_malformed(CLUSTERS_VARIABLE, f"cluster {name!r} names no kubeconfig", example))
        clusters[name] = Cluster(entry["kubeconfig"], str(entry.get("context") or ""))
    return clusters


def read_links(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the URL templates of the links that a task has; none where the variable is not set.

    Raises:
        SettingsError: The variable is no JSON, or a value is no string.
    """
    if not environment.get(LINKS_VARIABLE, "").strip():
        return {}
    example = '{"job": "https://headlamp.example/c/main/jobs/{namespace}/{job}"}'
    links = _read_json(LINKS_VARIABLE, example, environment)
    for name, template in links.items():
        if not isinstance(template, str):
            raise SettingsError(_malformed(LINKS_VARIABLE, f"link {name!r} is {template!r}, no URL", example))
    return links


def has_images(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the deployment's images are known here; they are not on a laptop."""
    return any(environment.get(name, "").strip() for name in (IMAGES_VARIABLE, IMAGES_FILE_VARIABLE))


def has_teams(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the deployment's teams are known here; they are not on a laptop."""
    return bool(environment.get(TEAMS_VARIABLE, "").strip())


def is_preview(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this release only shows the DAGs of a branch."""
    return bool(environment.get(PREVIEW_VARIABLE, "").strip())


def team_name(dag_id: str) -> str:
    """Return the name of the team that a DAG id begins with; empty when it names none."""
    name, separator, rest = dag_id.partition(TEAM_SEPARATOR)
    return name if separator and rest else ""


def team_of(dag_id: str, teams: Mapping[str, Team]) -> Team:
    """Find the team that a DAG id names.

    Args:
        dag_id: `<team>__<name>`; the policy has checked at parse time that the DAG's bundle is called the same.
        teams: The deployment's teams.

    Raises:
        TeamError: The id has no team prefix, or the team is not known.
    """
    name, separator, rest = dag_id.partition(TEAM_SEPARATOR)
    known = ", ".join(sorted(teams)) or "none"
    if not separator or not rest:
        raise TeamError(
            f"DAG id {dag_id!r} names no team. Write it as <team>__<name>, such as billing__invoices; "
            f"teams of this deployment: {known}."
        )
    if name not in teams:
        raise TeamError(
            f"DAG id {dag_id!r} names team {name!r}, which this deployment does not have. "
            f"Its teams: {known}. Correct the id, or add the team to teams.yaml."
        )
    return teams[name]


def _read_json(variable: str, example: str, environment: Mapping[str, str]) -> dict[str, Any]:
    text = environment.get(variable, "").strip()
    if not text:
        raise SettingsError(_missing(variable, example))
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SettingsError(_malformed(variable, f"no JSON ({error})", example)) from error
    if not isinstance(value, dict):
        raise SettingsError(_malformed(variable, f"a JSON {type(value).__name__}, not an object", example))
    return value


def _missing(variable: str, example: str) -> str:
    return (
        f"Environment variable {variable} is not set. The chart sets it on every Airflow Pod; "
        f"elsewhere set it yourself, for example {variable}='{example}'."
    )


def _malformed(variable: str, fault: str, example: str) -> str:
    return f"Environment variable {variable} is malformed: {fault}. It should read like {variable}='{example}'."
