"""Where a commit has got to, judged from what the repository and the Pods say. Pure: no network, no git."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

STALE_SECONDS = 60.0
"""git-sync looks every few seconds, and a bundle says at least every 30 what it saw; after a minute without, something
is in the way."""
SHORT = 10

Contains = Callable[[str, str], bool | None]
"""Tells whether a commit contains another one; None when the objects for that are not here."""


class Mark(Enum):
    """How good a fact is."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True)
class Fact:
    """One line of the answer.

    Args:
        subject: What it is about.
        mark: How good it is.
        what: In words.
    """

    subject: str
    mark: Mark
    what: str


@dataclass(frozen=True)
class Repository:
    """A repository as a Pod's git-sync follows it.

    Args:
        link: Its link in the Pod.
        url: Where it is cloned from.
        ref: What is followed.
        head: The ref's commit now; empty when it could not be asked.
        problem: Why not.
    """

    link: str
    url: str
    ref: str
    head: str = ""
    problem: str = ""

    @property
    def subject(self) -> str:
        """How it is called in an answer."""
        return f"repository {self.url}, ref {self.ref}"


@dataclass(frozen=True)
class Pod:
    """A Pod that reads DAGs, and what its where.py printed.

    Args:
        name: The Pod's.
        answer: The JSON; empty when it could not be asked.
        problem: Why not.
    """

    name: str
    answer: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def judge(repositories: Sequence[Repository], pods: Sequence[Pod], wanted: str, contains: Contains) -> list[Fact]:
    """Say where a commit has arrived, and what is in its way.

    Args:
        repositories: Those that the Pods follow.
        pods: dag-processors and schedulers.
        wanted: The commit; empty for the head of each repository.
        contains: Ancestry, as far as it is known here.
    """
    facts = [Fact(f"pod {pod.name}", Mark.BAD, pod.problem) for pod in pods if pod.problem]
    asked = [pod for pod in pods if not pod.problem]
    holders = [each for each in repositories if not wanted or _has(each.head, wanted, contains)]
    if wanted and not holders:
        refs = ", ".join(f"{each.ref} of {each.url}" for each in repositories) or "no repository"
        facts.append(
            Fact(
                f"commit {wanted[:SHORT]}", Mark.BAD, f"is not in {refs}, as far as is known here: merged? `git fetch`?"
            )
        )
    targets = {each.link: (wanted if each in holders else "") or each.head for each in repositories}
    for repository in repositories:
        facts += _judge_repository(repository, asked, targets[repository.link], contains)
    for pod in asked:
        facts += _judge_bundles(pod, targets, contains)
    return facts


def _judge_repository(repository: Repository, pods: Sequence[Pod], target: str, contains: Contains) -> Iterator[Fact]:
    if repository.head:
        yield Fact(repository.subject, Mark.GOOD, f"head is {repository.head[:SHORT]}")
    else:
        yield Fact(repository.subject, Mark.NOTE, f"head is not known here: {repository.problem}")
    for pod in pods:
        tree = pod.answer["links"].get(repository.link)
        if tree is None:
            continue
        commit = tree["commit"] or ""
        if tree["problem"]:
            yield Fact(repository.subject, Mark.BAD, f"{pod.name}: {repository.link}: {tree['problem']}")
            continue
        arrived = not target or _has(commit, target, contains)
        words = "" if arrived else f", not yet {target[:SHORT]}"
        age = _sync_age(pod, tree)
        stale = age is not None and age > STALE_SECONDS
        synced = "no sync was seen while this looked" if age is None else f"synced {age:.0f} s ago"
        mark = Mark.BAD if stale or not arrived else Mark.NOTE if age is None else Mark.GOOD
        yield Fact(repository.subject, mark, f"{pod.name} has {commit[:SHORT]}{words}, {synced}")


def _judge_bundles(pod: Pod, targets: Mapping[str, str], contains: Contains) -> Iterator[Fact]:
    """Compare what was copied with what is wanted and with what Airflow says it parses; only a DAG processor knows."""
    database = pod.answer.get("database")
    if database is None:
        return
    for name, row in sorted(database["bundles"].items()):
        subject, state = f"bundle {name}", pod.answer["bundles"].get(name)
        if state is None:
            yield Fact(subject, Mark.NOTE, f"{row['dags']} DAGs; it is not copied, so its commit is that of the link")
        elif state["refusal"]:
            yield Fact(subject, Mark.BAD, f"stays at {_shown(state)}: {state['refusal']}")
        elif (target := targets.get(state.get("link", ""), "")) and not _has(state["commit"], target, contains):
            yield Fact(subject, Mark.BAD, f"is at {_shown(state)}, which has not {target[:SHORT]} yet")
        elif state["checked_seconds_ago"] > STALE_SECONDS:
            age = f"{state['checked_seconds_ago']:.0f} s"
            yield Fact(subject, Mark.BAD, f"is at {_shown(state)}, and has not looked at git for {age}: see {pod.name}")
        elif state["version"] != row["version"]:
            yield Fact(
                subject,
                Mark.BAD,
                f"Airflow is at version {(row['version'] or 'none')[:SHORT]}, not yet at {_shown(state)}",
            )
        else:
            yield Fact(subject, Mark.GOOD, f"{_shown(state)}, {row['dags']} DAGs")
    for error in database["import_errors"]:
        yield Fact(f"bundle {error['bundle']}", Mark.BAD, f"{error['file']}: {error['error']} (since {error['at']})")


def _shown(state: Mapping[str, Any]) -> str:
    version, commit = state["version"], state["commit"]
    return f"version {version[:SHORT]} of commit {commit[:SHORT]}" if version else "nothing: there is no good copy"


def _sync_age(pod: Pod, tree: Mapping[str, Any]) -> float | None:
    if tree["synced_seconds_ago"] is not None:
        return float(tree["synced_seconds_ago"])
    known = [state["synced_seconds_ago"] for state in pod.answer["bundles"].values()]
    ages = [float(age) for age in known if age is not None]
    return max(ages) if ages else None


def _has(commit: str, wanted: str, contains: Contains) -> bool:
    return bool(commit) and (commit.startswith(wanted) or bool(contains(commit, wanted)))
