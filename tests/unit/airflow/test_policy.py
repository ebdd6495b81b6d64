"""Which DAG belongs to which team, checked while it is parsed."""

import json
from pathlib import Path

import airflow.settings  # noqa: F401 - loads the policy by its entry point; the other way round, half of it
import pytest

from cronlift.airflow import settings
from cronlift.airflow.policy import _bundle_folders, bundle_of

FOLDERS = {"demo": Path("/git/current/dags/demo"), "billing": Path("/git/current/dags/billing")}


@pytest.fixture
def bundle(monkeypatch, folder):
    """Make the folder the bundle of team demo."""
    entry = {
        "name": "demo",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([entry]))


@pytest.mark.parametrize("dag_id", ["demo__a", "demo__a__b"])
def test_dag_of_the_bundles_team_is_accepted(parse, bundle, dag_id):
    bag = parse(f'with DAG("{dag_id}", schedule=None): KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")')
    assert list(bag.dags) == [dag_id]


@pytest.mark.parametrize("dag_id", ["billing__a", "a", "demo_a", "demo__"])
def test_dag_of_another_team_is_an_import_error_with_the_cure(parse, bundle, dag_id):
    bag = parse(f'with DAG("{dag_id}", schedule=None): KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")')
    (error,) = bag.import_errors.values()
    assert "AirflowClusterPolicyViolation" in error
    assert "the name of its team, 'demo'. Call the DAG 'demo__" in error
    assert bag.dags == {}


def test_laptop_without_teams_is_not_bothered(parse, bundle, monkeypatch):
    monkeypatch.delenv("CRONLIFT_TEAMS")
    bag = parse('with DAG("a", schedule=None): KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")')
    assert list(bag.dags) == ["a"]


@pytest.mark.parametrize(("preview", "paused"), [("True", True), ("", False)])
def test_a_preview_pauses_even_a_dag_that_says_otherwise(parse, bundle, monkeypatch, preview, paused):
    monkeypatch.setenv("CRONLIFT_PREVIEW", preview)
    bag = parse("""
        with DAG("demo__a", schedule=None, is_paused_upon_creation=False):
            KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")
    """)
    assert bag.dags["demo__a"].is_paused_upon_creation is paused


def test_manifest_of_a_mapped_task_is_checked_too(parse, bundle):
    bag = parse("""
        with DAG("demo__a", schedule=None):
            KubernetesJobOperator.partial(task_id="x", manifest="jobs/none.yaml").expand(delete_policy=["never"])
    """)
    (error,) = bag.import_errors.values()
    assert "no such manifest file 'jobs/none.yaml'" in error


@pytest.mark.parametrize("call", ["expand(manifest=[{}])", "expand_kwargs([{{'manifest': each}} for each in [{}]])"])
@pytest.mark.parametrize(("name", "is_there"), [("jobs/a.yaml", True), ("jobs/none.yaml", False)])
def test_manifests_that_a_task_is_mapped_over_are_checked_too(parse, bundle, call, name, is_there):
    bag = parse(f"""
        with DAG("demo__a", schedule=None):
            KubernetesJobOperator.partial(task_id="x").{call.format(f"'jobs/a.yaml', {name!r}")}
    """)
    found = [error for error in bag.import_errors.values() if "no such manifest file 'jobs/none.yaml'" in error]
    assert len(found) == len(bag.import_errors) == (0 if is_there else 1)


def test_manifests_that_come_from_another_task_are_left_to_the_run(parse, bundle):
    bag = parse("""
        with DAG("demo__a", schedule=None):
            up = KubernetesJobOperator(task_id="up", manifest="jobs/a.yaml", result_from="log")
            KubernetesJobOperator.partial(task_id="x").expand(manifest=up.output)
            KubernetesJobOperator.partial(task_id="y").expand_kwargs(up.output)
    """)
    assert bag.import_errors == {}


GOOD = """
apiVersion: batch/v1
kind: Job
spec:
  template:
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: main
          image: "{{ images.legacy }}"
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
BOTH_KINDS = """
    with DAG("demo__a", schedule=None):
        KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")
        KubernetesJobOperator.partial(task_id="y", manifest="jobs/a.yaml").expand(delete_policy=["never"])
