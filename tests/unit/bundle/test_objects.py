"""git's object store is read as git reads it: loose, packed, with deltas of both kinds."""

import random

import pytest

from cronlift.bundle.objects import ObjectStore
from cronlift.bundle.tree import Entry, scan
from cronlift.errors import ContentRefusedError, SourceMissingError


def commits_with_similar_files(repository, count=12):
    """Commit a large file again and again with small edits, so that packing makes deltas of it."""
    lines = [f"line {number} {random.Random(number).random()}" for number in range(2000)]
    made = []
    for number in range(count):
        lines[number * 100] = f"edit {number}"
        repository.write("dags/demo/large.py", "\n".join(lines))
        made.append(repository.publish())
    return made


@pytest.mark.parametrize("offsets", [None, "true", "false"], ids=["loose", "offset deltas", "reference deltas"])
def test_every_version_is_read_as_git_reads_it(repository, offsets):
    commits = commits_with_similar_files(repository)
    if offsets:
        repository.git("-c", f"repack.useDeltaBaseOffset={offsets}", "repack", "-adfq", cwd=repository.root)
    objects = ObjectStore(repository.root / ".git/objects")
    for commit in commits:
        tree = objects.folder_hash(commit, "dags/demo")
        assert tree == repository.tree_hash("dags/demo", commit)
        entries = objects.entries(tree)
        assert entries == scan(repository.root / ".worktrees" / commit / "dags/demo")
        wanted = (repository.root / ".worktrees" / commit / "dags/demo/large.py").read_bytes()
        assert objects.blob(entries["large.py"]) == wanted


def test_whole_repository_is_a_folder_too(repository):
    commit = repository.publish()
    objects = ObjectStore(repository.root / ".git/objects")
    assert objects.folder_hash(commit, ".") == repository.tree_hash(".")


@pytest.mark.parametrize("sha", ["0" * 40, "f" * 40])
def test_object_that_is_not_here_is_a_missing_source(repository, sha):
    repository.publish()
    repository.git("repack", "-adq", cwd=repository.root)
    with pytest.raises(SourceMissingError, match=f"git object {sha} is not in"):
        ObjectStore(repository.root / ".git/objects").read(sha)


def test_folder_that_the_commit_lacks_is_a_missing_source(repository):
    commit = repository.publish()
    with pytest.raises(SourceMissingError, match="folder dags/none is not in commit"):
        ObjectStore(repository.root / ".git/objects").folder_hash(commit, "dags/none")


def test_broken_object_is_refused(repository):
    repository.publish()
    objects = ObjectStore(repository.root / ".git/objects")
    sha = repository.git("rev-parse", "HEAD:README.md")
    file = repository.root / ".git/objects" / sha[:2] / sha[2:]
    if not file.exists():  # a clone of a local folder may have packed it
        pytest.fail("the object is not loose")
    file.chmod(0o644)
    file.write_bytes(b"not zlib")
    with pytest.raises(SourceMissingError, match="cannot be read"):
        objects.blob(Entry("100644", sha, 6))


def test_links_out_of_the_folder_are_refused_in_history_too(repository):
    (repository.work / "dags/demo/out").symlink_to("/etc")
    commit = repository.publish()
    objects = ObjectStore(repository.root / ".git/objects")
    with pytest.raises(ContentRefusedError, match="out is a symbolic link to /etc"):
        objects.entries(objects.folder_hash(commit, "dags/demo"))
