"""From git-sync's tree to the copy: what is taken over, what is refused, what is parsed again. With real git."""

import os
import shutil
from pathlib import Path

import pytest

from cronlift.bundle.delivery import PARSE_SECONDS, Delivery
from cronlift.bundle.store import TEMPORARY_MAX_AGE_SECONDS
from tests.unit.bundle.conftest import age_all, fresh


def test_copy_is_the_folder_and_its_version_is_gits_tree_hash(repository, delivery, store):
    commit = repository.publish()
    outcome = delivery.refresh()
    assert (outcome.version, outcome.commit) == (repository.tree_hash("dags/demo"), commit)
    assert (outcome.flipped, outcome.refusal) == (True, "")
    assert (store.latest / "jobs/a.yaml").read_text() == "kind: Job\n"
    assert store.latest.resolve() == store.folder(outcome.version)
    assert not os.access(store.latest / "a.py", os.W_OK) or os.geteuid() == 0


def test_whole_repository_can_be_a_bundle(repository, store):
    repository.publish()
    outcome = Delivery(store, repository.link, ".").refresh()
    assert outcome.version == repository.tree_hash(".")
    assert (store.latest / "dags/demo/a.py").exists()
    assert not (store.latest / ".git").exists()


def test_commit_elsewhere_flips_nothing_and_is_known(repository, delivery, store):
    repository.publish()
    version = delivery.refresh().version
    age_all(store)
    repository.write("README.md", "second\n")
    commit = repository.publish()
    outcome = delivery.refresh()
    assert (outcome.version, outcome.commit, outcome.flipped) == (version, commit, False)
    assert fresh(store) == set()


def test_one_changed_file_is_the_only_fresh_one_and_others_are_hard_links(repository, delivery, store):
    repository.publish()
    before = store.folder(delivery.refresh().version)
    age_all(store)
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    after = store.folder(delivery.refresh().version)
    assert fresh(store) == {"a.py"}
    assert (after / "b.py").samefile(before / "b.py")
    assert not (after / "a.py").samefile(before / "a.py")


def test_readme_within_the_folder_makes_a_version_but_nothing_fresh(repository, delivery, store):
    repository.publish()
    delivery.refresh()
    age_all(store)
    repository.write("dags/demo/README.md", "About us\n")
    repository.publish()
    assert delivery.refresh().flipped
    assert fresh(store) == set()


def test_pitfall_3_revert_freshens_the_files_it_takes_back(repository, delivery, store):
    first = repository.publish()
    delivery.refresh()
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    delivery.refresh()
    for version in store.known_versions():
        for path in store.folder(version).rglob("*.py"):
            os.utime(path, (1, 1))
    repository.publish(first)
    assert delivery.refresh().version == repository.tree_hash("dags/demo", first)
    assert fresh(store) == {"a.py"}


@pytest.mark.parametrize("change", ["changed", "added", "deleted"])
@pytest.mark.parametrize("path", ["jobs/a.yaml", "shared/helper.py", "shared/__init__.py", "q.sql", ".airflowignore"])
def test_pitfall_4_helper_or_manifest_freshens_every_dag_that_may_use_it(repository, delivery, store, change, path):
    repository.write("dags/demo/e.py", "from airflow.sdk import DAG\nfrom shared import (\n    helper,\n)\n")
    file = repository.work / "dags/demo" / path
    if change == "added":
        file.unlink(missing_ok=True)
    else:
        repository.write(f"dags/demo/{path}", "first\n")
    repository.publish()
    delivery.refresh()
    age_all(store)
    if change == "deleted":
        file.unlink()
    else:
        repository.write(f"dags/demo/{path}", "second\n")
    repository.publish()
    assert delivery.refresh().flipped
    assert fresh(store) >= {"a.py", "b.py", "c.py", "d.py", "e.py"}


def test_text_freshens_only_the_dags_that_name_it(repository, delivery, store):
    repository.write("dags/demo/a.py", "from airflow.sdk import DAG\nDAG('demo__a', doc_md='about.md')\n")
    repository.write("dags/demo/about.md", "first\n")
    repository.publish()
    delivery.refresh()
    age_all(store)
    repository.write("dags/demo/about.md", "second\n")
    repository.publish()
    delivery.refresh()
    assert fresh(store) == {"a.py"}