"""


def with_rules(monkeypatch, **rules):
    monkeypatch.setenv("CRONLIFT_TEAMS", json.dumps({"demo": {"namespace": "team-demo", "rules": rules}}))


def test_manifest_that_breaks_the_teams_rules_is_an_import_error_with_every_cure(parse, bundle, folder, monkeypatch):
    with_rules(monkeypatch, images=["registry.example/"])
    bad = GOOD.replace("limits: {memory: 64Mi}", "limits: {}").replace("runAsNonRoot: true, ", "")
    (folder / "jobs/a.yaml").write_text(bad)
    bag = parse(BOTH_KINDS)
    (error,) = bag.import_errors.values()
    for words in (
        "jobs/a.yaml:10: ",
        "[policy/image-origin]",
        "[policy/amounts]",
        "[policy/non-root]",
        "Add securityContext: {",
    ):
        assert words in error
    assert bag.dags == {}


def test_other_faults_of_a_manifest_hide_no_broken_rule(parse, bundle, folder, monkeypatch):
    with_rules(monkeypatch)
    bad = GOOD.replace("runAsNonRoot: true, ", "").replace("images.legacy", "images.lgacy")
    (folder / "jobs/a.yaml").write_text(bad.replace("- name: main", "- name: main\n          arg: [x]"))
    (error,) = parse(BOTH_KINDS).import_errors.values()
    for words in (
        "jobs/a.yaml:10: ",
        "Did you mean args?",
        "jobs/a.yaml:11: no job image is called 'lgacy'",
        "[policy/n",
    ):
        assert words in error


def test_manifest_of_a_mapped_task_is_judged_too(parse, bundle, folder, monkeypatch):
    with_rules(monkeypatch)
    (folder / "jobs/a.yaml").write_text(GOOD.replace("runAsNonRoot: true, ", ""))
    bag = parse(BOTH_KINDS.replace('KubernetesJobOperator(task_id="x", manifest="jobs/a.yaml")', "pass"))
    (error,) = bag.import_errors.values()
    assert "[policy/non-root]" in error


def test_manifest_that_keeps_the_rules_is_imported(parse, bundle, folder, monkeypatch):
    with_rules(monkeypatch, images=["registry/"], podSecurity="restricted", quota={"requests.cpu": "1"})
    (folder / "jobs/a.yaml").write_text(GOOD)
    assert list(parse(BOTH_KINDS).dags) == ["demo__a"]


@pytest.mark.parametrize(
    ("file", "bundle"),
    [
        ("/git/current/dags/demo/a.py", "demo"), ("/git/current/dags/demo/sub/a.py", "demo"),
        ("/git/current/dags/billing/a.py", "billing"), ("/git/current/dags/demo2/a.py", None), ("/x/a.py", None),
    ],
)  # fmt: skip
def test_bundle_is_found_by_folder(file, bundle):
    assert bundle_of(Path(file), FOLDERS) == bundle


def test_bundle_is_found_through_the_link_that_git_sync_moves(tmp_path):
    real = tmp_path / ".worktrees" / "abc" / "dags" / "demo"
    real.mkdir(parents=True)
    (tmp_path / "current").symlink_to(tmp_path / ".worktrees" / "abc")
    assert bundle_of(real / "a.py", {"demo": tmp_path / "current" / "dags" / "demo"}) == "demo"


@pytest.mark.parametrize("place", ["latest/a.py", "versions/0123abc/sub/a.py"])
def test_copied_bundle_is_found_in_airflows_storage(monkeypatch, tmp_path, place):
    kwargs = {"link": "/git/current", "path": "dags/demo"}
    entry = {"name": "demo", "classpath": settings.GIT_SYNC_BUNDLE, "kwargs": kwargs}
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([entry]))
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path))
    assert bundle_of(tmp_path / "demo" / place, _bundle_folders()) == "demo"
    assert bundle_of(tmp_path / "billing" / place, _bundle_folders()) is None
