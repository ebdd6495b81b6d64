"""A real repository, published the way git-sync does it: a worktree a commit, and a link that a rename moves."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cronlift.bundle.delivery import Delivery
from cronlift.bundle.store import Store

DAG = "from airflow.sdk import DAG\nwith DAG({id!r}): pass\n"


class Repository:
    """A repository to commit to, and the root where git-sync would publish it."""

    def __init__(self, base: Path) -> None:
        self.work, self.root = base / "work", base / "git"
        self.link = self.root / "current"
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", self.work], check=True)
        for key, value in {"user.name": "Test", "user.email": "test@example.invalid", "gc.auto": "0"}.items():
            self.git("config", key, value)

    def git(self, *words: str, cwd: Path | None = None) -> str:
        command = ["git", "-C", str(cwd or self.work), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def write(self, path: str, text: str) -> Path:
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "Change")
        return self.git("rev-parse", "HEAD")

    def publish(self, commit: str | None = None) -> str:
        """Commit what is there, or take an older commit, and flip the link to it."""
        commit = commit or self.commit()
        if not (self.root / ".git").exists():
            subprocess.run(["git", "clone", "--quiet", "--no-checkout", self.work, self.root], check=True)
        self.git("fetch", "--quiet", "origin", commit, cwd=self.root)
        tree = self.root / ".worktrees" / commit
        if not tree.exists():
            self.git("worktree", "add", "--quiet", "--force", "--detach", str(tree), commit, cwd=self.root)
        temporary = self.root / "tmp-current"
        temporary.symlink_to(Path(".worktrees") / commit)
        temporary.rename(self.link)
        return commit

    def tree_hash(self, folder: str, commit: str = "HEAD") -> str:
        return self.git("rev-parse", f"{commit}:{'' if folder == '.' else folder}")

    def wipe(self) -> None:
        """Do what git-sync does with a repository that it takes for broken."""
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A monorepo with a team's folder of five DAGs, a helper and a manifest, not yet published."""
    made = Repository(tmp_path)
    for name in "abcde":
        made.write(f"dags/demo/{name}.py", DAG.format(id=f"demo__{name}"))
    made.write("dags/demo/jobs/a.yaml", "kind: Job\n")
    made.write("README.md", "first\n")
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "bundles" / "demo")


@pytest.fixture
def delivery(repository: Repository, store: Store) -> Delivery:
    return Delivery(store, repository.link, "dags/demo")


def age_all(store: Store, seconds: float = 1000) -> None:
    """Let every file of the current copy look as if it had been parsed long ago."""
    version = store.current()
    assert version
    for path in store.folder(version).rglob("*"):
        if path.is_file() and not path.is_symlink():
            before = path.stat().st_mtime - seconds
            os.utime(path, (before, before))


def fresh(store: Store, than_seconds: float = 500) -> set[str]:
    """Return the DAG files that Airflow would parse again: those younger than the ones of age_all."""
    import time

    folder = store.latest
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if time.time() - path.stat().st_mtime < than_seconds
    }