def test_module_that_is_imported_by_a_computed_name_freshens_all(repository, delivery, store):
    repository.write(
        "dags/demo/a.py", "import importlib\nfrom airflow.sdk import DAG\nimportlib.import_module('x' + 'y')\n"
    )
    repository.write("dags/demo/xy.py", "1\n")
    repository.publish()
    delivery.refresh()
    age_all(store)
    repository.write("dags/demo/xy.py", "2\n")
    repository.publish()
    delivery.refresh()
    assert fresh(store) == {"a.py", "b.py", "c.py", "d.py", "e.py", "xy.py"}


def test_pitfall_5_parse_that_ends_after_the_flip_is_repeated(repository, store):
    running = {101}
    delivery = Delivery(store, repository.link, "dags/demo", parses=lambda: running)
    repository.publish()
    delivery.refresh()
    running.clear()
    for _ in range(3):
        delivery.refresh()
    age_all(store)
    running.add(102)
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    assert delivery.refresh().flipped
    age_all(store)  # the old content's parse ends now: later than the new file's time
    delivery.refresh()
    assert fresh(store) == set(), "it is still being parsed: too early"
    running.clear()
    delivery.refresh()
    assert fresh(store) == set(), "it has ended, and Airflow may not have recorded it yet"
    delivery.refresh()
    assert fresh(store) == {"a.py"}
    age_all(store)
    delivery.refresh()
    assert fresh(store) == set(), "once is enough"


def test_pitfall_5_is_no_reason_for_a_second_parse_where_none_ran(repository, delivery, store):
    repository.publish()
    delivery.refresh()
    age_all(store)
    for _ in range(3):
        delivery.refresh()
    assert fresh(store) == set()


