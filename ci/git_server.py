"""Serve the working tree over git to the local cluster's git-sync, uncommitted edits included.

A repository of its own under the state folder takes a snapshot of the working tree at every edit (what .gitignore names
stays out) and `git daemon` serves it, so that local edits take the way that production commits take. The user's own
repository is never written to; its branches are served beside, for previews.
"""

import argparse
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ci.errors import CiError, CommandError, UserError
from ci.paths import ROOT, STATE
from ci.process import run
from ci.stages import exit_with_words

PORT = 9418
NAME = "worktree.git"
BRANCHES = "branches.git"
"""The user's own repository, of which only branches are served: what `make preview` shows."""

ONLY_BRANCHES = ("-c", "transfer.hideRefs=refs", "-c", "transfer.hideRefs=!refs/heads")
AUTHOR = "cronlift local <local@cronlift.invalid>"
QUIET_MILLISECONDS = 200
"""An editor writes a file in several steps: take the snapshot when it has been quiet for so long."""


class Snapshots:
    """Turn a working tree into commits on `main` of a bare repository.

    Args:
        tree: The working tree, a git checkout.
        repository: The bare repository; made when it is not there.
    """

    def __init__(self, tree: Path, repository: Path) -> None:
        self.tree, self.repository = tree, repository
        self._taken = ""

    def take(self) -> str | None:
        """Commit the tree as it is now.

        Returns:
            The new commit, or None when nothing changed since the last.

        Raises:
            CommandError: git refused; the last snapshot stays in place.
        """
        if not (self.repository / "HEAD").is_file():
            run("git", "init", "--quiet", "--bare", "--initial-branch=main", self.repository)
        self._copy_private_excludes()
        # A git that was killed in the middle leaves this behind, and we are the only writer.
        (self.repository / "index.lock").unlink(missing_ok=True)
        self._git("add", "--all", ".")
        content = self._git("write-tree")
        head = self._git("for-each-ref", "--format=%(objectname) %(tree)", "refs/heads/main").split()
        # Not only the head: a test may have put commits of its own on top, and a file that is ignored may have changed.
        is_known = bool(head) and content in (head[1], self._taken)
        self._taken = content
        if is_known:
            return None
        parent = ["-p", head[0]] if head else []
        commit = self._git("commit-tree", content, *parent, "-m", "Snapshot of the working tree")
        self._git("update-ref", "refs/heads/main", commit)
        return commit

    def _git(self, *words: str) -> str:
        name, _, address = AUTHOR.rstrip(">").partition(" <")
        return run(
            "git", f"--git-dir={self.repository}", f"--work-tree={self.tree}",
            "-c", f"user.name={name}", "-c", f"user.email={address}", "-c", "core.autocrlf=false",
            "-c", "gc.auto=0", "-c", "advice.addEmbeddedRepo=false", *words,
            cwd=self.tree,
        ).strip()  # fmt: skip

    def _copy_private_excludes(self) -> None:
        private = self.tree / ".git" / "info" / "exclude"
        if private.is_file():
            (self.repository / "info").mkdir(exist_ok=True)
            shutil.copyfile(private, self.repository / "info" / "exclude")


def watched_folders(tree: Path) -> list[Path]:
    """Return the top folders of a checkout that are not ignored: what is worth a watch."""
    folders = sorted(path for path in tree.iterdir() if path.is_dir() and path.name != ".git")
    # Exit code 1 only says that none is ignored.
    done = subprocess.run(
        ["git", "-C", tree, "check-ignore", "--stdin"],
        input="\n".join(f"{path.name}/" for path in folders), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode > 1:
        raise CommandError(["git", "-C", str(tree), "check-ignore", "--stdin"], done.returncode, done.stderr)
    ignored = {line.rstrip("/") for line in done.stdout.splitlines()}
    return [path for path in folders if path.name not in ignored]


def serve(address: str, *, as_it_is: bool = False) -> None:
    """Serve snapshots until SIGTERM.

    Args:
        address: The local address to listen on, the only one.
        as_it_is: Begin with the commits that are there, as a server that was only away; else with a snapshot.

    Raises:
        UserError: The port is taken.
        CiError: git daemon ended by itself.
    """
    base = STATE / "git"
    snapshots = Snapshots(ROOT, base / NAME)
    if not as_it_is:
        snapshots.take()
    link_branches(ROOT, base / BRANCHES)
    daemon = subprocess.Popen(
        ["git", *ONLY_BRANCHES, "daemon", f"--listen={address}", f"--port={PORT}", f"--base-path={base}", "--reuseaddr",
         "--export-all", "--max-connections=32", "--timeout=60", str(base)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for edited in _edits():
            if daemon.poll() is not None:
                raise _daemon_error(address, (daemon.stderr.read() if daemon.stderr else "").strip())
            try:
                if edited and (commit := snapshots.take()):
                    print(f"Snapshot {commit}", flush=True)
            except CommandError as error:
                # A file that vanished between listing and reading: the next edit takes the snapshot again.
                print(error, flush=True)
    finally:
        daemon.terminate()
        daemon.wait()


def link_branches(tree: Path, link: Path) -> None:
    """Have a link lead to the repository of a checkout, which may be one of several worktrees."""
    common = run("git", "rev-parse", "--path-format=absolute", "--git-common-dir", cwd=tree).strip()
    link.unlink(missing_ok=True)
    link.symlink_to(common)


def _edits() -> Iterator[bool]:
    """Yield True after an edit of the tree, and False once a second without one, for a look at the daemon."""
    from watchfiles import watch

    folders = watched_folders(ROOT)
    while True:
        for changes in watch(*folders, step=QUIET_MILLISECONDS, rust_timeout=1000, yield_on_timeout=True):
            yield bool(changes)
            if (now := watched_folders(ROOT)) != folders:
                folders = now
                break


def _daemon_error(address: str, output: str) -> CiError:
    if "bind" in output or "in use" in output:
        return UserError(
            f"The git server cannot listen on {address}:{PORT}",
            [output.splitlines()[-1]],
            cure=f"Find who holds it with `ss -ltnp 'sport = :{PORT}'`, end it, and run `make up` again.",
        )
    return CiError(f"git daemon ended: {output or 'without a word'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", required=True, metavar="ADDRESS")
    parser.add_argument("--as-it-is", action="store_true", help="take the first snapshot at the next edit")
    options = parser.parse_args()
    with exit_with_words():
        serve(options.listen, as_it_is=options.as_it_is)
