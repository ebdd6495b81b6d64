"""The few Docker calls that the kind cluster needs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci.errors import CommandError, UserError
from ci.process import run

ANSWER_SECONDS = 20.0
"""An engine that is starting up answers within a second or two; a dead remote one may never."""


@dataclass(frozen=True)
class Container:
    """A container of whatever state.

    Attributes:
        id: Its full id.
        running: Whether its process runs now.
        labels: Its labels.
        mounts: Path on the host by path in the container.
        networks: Names of the networks it is connected to.
    """

    id: str
    running: bool
    labels: dict[str, str]
    mounts: dict[str, str]
    networks: tuple[str, ...]


def docker(*words: str | Path, stdin: str | None = None, log: Path | None = None) -> str:
    """Run one docker command and return its standard output."""
    return run("docker", *words, stdin=stdin, log=log)


def why_docker_is_silent() -> str | None:
    """Return why no Docker engine can be used, in Docker's words; None when one answers."""
    try:
        run("docker", "info", "--format", "{{.ServerVersion}}", timeout_seconds=ANSWER_SECONDS)
    except CommandError as error:
        return next(iter(error.output.strip().splitlines()[-1:]), str(error))
    return None


def require_docker() -> None:
    """Raise unless a Docker engine answers.

    Raises:
        UserError: None answers; says why and what else is possible.
    """
    if reason := why_docker_is_silent():
        raise UserError(
            "CLUSTER=kind needs a Docker engine that answers `docker info`",
            [reason],
            cure="Start Docker, or choose the cluster that needs none: make up CLUSTER=embedded (as root).",
        )


def find_container(name: str) -> Container | None:
    """Return the container of exactly this name, or None."""
    found = _inspect("container", name)
    if found is None:
        return None
    return Container(
        id=found["Id"],
        running=found["State"]["Running"],
        labels=found["Config"].get("Labels") or {},
        mounts={mount["Destination"]: mount.get("Source", "") for mount in found.get("Mounts") or []},
        networks=tuple((found.get("NetworkSettings") or {}).get("Networks") or {}),
    )


def network_gateways(name: str) -> list[str] | None:
    """Return the gateway addresses of a network, IPv4 and IPv6, or None when there is no such network."""
    found = _inspect("network", name)
    if found is None:
        return None
    return [part["Gateway"].split("/")[0] for part in found["IPAM"]["Config"] or [] if part.get("Gateway")]


def network_is_empty(name: str) -> bool:
    """Tell whether a network exists and no running container uses it."""
    found = _inspect("network", name)
    return found is not None and not found.get("Containers")


def _inspect(what: str, name: str) -> dict[str, Any] | None:
    try:
        found: list[dict[str, Any]] = json.loads(docker(what, "inspect", name))
    except CommandError as error:
        # "No such container: x" in every version; networks: "network x not found" (28) or "No such network: x" (20).
        words = error.output.lower()
        if "no such" in words or "not found" in words:
            return None
        raise
    # A name may also match the beginning of an id of something else.
    return next((item for item in found if item["Name"].lstrip("/") == name), None)
