"""Bad input that reaches the platform: each fault names file, line and cure, and touches nobody else."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ci.airflow_api import Airflow
from ci.paths import ROOT
from tests.live.scratch_dag import LIVE_SECONDS, ScratchDag, job_manifest, jobs_of
from tests.live.waiting import wait_for

GOOD = job_manifest("echo fine")
LINES = GOOD.splitlines()


@dataclass(frozen=True)
class Fault:
    """A faulty manifest or DAG file, and what its import error must say; `{stem}` is the file's name."""

    manifest: str | None
    says: tuple[str, ...]
    arguments: str = ""


FAULTS = {
    "broken YAML": Fault(
        GOOD.replace("kind: Job", "kind: Job: again"), ("jobs/{stem}.yaml:2", "YAML syntax error", "Correct the YAML")
    ),
    "manifest that is no Job": Fault(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n",
        ("jobs/{stem}.yaml", "holds no Job, but ConfigMap", "kind: Job"),
    ),
    "Job without containers": Fault(
        "apiVersion: batch/v1\nkind: Job\nspec:\n  template:\n    spec:\n      containers: []\n",
        ("jobs/{stem}.yaml:5", "no containers", "List at least one"),
    ),
    "unknown image name": Fault(
        GOOD.replace("images.legacy", "images.legasy"),
        (f"jobs/{{stem}}.yaml:{LINES.index(next(x for x in LINES if 'image:' in x)) + 1}", "legasy", "Known images"),
    ),
    "broken Jinja": Fault(
        GOOD.replace("{{ images.legacy }}", "{{ images.legacy"), ("jobs/{stem}.yaml:", "Jinja syntax error", "Correct")
    ),
    "missing manifest": Fault(None, ("jobs/{stem}.yaml", "no such manifest file", "Create the file")),
    "unknown argument": Fault(GOOD, ("{stem}.py", "line 7", "manifset"), 'manifset="jobs/x.yaml"'),
}


@pytest.fixture(scope="module")
def faulty_dags(scratch_dag_maker: Callable[[], ScratchDag]) -> dict[str, ScratchDag]:
    return {
        name: scratch_dag_maker().write(fault.manifest, arguments=fault.arguments) for name, fault in FAULTS.items()
    }


@pytest.mark.parametrize("name", FAULTS)
def test_import_error_names_file_and_cure(faulty_dags: dict[str, ScratchDag], name: str) -> None:
    dag = faulty_dags[name]
    error = dag.wait_import_error()
    for words in FAULTS[name].says:
        assert words.format(stem=dag.stem) in error, error


def test_dag_with_a_syntax_error_is_named_with_its_line(scratch_dag: ScratchDag) -> None:
    scratch_dag.file.write_text("from airflow.sdk import DAG\n\nwith DAG(\n")
    error = scratch_dag.wait_import_error()
    assert f'{scratch_dag.file.name}", line 3' in error
    assert "SyntaxError" in error


def test_other_dags_are_not_affected_by_faulty_ones(airflow: Airflow, faulty_dags: dict[str, ScratchDag]) -> None:
    faulty_dags["broken YAML"].wait_import_error()
    demo_ids = {f"demo__{path.stem}" for path in (ROOT / "dags/demo").glob("*.py") if path.stem[:4] != "e2e_"}
    assert demo_ids <= airflow.dag_ids()
    assert not [error for error in airflow.import_errors() if "/e2e_" not in f"/{error}"]


def test_manifest_of_a_faulty_dag_that_is_put_right_takes_its_import_error_away(
    faulty_dags: dict[str, ScratchDag],
) -> None:
    dag = faulty_dags["broken YAML"]
    dag.wait_import_error()
    dag.manifest.write_text(GOOD)
    wait_for(lambda: dag.import_error() is None and dag.dag_id in dag.airflow.dag_ids(), "cured DAG", LIVE_SECONDS)


def test_missing_image_is_told_in_words_while_the_job_waits_and_the_task_can_be_failed(
    scratch_dag: ScratchDag,
) -> None:
    scratch_dag.write(job_manifest("echo never", image="localhost/cronlift/nope:1")).wait_live()
    run_id = scratch_dag.start()

    def words() -> list[str]:
        return [line for line in scratch_dag.log(run_id) if "localhost/cronlift/nope:1" in line]

    wait_for(words, "word on the missing image in the task's log", 60)
    assert "cannot be pulled" in words()[0]
    assert "Check the name and the tag" in words()[0]
    assert scratch_dag.task(run_id)["state"] == "deferred"
    scratch_dag.airflow.patch(f"/dags/{scratch_dag.dag_id}/dagRuns/{run_id}", {"state": "failed"})
    wait_for(lambda: not jobs_of(scratch_dag.dag_id), "end of the Job whose task was marked failed", 30)
    assert len(words()) == 1, "the same finding is repeated:\n" + "\n".join(words())


def test_image_that_can_never_come_fails_the_task_with_what_to_do(scratch_dag: ScratchDag) -> None:
    manifest = job_manifest("echo never", image="localhost/cronlift/nope:1").replace(
        "command:", "imagePullPolicy: Never\n          command:"
    )
    scratch_dag.write(manifest).wait_live()
    state, log = scratch_dag.run(timeout_seconds=90)
    assert state == "failed"
    assert any("ErrImageNeverPull" in line and "Correct the image's name" in line for line in log), "\n".join(log)


@pytest.mark.parametrize(
    ("metadata", "script", "words"),
    [
        (
            "metadata:\n  namespace: cronlift\n",
            "echo mine now",
            ".yaml:4: metadata.namespace: namespace 'cronlift' is not",
        ),
        ("", "echo {{ var.value.billing__token }}", "variable 'billing__token' is not team 'demo'"),
        ("", "echo {{ conn.billing__db.password }}", "connection 'billing__db' is not team 'demo'"),
    ],
    ids=["namespace", "variable", "connection"],
)
def test_what_is_another_teams_is_refused_when_the_dag_is_parsed(
    scratch_dag: ScratchDag, metadata: str, script: str, words: str
) -> None:
    scratch_dag.write(job_manifest(script, metadata=metadata))
    assert words in scratch_dag.wait_import_error()