def test_pitfall_5_does_not_wait_for_a_process_that_is_no_parse(repository, store, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("cronlift.bundle.delivery.time.monotonic", lambda: now[0])
    delivery = Delivery(store, repository.link, "dags/demo", parses=lambda: {1})
    repository.publish()
    delivery.refresh()
    age_all(store)
    now[0] = PARSE_SECONDS + 1
    delivery.refresh()
    delivery.refresh()
    assert fresh(store) == {"a.py", "b.py", "c.py", "d.py", "e.py"}


def break_source(repository, how: str) -> None:
    if how == "wiped root":
        repository.wipe()
    elif how == "missing link":
        repository.link.unlink()
    elif how == "dangling link":
        repository.link.unlink()
        repository.link.symlink_to(Path(".worktrees") / ("0" * 40))
    elif how == "missing folder":
        repository.git("rm", "-rq", "dags/demo")
        repository.publish()
    elif how == "emptied folder":
        for path in (repository.work / "dags/demo").glob("*.py"):
            path.unlink()
        repository.publish()
    elif how == "emptied in place":
        shutil.rmtree(repository.link.resolve() / "dags/demo")
        (repository.link.resolve() / "dags/demo").mkdir()
    elif how == "half deleted in place":
        for name in "abc":
            (repository.link.resolve() / f"dags/demo/{name}.py").unlink()
    else:
        (repository.work / "dags/demo/huge.bin").write_bytes(b"")
        os.truncate(repository.work / "dags/demo/huge.bin", 51 * 1024**2)
        tree = repository.root / ".worktrees" / ("1" * 40)
        shutil.copytree(repository.work, tree, symlinks=True, copy_function=os.link)
        repository.link.unlink()
        repository.link.symlink_to(tree)


@pytest.mark.parametrize("is_known", [True, False], ids=["same process", "restarted process"])
@pytest.mark.parametrize(
    "how",
    ["wiped root", "missing link", "dangling link", "missing folder", "emptied folder", "emptied in place",
     "half deleted in place", "huge file"],
)  # fmt: skip
def test_last_good_copy_stays_when_the_source_is_broken_and_it_goes_on_after(
    repository, delivery, store, how, is_known
):
    good = repository.publish()
    version = delivery.refresh().version
    age_all(store)
    if not is_known:
        delivery = Delivery(store, repository.link, "dags/demo")
    break_source(repository, how)
    outcomes = [delivery.refresh() for _ in range(3)]
    assert {each.version for each in outcomes} == {version}
    assert fresh(store) == set()
    assert (store.latest / "a.py").is_file()
    if not (is_known and "in place" in how):  # a commit that was taken over is not read again
        assert all(each.refusal for each in outcomes)
    shutil.rmtree(repository.root / ".worktrees", ignore_errors=True)
    shutil.rmtree(repository.root)
    repository.git("reset", "--hard", "--quiet", good)
    repository.git("clean", "-fdq")
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    outcome = delivery.refresh()
    assert (outcome.refusal, outcome.flipped) == ("", True)


def fill(repository, count=20):
    """Give the folder so many more DAG files; it has five."""
    names = [f"more{number}" for number in range(count)]
    for name in names:
        repository.write(f"dags/demo/{name}.py", "# airflow dag\n")
    return names


def test_deletion_of_most_files_is_refused_with_counts_and_cure(repository, delivery):
    names = fill(repository)
    repository.publish()
    delivery.refresh()
    for name in names[:13]:
        (repository.work / f"dags/demo/{name}.py").unlink()
    commit = repository.publish()
    refusal = delivery.refresh().refusal
    assert f"commit {commit} is not taken over: 13 of 25 Python files are gone from dags/demo" in refusal
    assert "add or edit the file dags/demo/.allow-deletion" in refusal


def test_wanted_mass_deletion_needs_the_marker_in_the_same_change(repository, delivery, store):
    repository.write("dags/demo/.allow-deletion", "moved last year\n")
    names = fill(repository)
    repository.publish()
    delivery.refresh()
    for name in [*names, *"abcd"]:
        (repository.work / f"dags/demo/{name}.py").unlink()
    repository.publish()
    assert "24 of 25" in delivery.refresh().refusal, "a marker from last year allows nothing"
    repository.write("dags/demo/.allow-deletion", "moved to team billing\n")
    repository.publish()
    outcome = delivery.refresh()
    assert (outcome.refusal, outcome.flipped) == ("", True)
    assert [path.name for path in store.latest.glob("*.py")] == ["e.py"]


@pytest.mark.parametrize(("known", "is_refused"), [(5, True), (0, False)])
def test_pod_without_a_copy_goes_by_what_airflow_knows(repository, store, known, is_refused):
    for name in "abcde":
        (repository.work / f"dags/demo/{name}.py").unlink()
    repository.publish()
    outcome = Delivery(store, repository.link, "dags/demo", known_files=lambda: known).refresh()
    assert bool(outcome.refusal) == is_refused
    assert (outcome.version is None) == is_refused


def test_most_of_a_small_folder_may_go_but_not_the_last(repository, delivery):
    repository.publish()
    delivery.refresh()
    for name in "bcde":
        (repository.work / f"dags/demo/{name}.py").unlink()
    repository.publish()
    assert delivery.refresh().refusal == ""
    (repository.work / "dags/demo/a.py").unlink()
    repository.publish()
    assert "1 of 1 Python files are gone" in delivery.refresh().refusal


def test_force_push_is_followed(repository, delivery):
    first = repository.publish()
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    delivery.refresh()
    repository.git("reset", "--hard", "--quiet", first)
    repository.write("dags/demo/b.py", "# airflow dag, rewritten history\n")
    commit = repository.publish()
    outcome = delivery.refresh()
    assert (outcome.commit, outcome.version, outcome.refusal) == (commit, repository.tree_hash("dags/demo"), "")


def test_tree_that_is_not_what_git_says_is_taken_at_the_second_look(repository, delivery):
    """Filters (line ends, LFS) make files differ from git's objects for good; a half-made tree only for a moment."""
    repository.write(".gitattributes", "*.py ident\n")
    repository.write("dags/demo/a.py", "# airflow dag $Id$\n")
    repository.publish()
    first = delivery.refresh()
    assert (first.version, delivery.wants_another_look) == (None, True)
    assert "looked at once more" in first.refusal
    assert delivery.refresh().refusal == ""


def test_tree_that_was_checked_out_in_part_is_never_taken(repository, delivery):
    """git-sync's time ran out in the middle of a large checkout."""
    repository.publish()
    version = delivery.refresh().version
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    (repository.link / "dags/demo/jobs/a.yaml").unlink()
    for _ in range(3):
        outcome = delivery.refresh()
        assert outcome.version == version
        assert "has not checked commit" in outcome.refusal
        assert "1 files are missing, such as jobs/a.yaml" in outcome.refusal
    repository.write("dags/demo/b.py", "# airflow dag, edited\n")
    repository.publish()
    assert delivery.refresh().refusal == ""


def test_copy_that_lost_a_file_is_built_again(repository, delivery, store):
    repository.publish()
    version = delivery.refresh().version
    (store.folder(version) / "a.py").unlink()
    outcome = delivery.refresh()
    assert (outcome.version, outcome.refusal) == (version, "")
    assert (store.folder(version) / "a.py").exists()


def test_wiped_storage_is_filled_again(repository, delivery, store):
    repository.publish()
    version = delivery.refresh().version
    shutil.rmtree(store.base)
    assert delivery.refresh().version == version
    assert (store.latest / "a.py").exists()


def test_file_that_a_task_overwrote_is_not_linked_into_the_next_copy(repository, delivery, store):
    repository.publish()
    version = delivery.refresh().version
    overwritten = store.folder(version) / "b.py"
    good = overwritten.read_bytes()
    overwritten.chmod(0o644)
    overwritten.write_bytes(b"x" * len(good))
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    assert delivery.refresh().flipped
    assert (store.latest / "b.py").read_bytes() == good


def test_clock_that_was_set_back_does_not_hide_a_change(repository, store):
    now = [1_000_000.0]
    delivery = Delivery(store, repository.link, "dags/demo", clock=lambda: now[0])
    repository.publish()
    delivery.refresh()
    parsed_at = now[0] + 1  # by the clock before
    now[0] += 2
    delivery.refresh()
    now[0] -= 3600
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    delivery.refresh()
    assert (store.latest / "a.py").stat().st_mtime > parsed_at


def test_full_disk_keeps_the_last_good_copy(repository, delivery, store, monkeypatch):
    repository.publish()
    version = delivery.refresh().version
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    outcome = delivery.refresh()
    assert (outcome.version, "No space left on device" in outcome.refusal) == (version, True)
    monkeypatch.undo()
    assert delivery.refresh().flipped


def test_pruning_takes_manifests_without_a_copy_and_old_leftovers_but_no_copy(repository, delivery, store):
    repository.publish()
    old = delivery.refresh().version
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    new = delivery.refresh().version
    shutil.rmtree(store.folder(old))
    leftover, young = store.base / ".building-x-1", store.base / ".building-y-2"
    leftover.mkdir()
    young.mkdir()
    os.utime(leftover, (1, 1))
    assert TEMPORARY_MAX_AGE_SECONDS > 60
    store.prune()
    assert sorted(path.name for path in store.base.iterdir()) == sorted(
        [".building-y-2", "latest", f"manifest-{new}.json", "versions"]
    )


@pytest.mark.parametrize("from_where", ["objects", "kept tree"])
def test_pitfall_8_pod_that_is_ahead_has_the_pinned_version_again(repository, tmp_path, from_where):
    old = repository.publish()
    pinned = repository.tree_hash("dags/demo")
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    if from_where == "objects":
        shutil.rmtree(repository.root / ".worktrees" / old)
    else:
        shutil.rmtree(repository.root / ".git")
    from cronlift.bundle.store import Store

    scheduler = Store(tmp_path / "scheduler" / "demo")
    assert Delivery(scheduler, repository.link, "dags/demo").provide(pinned)
    assert "demo__a" in (scheduler.folder(pinned) / "a.py").read_text()
    assert scheduler.current() is None


def test_pitfall_8_pod_that_is_behind_does_not_have_it_yet(repository, delivery):
    repository.publish()
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.commit()
    pinned = repository.tree_hash("dags/demo")
    assert not delivery.provide(pinned)
    repository.publish(repository.git("rev-parse", "HEAD"))
    assert delivery.provide(pinned)
