"""`cronlift where`: where a commit is on its way from the repository to Airflow.

It asks the repository by git, and each Pod that reads DAGs by a small program of the chart, run as `kubectl exec` does.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from cronlift.bundle.whereabouts import Fact, Mark, Pod, Repository, judge
from cronlift.errors import ClusterError

if TYPE_CHECKING:
    from cronlift.cluster.execution import ExecutionClient

SCRIPT = "/opt/cronlift/where.py"
SCRIPT_SECONDS = 40.0
GIT_SECONDS = 20.0
COMPONENT = "app.kubernetes.io/component"
READERS = ("dag-processor", "scheduler")
_MARKS = {Mark.GOOD: ("✓", "green"), Mark.NOTE: ("·", "yellow"), Mark.BAD: ("✗", "red")}


@click.command("where")
@click.argument("commit", required=False, default="", metavar="[SHA]")
@click.option("--namespace", "-n", default="cronlift", show_default=True, help="Namespace of the release.")
@click.option("--release", default="cronlift", show_default=True, help="Name of the release.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def where_command(commit: str, namespace: str, release: str, as_json: bool) -> None:
    """Say where a commit is: repository, pods, parsed bundles; without SHA, the head of each repository.

    Needs KUBECONFIG, the right to run programs in the release's pods (create on pods/exec), and git.

    Exit code: 0 it has arrived everywhere and nothing is in its way, 1 it has not, 2 wrong usage.
    """
    wanted = full_commit(commit) if commit else ""
    try:
        repositories, pods = asyncio.run(_ask(namespace, release))
    except ClusterError as error:
        click.echo(f"✗ {error}", err=True)
        sys.exit(1)
    facts = judge([_with_head(each) for each in repositories], pods, wanted, contains)
    arrived = all(fact.mark is not Mark.BAD for fact in facts)
    click.echo(as_report(facts, wanted, pods) if as_json else as_text(facts, wanted, arrived))
    sys.exit(0 if arrived else 1)


def full_commit(text: str) -> str:
    """Return a commit's whole hash where the checkout here knows it, else what was given.

    Raises:
        UsageError: It is neither a hash nor a name that git knows here.
    """
    done = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    if done is not None and done.returncode == 0:
        return done.stdout.strip()
    if re.fullmatch(r"[0-9a-f]{7,64}", text):
        return text
    raise click.UsageError(
        f"{text!r} is no commit: git does not know it here, and it is not a hash of at least 7 hexadecimal digits. "
        "Give what `git log` shows, such as 3f2a1b0."
    )


def contains(commit: str, wanted: str) -> bool | None:
    """Tell whether a commit contains another; None when the checkout here does not know both."""
    done = _git("merge-base", "--is-ancestor", wanted, commit)
    return {0: True, 1: False}.get(done.returncode) if done is not None else None


def is_serving(pod: Mapping[str, Any]) -> bool:
    """Tell whether a Pod's main container runs: not in one that comes or goes, as during an upgrade."""
    component = pod["metadata"]["labels"][COMPONENT]
    statuses = {each["name"]: each for each in pod["status"].get("containerStatuses") or []}
    is_running = "running" in (statuses.get(component, {}).get("state") or {})
    return is_running and not pod["metadata"].get("deletionTimestamp")


def find_repositories(pod: Mapping[str, Any]) -> list[Repository]:
    """Return what a Pod's git-sync sidecars follow, from their arguments."""
    found = []
    for container in pod["spec"].get("initContainers") or []:
        flags = dict(word[2:].partition("=")[::2] for word in container.get("args") or [] if word.startswith("--"))
        if {"repo", "root", "link"} <= flags.keys():
            found.append(Repository(f"{flags['root']}/{flags['link']}", flags["repo"], flags.get("ref", "HEAD")))
    return found


def as_report(facts: Sequence[Fact], wanted: str, pods: Sequence[Pod]) -> str:
    """Return what `--json` prints."""
    return json.dumps(
        {
            "arrived": all(fact.mark is not Mark.BAD for fact in facts),
            "commit": wanted or None,
            "facts": [{"subject": each.subject, "mark": each.mark.value, "what": each.what} for each in facts],
            "pods": {pod.name: dict(pod.answer) for pod in pods},
        },
        indent=2,
    )


def as_text(facts: Sequence[Fact], wanted: str, arrived: bool) -> str:
    """Return a line for each fact, by subject, and at the end the answer."""
    lines, subject = [], ""
    for each in facts:
        if each.subject != subject:
            subject = each.subject
            lines.append(subject[0].upper() + subject[1:])
        mark, colour = _MARKS[each.mark]
        lines.append(f"  {click.style(mark, fg=colour)} {each.what}")
    what = f"Commit {wanted[:10]}" if wanted else "What is merged"
    lines.append(f"{what} has arrived." if arrived else f"{what} has not arrived whole; see the lines with ✗.")
    return "\n".join(lines)


async def _ask(namespace: str, release: str) -> tuple[list[Repository], list[Pod]]:
    import aiohttp

    from cronlift.cluster.config import load_config
    from cronlift.cluster.execution import ExecutionClient

    config = await asyncio.to_thread(load_config)
    async with aiohttp.ClientSession() as session:
        client = ExecutionClient(session, config)
        selector = f"app.kubernetes.io/instance={release},{COMPONENT} in ({','.join(READERS)})"
        listed = await client.list_pods(namespace, selector)
        running = [pod for pod in listed if is_serving(pod)]
        if not running:
            raise ClusterError(
                f"Namespace {namespace} has no running dag-processor or scheduler of release {release}. "
                "Give --namespace and --release, or see: kubectl get pods -A -l app.kubernetes.io/part-of=cronlift"
            )
        pods = await asyncio.gather(*(_ask_pod(client, namespace, pod) for pod in running))
    repositories = {each.link: each for pod in running for each in find_repositories(pod)}
    return list(repositories.values()), list(pods)


async def _ask_pod(client: "ExecutionClient", namespace: str, pod: Mapping[str, Any]) -> Pod:
    name, component = pod["metadata"]["name"], pod["metadata"]["labels"][COMPONENT]
    command = ["python", SCRIPT, *(["database"] if component == "dag-processor" else [])]
    try:
        answer = await client.run(namespace, name, component, command, SCRIPT_SECONDS)
        return Pod(name, json.loads(answer))
    except (ClusterError, ValueError) as error:
        return Pod(name, problem=str(error))


def _with_head(repository: Repository) -> Repository:
    done = _git("ls-remote", "--end-of-options", repository.url, repository.ref)
    if done is None or done.returncode:
        words = (done.stderr.strip().splitlines() or ["git failed"])[-1] if done else "git is missing or took too long"
        return Repository(repository.link, repository.url, repository.ref, problem=words)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    named = {name: sha for sha, name in rows}
    for name in (f"refs/heads/{repository.ref}", f"refs/tags/{repository.ref}^{{}}", f"refs/tags/{repository.ref}"):
        if name in named:
            return Repository(repository.link, repository.url, repository.ref, head=named[name])
    if re.fullmatch(r"[0-9a-f]{40}", repository.ref):
        return Repository(repository.link, repository.url, repository.ref, head=repository.ref)
    return Repository(repository.link, repository.url, repository.ref, problem=f"it has no ref {repository.ref}")


def _git(*words: str) -> subprocess.CompletedProcess[str] | None:
    """Run git here; None where there is none, or it takes too long. It asks nobody for a password."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["git", *words], capture_output=True, text=True, timeout=GIT_SECONDS, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
