"""Faults of the delivery: each is a block in which something is broken, and gives the words that people see."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from ci.git_server import NAME as REPOSITORY
from ci.kubectl import kubectl
from ci.paths import STATE
from ci.release import NAMESPACE
from tests.live.chart_release import upgraded
from tests.live.delivery import FOLDER, PREFIX, Delivery, defect, execute, git_address, no_git_server
from tests.live.git_http import USER, serving
from tests.live.killing import KILL_SCRIPT, on_node, pod_of
from tests.live.waiting import wait_for

READERS = ("dag-processor", "scheduler")
STALE_SECONDS = 330
"""Until the banner speaks of a repository that is not reached: 300 s, and the reports in between."""

Fault = Callable[[Delivery], AbstractContextManager[str]]


@dataclass(frozen=True)
class Named:
    """A fault with its title, as the page shows it.

    Attributes:
        is_long: Left out of the short form.
        stale_seconds: For how long a DAG may be stale.
    """

    title: str
    strike: Fault
    is_long: bool = False
    stale_seconds: float = 0


@contextmanager
def server_down_for_seconds(delivery: Delivery, seconds: float) -> Iterator[str]:
    """The git server is gone."""
    with no_git_server():
        started = time.monotonic()
        words = delivery.wait_words("have not arrived", STALE_SECONDS + 60) if seconds > STALE_SECONDS else ""
        time.sleep(max(0.0, seconds - (time.monotonic() - started)))
        yield words or f"`where`: {_first(delivery.bad_facts())}"


@contextmanager
def stalled(delivery: Delivery) -> Iterator[str]:
    """git-sync's second defect: it hangs without a word."""
    with defect("stall", *READERS):
        yield delivery.wait_words("have not arrived", STALE_SECONDS + 60)


@contextmanager
def wiped_by_a_lock(delivery: Delivery) -> Iterator[str]:
    """git-sync's first defect: it wipes what it has published, and cannot fetch."""
    with defect("shallow-lock", *READERS):
        yield delivery.wait_words("is not there")


@contextmanager
def force_push(delivery: Delivery) -> Iterator[str]:
    """History is written anew."""
    tag = f"forced{time.time_ns()}"
    dag_id = delivery.write_dag("witness", tag)
    delivery.git("add", "--all")
    delivery.git("commit", "--quiet", "--amend", "--message=Rewritten")
    delivery.push()
    delivery.wait_tag(dag_id, tag)
    yield ""


@contextmanager
def branch_deleted(delivery: Delivery) -> Iterator[str]:
    """The branch is gone from the repository."""
    delivery.bare_git("update-ref", "-d", "refs/heads/main")
    wait_for(lambda: "could not find ref" in git_sync_log(), "git-sync's word on the missing branch", 60)
    yield "git-sync's log: could not find ref; after 5 minutes the banner"


@contextmanager
def bad_credentials(delivery: Delivery) -> Iterator[str]:
    """The git server takes the password no longer; the release reads from one that asks for it."""
    secret = ("secret", "delivery-git", f"--namespace={NAMESPACE}")
    with serving(STATE / "git", git_address(), "good") as server:
        kubectl("delete", *secret, "--ignore-not-found")
        kubectl("create", "secret", "generic", *secret[1:], f"--from-literal=username={USER}",
                "--from-literal=password=good")  # fmt: skip
        auth = ("git.auth.type=https", f"git.auth.existingSecret={secret[1]}")
        with upgraded(f"git.url={server.url}/{REPOSITORY}", *auth):
            delivery.wait_arrival(120)
            server.password = "changed"
            wait_for(lambda: "Authentication failed" in git_sync_log(), "git-sync's word on the password", 60)
            yield "git-sync's log: Authentication failed; after 5 minutes the banner"
            server.password = "good"
            delivery.wait_arrival(120)
        kubectl("delete", *secret, "--ignore-not-found")


@contextmanager
def emptied(delivery: Delivery) -> Iterator[str]:
    """Somebody deletes all files by mistake, and takes it back."""
    delivery.git("rm", "-rq", FOLDER)
    delivery.write(f"{FOLDER}/note.txt", "nothing here\n")
    delivery.push()
    yield delivery.wait_words("Python files are gone")
    delivery.git("revert", "--no-edit", "HEAD")
    delivery.push()


@contextmanager
def broken_dag(delivery: Delivery) -> Iterator[str]:
    """A DAG file that does not import is merged."""
    file = f"{FOLDER}/{PREFIX}witness.py"
    good = (delivery.folder / file).read_text()
    delivery.write(file, good + "\nthis is no Python\n")
    delivery.push()
    wait_for(lambda: _import_error(delivery), "import error of the witness", 60)
    # Long enough to see that its DAG is kept.
    time.sleep(75 if os.environ.get("LONG") else 8)
    yield f"import error: {_import_error(delivery)}"
    delivery.write(file, good)
    delivery.push()


