"""Airflow's side of a bundle: what Airflow 3.3.2 reads of it, its clean-up, its pinned runs. By Airflow's own code."""

import logging
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cronlift.airflow import bundle as adapter
from cronlift.airflow import delivery_status, settings
from cronlift.errors import SourceMissingError
from tests.unit.bundle.conftest import Repository, repository  # noqa: F401 - a fixture

URL = "https://robot:secret@github.com/acme/dags.git"


@pytest.fixture
def storage(tmp_path, monkeypatch):
    """Airflow's bundle storage in a folder of this test."""
    from airflow.dag_processing.bundles import base

    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "bundles"))
    monkeypatch.setattr(base, "STALE_BUNDLE_TRACKING_FOLDER", tmp_path / "bundles" / "_tracking")
    return tmp_path / "bundles"


@pytest.fixture
def reports(monkeypatch):
    """What is told of bundles, instead of the database."""
    told = []
    monkeypatch.setattr(delivery_status, "report", lambda *arguments, **named: told.append((arguments, named)))
    monkeypatch.setattr(delivery_status, "count_known_files", lambda bundle: 0)
    monkeypatch.setattr(delivery_status, "keep_broken_dags", lambda: None)
    return told


@pytest.fixture
def make(storage, repository, reports, monkeypatch):  # noqa: F811
    """Make the team's bundle, in a DAG processor unless said otherwise."""

    bundles = []

    def run(version=None, command="dag-processor", **kwargs):
        monkeypatch.setattr(sys, "argv", ["airflow", command])
        kwargs = {"link": str(repository.link), "path": "dags/demo", "url": URL, "wait_seconds": 0, **kwargs}
        bundles.append(adapter.GitSyncBundle(name="demo", version=version, **kwargs))
        return bundles[-1]

    yield run
    for each in bundles:
        if each._use:
            each._use.release()


def test_settings_name_the_class():
    module, _, name = settings.GIT_SYNC_BUNDLE.rpartition(".")
    assert (module, name) == (adapter.__name__, adapter.GitSyncBundle.__name__)


def test_airflow_makes_the_bundle_from_its_configuration(storage, repository, reports, monkeypatch):  # noqa: F811
    import json

    from airflow.dag_processing.bundles.manager import DagBundlesManager

    kwargs = {"link": str(repository.link), "path": "dags/demo", "refresh_interval": 2}
    entry = {"name": "demo", "classpath": settings.GIT_SYNC_BUNDLE, "kwargs": kwargs}
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([entry]))
    repository.publish()
    made = DagBundlesManager().get_bundle("demo")
    made.initialize()
    assert made.refresh_interval == 2
    assert (made.path / "a.py").exists()
    made._use.release()


def test_version_has_its_commit_and_an_address_without_credentials(make, repository):  # noqa: F811
    commit = repository.publish()
    made = make()
    made.initialize()
    version = made.get_current_version()
    assert version.version == repository.tree_hash("dags/demo")
    assert version.data == {"commit": commit, "url": f"https://github.com/acme/dags/tree/{commit}/dags/demo"}


def test_link_to_the_source_goes_by_the_api_server_and_shows_no_credentials(make, monkeypatch):
    assert make().view_url_template() is None, "without base_url there is no address"
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/prefix")
    assert make().view_url_template() == "https://airflow.example.com/prefix/cronlift/source/demo/{version}"
    assert make(url="git://10.0.0.1/x.git").view_url_template() is None


def test_pitfall_2_path_stays_while_versions_change(make, repository):  # noqa: F811
    made = make()
    assert not made.path.exists(), "read before initialize, it does not raise"
    repository.publish()
    made.initialize()
    before, first = made.path, made.path.resolve()
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    made.refresh()
    assert made.path == before
    assert made.path.resolve() != first


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
def test_what_would_end_the_dag_processor_never_gets_there(make, repository, reports):  # noqa: F811
    repository.publish()
    made = make()
    made.initialize()
    before = made.get_current_version()
    repository.write("dags/demo/.airflowignore", "!\n")
    commit = repository.publish()
    made.refresh()
    assert made.get_current_version() == before
    refusal = reports[-1][0][2].refusal
    assert refusal.startswith(f"commit {commit} is not taken over: Airflow cannot read .airflowignore: ")
    repository.write("dags/demo/.airflowignore", "old\n")
    repository.publish()
    made.refresh()
    assert reports[-1][0][2].refusal == ""
    assert (made.path / ".airflowignore").read_text() == "old\n"


