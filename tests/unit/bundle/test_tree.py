"""The tree hash is git's own, and what git cannot mean to give a bundle is refused."""

import os

import pytest

from cronlift.bundle.tree import link_fault, scan, tree_hash
from cronlift.errors import ContentRefusedError, SourceMissingError


def test_hash_is_gits_own_with_modes_links_and_sorted_names(repository):
    repository.write("dags/demo/run.sh", "#!/bin/sh\n").chmod(0o755)
    # git sorts a folder as if its name ended in a slash: foo.py comes before foo/, foo-x before both.
    for path in ("foo/x.py", "foo.py", "foo-x", "foo0", "é.py", "deep/er/still/x"):
        repository.write(f"dags/demo/{path}", path)
    (repository.work / "dags/demo/link").symlink_to("foo/x.py")
    repository.publish()
    for folder in ("dags/demo", "."):
        at = repository.link.resolve() / folder
        assert tree_hash(scan(at)) == repository.tree_hash(folder)


def test_hash_of_a_sha256_repository_is_gits_own(tmp_path):
    import subprocess

    def git(*words):
        command = ["git", "-C", tmp_path, "-c", "user.name=t", "-c", "user.email=t@example.invalid", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet", "--object-format=sha256")
    (tmp_path / "a.py").write_text("x")
    git("add", "a.py")
    assert tree_hash(scan(tmp_path, "sha256"), "sha256") == git("write-tree")


def test_hash_does_not_depend_on_times_and_inodes(repository):
    first = repository.publish()
    repository.write("README.md", "second\n")
    second = repository.publish()
    trees = [repository.root / ".worktrees" / commit / "dags/demo" for commit in (first, second)]
    assert trees[0].joinpath("a.py").stat().st_ino != trees[1].joinpath("a.py").stat().st_ino
    assert tree_hash(scan(trees[0])) == tree_hash(scan(trees[1]))


@pytest.mark.parametrize(
    ("path", "target", "is_fault"),
    [
        ("a", "b.py", False), ("x/a", "../b.py", False), ("x/y/a", "../../z/b", False), ("a", "./x/b", False),
        ("a", "/etc/passwd", True), ("a", "../b", True), ("x/a", "../../b", True),
        # A link in the middle may lead anywhere: `..` after it is not the folder that it reads as.
        ("a", "x/../b", True), ("a", "x/link/../../b", True),
        ("a", ".", True), ("x/y/a", "..", True), ("x/y/a", "../..", True), ("x/y/a", "../../x", True),
    ],
)  # fmt: skip
def test_link_may_not_leave_its_folder_or_lead_around_itself(path, target, is_fault):
    assert bool(link_fault(path, target)) == is_fault


def test_every_fault_of_a_folder_is_named_at_once(tmp_path):
    (tmp_path / "secret").symlink_to("/run/secrets/token")
    (tmp_path / "other").symlink_to("../billing")
    with (tmp_path / "dump.sql").open("wb") as file:
        file.truncate(60 * 1024 * 1024)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ContentRefusedError) as raised:
        scan(tmp_path)
    words = str(raised.value)
    assert "secret is a symbolic link to /run/secrets/token, which leaves the folder" in words
    assert "other is a symbolic link to ../billing" in words
    assert "dump.sql has 60 MiB, more than 50 MiB" in words
    assert "pipe is neither" in words


def test_missing_folder_is_a_missing_source(tmp_path):
    with pytest.raises(SourceMissingError, match="nowhere"):
        scan(tmp_path / "nowhere")
