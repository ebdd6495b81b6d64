"""What facts of DAG files say against them."""

from dataclasses import replace

import pytest

from cronlift.checks.of_dags import Budget, check_files, warnings
from cronlift.checks.of_tree import orphans, without_team
from cronlift.facts.model import DagFacts, FileFacts, Finding, TaskFacts
from cronlift.teams.model import TeamEntry

TASK = TaskFacts("run", "KubernetesJobOperator", False, (), "default_pool", 0, files=("dags/a/jobs/x.yaml",))
DAG = DagFacts(
    dag_id="a__x", team="a", file="dags/a/x.py", line=3, owners=("a",), tags=("a",), catchup=False,
    catchup_explicit=True, timezone="Europe/Paris", timezone_explicit=True, schedule="0 3 * * *", next_runs=(),
    paused_upon_creation=None, max_active_runs=1, start_date=None, end_date=None, hash="1", tasks=(TASK,),
)  # fmt: skip
FILE = FileFacts("dags/a/x.py", "a", 0.1, (), (DAG,))


USUAL = Budget()


def found(*files: FileFacts, budget: Budget = USUAL) -> list[tuple[str, str, int]]:
    return [(each.check, each.file, each.line) for each in check_files(files, budget)]


def test_a_good_file_has_no_fault() -> None:
    assert found(FILE) == []


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"owners": ("airflow",)}, "owner"),
        ({"owners": ("", "a")}, "owner"),
        ({"tags": ()}, "tags"),
        ({"tasks": ()}, "no-task"),
        ({"catchup_explicit": False}, "catchup"),
        ({"timezone_explicit": False}, "timezone"),
    ],
)
def test_what_a_dag_leaves_out_is_a_fault_at_its_line(change: dict[str, object], check: str) -> None:
    assert found(replace(FILE, dags=(replace(DAG, **change),))) == [(check, "dags/a/x.py", 3)]


def test_a_dag_that_only_people_start_need_not_say_catchup() -> None:
    assert found(replace(FILE, dags=(replace(DAG, catchup_explicit=False, schedule="None"),))) == []


def test_imports_have_a_budget_each_and_together() -> None:
    slow = [replace(FILE, path=f"dags/a/{n}.py", seconds=2.0, dags=()) for n in range(3)]
    assert found(*slow, budget=Budget(3, 100)) == []
    assert found(*slow, budget=Budget(1, 100)) == [("parse-time", each.path, 0) for each in slow]
    assert found(*slow, budget=Budget(3, 5)) == [("parse-time", "dags/a/0.py", 0)]


def test_advice_is_no_fault() -> None:
    file = replace(FILE, findings=(Finding("dags/a/x.py", None, "works, but", kind="advice"),))
    assert found(file) == []
    assert warnings([file]) == ["dags/a/x.py: works, but"]


def test_manifests_that_no_task_uses_are_told_unless_a_file_of_the_folder_is_broken() -> None:
    paths = ["dags/a/x.py", "dags/a/jobs/x.yaml", "dags/a/jobs/old.yaml", "dags/a/jobs/run.sh", "dags/a/README.md"]
    assert [each.file for each in orphans(paths, [FILE])] == ["dags/a/jobs/old.yaml"]
    broken = replace(FILE, findings=(Finding("dags/a/y.py", 1, "broken"),))
    assert list(orphans(paths, [broken])) == []


def test_files_in_no_teams_folder_are_told_and_pages_are_not() -> None:
    teams = {"a": TeamEntry("a", "team-a", "dags/a", ("@a",))}
    loose = ["dags/loose.py", "dags/loose.yaml"]
    pages = ["dags/README.md", "dags/.airflowignore", "dags/b/README.md", "dags/b/x.yaml", "loose.py", "docs/x.py"]
    found = list(without_team([*loose, *pages, "dags/a/x.py", "dags/b/x.py", "dags/b/y.py"], teams))
    assert [(each.file, each.what) for each in found] == [
        ("dags/b/x.py", "the folder dags/b is no team's"),
        ("dags/loose.py", "dags/loose.py is in no team's folder"),
        ("dags/loose.yaml", "dags/loose.yaml is in no team's folder"),
    ]
    assert found[1].cure == "Move it into a team's folder."
    whole = {"all": TeamEntry("all", "team-all", "dags", ("@a",))}
    assert list(without_team(loose, whole)) == []