@contextmanager
def huge_file(delivery: Delivery, mebibytes: int) -> Iterator[str]:
    """A file that is no code is committed to the team's folder."""
    file = delivery.folder / FOLDER / "huge.bin"
    with file.open("wb") as huge:
        huge.truncate(mebibytes * 1024 * 1024)
    delivery.push()
    # Where the disk is too slow to check it out within --sync-timeout, git-sync never publishes it.
    yield delivery.wait_words("huge.bin has", STALE_SECONDS + 60, or_words="have not arrived")
    delivery.git("reset", "--quiet", "--hard", "HEAD~1")
    delivery.push()


@contextmanager
def killed(delivery: Delivery) -> Iterator[str]:
    """git-sync is killed in the middle of a sync, some times at different moments."""
    for number in range(3):
        delivery.write_dag("witness", f"killed{number}")
        delivery.push()
        time.sleep(0.2 + number * 0.7)
        for component in READERS:
            kill_git_sync(component)
    yield "the container's restarts"


@contextmanager
def copies_wiped(delivery: Delivery) -> Iterator[str]:
    """The volume with the copies is emptied in both pods."""
    for component in READERS:
        execute(component, component, "sh", "-c", "rm -rf /bundles/*")
    yield ""


@contextmanager
def volumes_wiped(delivery: Delivery) -> Iterator[str]:
    """Copies and git-sync's own volume are emptied in both pods."""
    for component in READERS:
        execute(component, "git-sync", "sh", "-c", "rm -rf /git/current /git/.git; rm -rf /git/.worktrees/* || true")
        execute(component, component, "sh", "-c", "rm -rf /bundles/*")
    # While git-sync clones again, a look at its link is a refusal; with luck there is none before it is back.
    wait_for(lambda: not delivery.metrics()["cronlift_bundle_refused"], "end of the refusal", 60)
    yield ""


@contextmanager
def skewed_clocks(delivery: Delivery) -> Iterator[str]:
    """Commits come from machines whose clocks are decades off, one after the other."""
    for year in ("2001", "2099"):
        tag = f"year{year}"
        dag_id = delivery.write_dag("witness", tag)
        stamp = f"{year}-01-01T00:00:00Z"
        delivery.push(GIT_AUTHOR_DATE=stamp, GIT_COMMITTER_DATE=stamp)
        delivery.wait_tag(dag_id, tag)
    yield ""


@contextmanager
def two_merges(delivery: Delivery) -> Iterator[str]:
    """Two commits to the same file arrive within one period of git-sync."""
    dag_id = delivery.write_dag("witness", "first")
    delivery.push()
    delivery.write_dag("witness", "second")
    delivery.push()
    delivery.wait_tag(dag_id, "second")
    yield ""


def faults() -> list[Named]:
    """Return those of the form that is asked for: LONG=1 has all of them."""
    found = [
        Named("git server down for 10 min", lambda d: server_down_for_seconds(d, 600), is_long=True),
        Named("force-push", force_push, is_long=True),
        Named("branch deleted", branch_deleted, is_long=True),
        Named("bad credentials", bad_credentials, is_long=True),
        Named("repository emptied by mistake", emptied),
        # Airflow marks the DAG stale at each parse, and the bundle takes that back at its next look.
        Named("broken DAG merged", broken_dag, stale_seconds=15),
        Named("60 MiB file committed", lambda d: huge_file(d, 60), is_long=True),
        Named("1 GiB file committed", lambda d: huge_file(d, 1024), is_long=True),
        Named("git-sync killed -9 in the middle of a sync, 3 times", killed, is_long=True),
        Named("copies wiped", copies_wiped, is_long=True),
        Named("copies and git-sync's volume wiped", volumes_wiped),
        Named("commits of 2001 and 2099", skewed_clocks, is_long=True),
        Named("two merges to a file within one period", two_merges),
        Named("git-sync wipes its tree (shallow.lock)", wiped_by_a_lock),
        Named("git-sync hangs without a word", stalled, is_long=True),
    ]
    return [each for each in found if os.environ.get("LONG") or not each.is_long]


def git_sync_log() -> str:
    """Return the last lines of git-sync in the dag-processor's pod."""
    return kubectl("logs", "deployment/cronlift-dag-processor", f"--namespace={NAMESPACE}", "--container=git-sync",
                   "--tail=5")  # fmt: skip


def kill_git_sync(component: str) -> None:
    """Kill the sidecar's processes, as the kernel would."""
    pod = pod_of(component)
    (status,) = [each for each in pod["status"]["initContainerStatuses"] if each["name"] == "git-sync"]
    on_node(pod, "sh", "-c", KILL_SCRIPT, "sh", status["containerID"].rpartition("/")[2])


def _import_error(delivery: Delivery) -> str:
    errors = [line for line in delivery.airflow.import_errors() if f"{PREFIX}witness.py" in line]
    return errors[0] if errors else ""


def _first(facts: list[str]) -> str:
    return facts[0] if facts else "nothing yet"