def test_version_that_cannot_be_marked_as_used_is_told_and_refreshes_go_on(make, repository, reports, monkeypatch):  # noqa: F811
    def full(_lock):
        raise OSError(28, "No space left on device")

    repository.publish()
    made = make()
    with monkeypatch.context() as patched:
        patched.setattr(adapter.BundleVersionLock, "acquire", full)
        made.initialize()
        made.refresh()
    with monkeypatch.context() as patched:
        patched.setattr(adapter.Store, "prune", full)
        made.refresh()
        made.refresh()
    assert ["No space left on device" in arguments[2].refusal for arguments, _ in reports] == [True] * 4
    made.refresh()
    assert reports[-1][0][2].refusal == ""
    assert (made.path / "a.py").exists()


def test_pitfall_6_refusal_is_logged_once_and_the_last_good_copy_stays(make, repository, caplog, reports):  # noqa: F811
    repository.publish()
    made = make()
    made.initialize()
    repository.wipe()
    caplog.clear()
    with caplog.at_level(logging.INFO, adapter.log.name):
        for _ in range(5):
            made.refresh()
        (line,) = [record.getMessage() for record in caplog.records]
        assert line.startswith("Bundle demo keeps version ")
        assert "is not there" in line
        assert [named["is_new_refusal"] for _, named in reports].count(True) == 1
        caplog.clear()
        repository.publish()
        made.refresh()
        assert any("follows git again" in record.getMessage() for record in caplog.records)


def test_pitfall_6_without_any_good_copy_airflow_must_not_look_at_an_empty_folder(make, repository, monkeypatch):  # noqa: F811
    monkeypatch.setattr(delivery_status, "count_known_files", lambda bundle: 3)
    made = make()
    with pytest.raises(SourceMissingError, match=r"Bundle demo has no copy yet: .*current is not there"):
        made.initialize()
    assert not made.is_initialized
    repository.publish()
    made.initialize()
    assert made.is_initialized


def test_pitfall_6_new_team_without_a_folder_is_logged_once(make, repository, caplog):  # noqa: F811
    made = make()
    with caplog.at_level(logging.INFO, adapter.log.name):
        made.initialize()
        for _ in range(3):
            made.refresh()
    said = [record.getMessage().partition(": ")[0] for record in caplog.records if record.name == adapter.log.name]
    assert said == ["Bundle demo has no copy yet"]
    assert made.get_current_version() is None
    repository.publish()
    made.refresh()
    assert (made.path / "a.py").exists()


def cleaned_up(storage, monkeypatch):
    """Let Airflow clean up as if a week had passed for every copy that is not in use."""
    from airflow.dag_processing.bundles.base import BundleUsageTrackingManager

    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_MIN_VERSIONS", "0")
    old = (datetime.now(UTC) - timedelta(days=7)).isoformat()
    for file in (storage / "_tracking" / "demo").iterdir():
        file.write_text(old)
    BundleUsageTrackingManager()._remove_stale_bundle_versions_for_bundle("demo")
    return sorted(path.name for path in (storage / "demo" / "versions").iterdir())


def test_pitfall_7_clean_up_leaves_the_version_in_use_and_takes_old_ones(make, repository, storage, monkeypatch):  # noqa: F811
    repository.publish()
    made = make()
    made.initialize()
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    made.refresh()
    current = made.get_current_version().version
    assert len(list((storage / "demo" / "versions").iterdir())) == 2
    assert cleaned_up(storage, monkeypatch) == [current]
    made.refresh()
    assert (made.path / "a.py").exists()


