"""Where a preview's branch comes from: the repository, its newest commit, its teams, the addresses of its server."""

import socket
import tempfile
from pathlib import Path
from typing import Any

import yaml

from ci import environment, preview_plan
from ci.errors import CommandError, UserError
from ci.git_server import BRANCHES
from ci.paths import ROOT
from ci.preview_target import Target
from ci.process import run

VALUES = ROOT / environment.ENVIRONMENTS / f"{environment.PREVIEW}.yaml"


def git_url(target: Target) -> str:
    """Return the repository whose branches are shown; locally, what `make up` serves of this clone.

    Raises:
        UserError: The environment names none.
    """
    url = str((target.values.get("git") or {}).get("url") or "")
    if not url:
        raise UserError(f"Environment {target.name} has no git.url", cure="Give it in charts/environments.")
    return f"{url.rpartition('/')[0]}/{BRANCHES}" if target.is_local else url


def find_branch(ref: str, url: str) -> tuple[str, dict[str, Any]]:
    """Return a branch's newest commit and its `teams:`.

    Args:
        ref: A name that `check_branch` accepts.
        url: Where git-sync will read it, asked with this user's own credentials.

    Raises:
        UserError: It is not there, the server does not answer, or its teams.yaml does not read.
    """
    with tempfile.TemporaryDirectory(prefix="cronlift-preview-") as folder:
        run("git", "init", "--quiet", "--bare", folder)
        env = {"GIT_TERMINAL_PROMPT": "0"}
        try:
            run(
                "git", "fetch", "--quiet", "--no-tags", "--depth=1", "--end-of-options", url, f"refs/heads/{ref}",
                cwd=Path(folder), env=env, timeout_seconds=120,
            )  # fmt: skip
        except CommandError as error:
            raise UserError(
                f"There is no branch {ref} at {url}",
                error.output.strip().splitlines()[-2:],
                cure="Push it first, or correct REF. On the local platform: commit it on a branch of this clone.",
            ) from error
        commit = run("git", "rev-parse", "FETCH_HEAD", cwd=Path(folder)).strip()
        try:
            teams = yaml.safe_load(run("git", "show", "FETCH_HEAD:teams.yaml", cwd=Path(folder)))["teams"]
            return commit, dict(teams)
        except (CommandError, yaml.YAMLError, TypeError, KeyError, ValueError) as error:
            raise UserError(
                f"teams.yaml of {ref} cannot be read",
                [str(error).splitlines()[-1]],
                cure="make check says what is wrong.",
            ) from error


def git_cidrs(url: str) -> list[str]:
    """Return the addresses that a preview may reach: those of preview.yaml, else those that the name has now.

    Raises:
        UserError: The name has none.
    """
    given = (yaml.safe_load(VALUES.read_text()).get("networkPolicy") or {}).get("gitCidrs")
    if given:
        return list(given)
    host = preview_plan.git_host(url)
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise UserError(
            f"The git server {host} has no address here: {error}",
            cure=f"Give its addresses in {VALUES.relative_to(ROOT)}: networkPolicy.gitCidrs.",
        ) from error
    return sorted(preview_plan.cidr(address) for address in found)