def test_pitfall_7_time_of_use_is_renewed(make, repository, storage, monkeypatch):  # noqa: F811
    repository.publish()
    made = make()
    made.initialize()
    (file,) = (storage / "_tracking" / "demo").iterdir()
    file.write_text("2020-01-01T00:00:00+00:00")
    made.refresh()
    assert file.read_text().startswith("2020"), "not at every refresh"
    monkeypatch.setattr(adapter, "KEEP_EVERY_SECONDS", 0.0)
    made.refresh()
    assert not file.read_text().startswith("2020")


def test_pitfall_7_no_copy_is_without_a_tracking_file(make, repository, storage):  # noqa: F811
    """Airflow never removes a copy without one: a process that was killed before it used its copy leaves such."""
    repository.publish()
    left = repository.tree_hash("dags/demo")
    make(version=left, command="scheduler").initialize()
    assert not (storage / "_tracking").exists()
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    make().initialize()
    tracked = {path.name for path in (storage / "_tracking" / "demo").iterdir()}
    assert tracked == {left, repository.tree_hash("dags/demo")}


def test_pitfall_7_copy_that_is_gone_all_the_same_is_built_again(make, repository, storage):  # noqa: F811
    import shutil

    repository.publish()
    made = make()
    made.initialize()
    shutil.rmtree(storage / "demo" / "versions")
    made.refresh()
    assert (made.path / "a.py").exists()


def test_pinned_version_is_had_without_moving_the_newest(make, repository):  # noqa: F811
    repository.publish()
    pinned = repository.tree_hash("dags/demo")
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    repository.publish()
    made = make(version=pinned, command="scheduler")
    made.initialize()
    assert "demo__a" in (made.path / "a.py").read_text()
    assert made.path.name == pinned
    assert made.get_current_version().version == pinned


def test_pitfall_8_version_that_is_not_here_yet_is_waited_for(make, repository, monkeypatch):  # noqa: F811
    repository.publish()
    repository.write("dags/demo/a.py", "# airflow dag, edited\n")
    commit = repository.commit()
    pinned = repository.tree_hash("dags/demo")
    monkeypatch.setattr(adapter.time, "sleep", lambda _: repository.publish(commit))
    made = make(version=pinned, command="scheduler", wait_seconds=30)
    made.initialize()
    assert "edited" in (made.path / "a.py").read_text()


def test_pitfall_8_version_that_never_comes_leaves_the_path_absent(make, repository, caplog):  # noqa: F811
    """Raising would fail the task and use up a try; an absent path has Airflow put it back ("Dag not found")."""
    repository.publish()
    made = make(version="0" * 40, command="scheduler")
    made.initialize()
    assert not made.path.exists()
    assert "neither in git-sync's trees nor in its history" in caplog.text


def test_task_of_a_run_without_a_version_gets_the_newest(make, repository, reports):  # noqa: F811
    repository.publish()
    made = make(command="scheduler")
    made.initialize()
    assert (made.path / "a.py").exists()
    assert reports == [], "only the DAG processor tells"


def test_children_of_this_process_are_found():
    import subprocess

    child = subprocess.Popen(["sleep", "60"])
    try:
        assert child.pid in adapter.running_children()
        child.kill()
        assert child.pid in adapter.running_children(), "ended, and not yet noticed"
    finally:
        child.kill()
        child.wait()
    assert child.pid not in adapter.running_children()
    assert os.getpid() not in adapter.running_children()


def test_private_lock_of_airflow_is_as_it_was_read(storage):
    """BundleVersionLock is private: what is used of it is what 3.3.2 has."""
    from airflow.dag_processing.bundles.base import BundleVersionLock, get_bundle_tracking_file

    lock = BundleVersionLock("demo", "v1")
    lock.acquire()
    file = get_bundle_tracking_file("demo", "v1")
    assert file == Path(storage, "_tracking", "demo", "v1")
    assert datetime.fromisoformat(file.read_text())
    lock.release()
    assert lock.lock_file is None
