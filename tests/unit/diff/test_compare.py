"""What a change does to DAGs is told, and what it would cost is warned of."""

from dataclasses import replace
from typing import Any

import pytest

from cronlift.diff.compare import compare
from cronlift.diff.job_images import with_images
from cronlift.diff.model import FieldChange, Hour, ImageChange, Kind
from cronlift.diff.text import as_text
from cronlift.facts.model import Finding
from tests.unit.diff.conftest import AT, RUNS, TEAM, Compare, dag, side, task

LATER = ("2026-11-29T06:00:00+00:00", "2026-11-30T06:00:00+00:00")


def test_the_same_dags_are_no_difference(diff: Compare) -> None:
    found = diff([dag()], [dag()])
    assert found.is_empty
    assert as_text(found) == "No DAG differs from main.\n"


@pytest.mark.parametrize(
    ("more", "change"),
    [
        pytest.param({"schedule": "@daily"}, ("schedule", "15 5 * * * Europe/Paris", "@daily Europe/Paris"), id="when"),
        pytest.param({"timezone": "UTC"}, ("schedule", "15 5 * * * Europe/Paris", "15 5 * * * UTC"), id="time zone"),
        pytest.param({"owners": ("a", "b")}, ("owners", "demo", "a, b"), id="owners"),
        pytest.param({"tags": ()}, ("tags", "demo", ""), id="tags"),
        pytest.param({"catchup": True}, ("catchup", "no", "yes"), id="catchup"),
        pytest.param({"paused_upon_creation": True}, ("begins paused", "as the deployment says", "yes"), id="paused"),
        pytest.param({"max_active_runs": 1}, ("runs at once", "16", "1"), id="runs at once"),
        pytest.param({"file": "dags/demo/y.py"}, ("file", "dags/demo/x.py", "dags/demo/y.py"), id="file"),
        pytest.param({"hash": "i"}, ("other settings", "", "see the file's own diff"), id="what facts do not tell"),
        pytest.param({"tasks": (task(retries=2),)}, ("task main: retries", "0", "2"), id="retries"),
        pytest.param({"tasks": (task(pool="demo"),)}, ("task main: pool", "default_pool", "demo"), id="pool"),
        pytest.param({"tasks": (task(images=("r/x:2",)),)}, ("task main: images", "r/x:1", "r/x:2"), id="images"),
        pytest.param(
            {"tasks": (task(requests={"cpu": 2.0, "memory": 1.5 * 1024**3}),)},
            ("task main: requests", "cpu 0.05, memory 32Mi", "cpu 2, memory 1.5Gi"),
            id="requests",
        ),
        pytest.param(
            {"tasks": (task(), task("z"))},
            ("task z", "", "dags/demo/jobs/x.yaml, r/x:1, cpu 0.05, memory 32Mi"),
            id="new task",
        ),
    ],
)  # fmt: skip
def test_each_property_is_told_before_and_after(
    diff: Compare, more: dict[str, Any], change: tuple[str, str, str]
) -> None:
    (found,) = diff([dag()], [dag(**more)]).dags
    assert (found.kind, found.dag_id) == (Kind.CHANGED, "demo__x")
    assert FieldChange(*change) in found.fields


def test_other_fields_of_the_job_are_told_and_values_of_secrets_are_not(diff: Compare) -> None:
    def documents(word: str) -> tuple[dict[str, Any], ...]:
        job = {"kind": "Job", "spec": {"template": {"spec": {"containers": [{"image": word, "args": [word]}]}}}}
        secret = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": word}}
        maps = [
            {"kind": "ConfigMap", "metadata": {"name": name}, "data": {"x": value}}
            for name, value in (("m", word), ("n", "c"))
        ]
        return secret, *maps, job

    (found,) = diff([dag(tasks=(task(documents=documents("a")),))], [dag(tasks=(task(documents=documents("b")),))]).dags
    assert found.fields == (
        FieldChange("task main: ConfigMap m.data.x", "a", "b"),
        FieldChange("task main: Job.spec.template.spec.containers.0.args.0", "a", "b"),
    )


def test_new_and_removed_dags_are_told_with_their_tasks(diff: Compare) -> None:
    old, new = dag("demo__old", file="dags/demo/old.py"), dag("demo__new", file="dags/demo/new.py", schedule="@daily")
    added, removed = diff([old], [replace(new, tasks=(task(manifest="dags/demo/jobs/y.yaml"),))]).dags
    assert (added.kind, added.dag_id, added.runs_before, added.runs_after) == (Kind.ADDED, "demo__new", (), RUNS)
    assert (removed.kind, removed.dag_id, removed.runs_after) == (Kind.REMOVED, "demo__old", ())
    assert FieldChange("schedule", "", "@daily Europe/Paris") in added.fields


def test_images_are_counted_by_tasks(diff: Compare) -> None:
    two = (task("a"), task("b"))
    found = diff([dag(tasks=two)], [dag(tasks=(two[0], replace(two[1], images=("r/x:2",))))])
    assert found.images == (ImageChange("r/x:1", 2, 1), ImageChange("r/x:2", 0, 1))


def test_requests_are_summed_by_the_hour_of_the_start(diff: Compare) -> None:
    often = (*(f"2026-11-28T04:{minute}:00+00:00" for minute in (10, 20, 40)), "2026-11-29T05:00:00+00:00")
    found = diff([dag(next_runs=often)], [dag(next_runs=often, tasks=(task(requests={"cpu": 0.5}),))])
    assert len(found.hours) == 24
    assert found.hours[4] == Hour(4, 0.15, 1.5, 96 * 1024**2, 0)
    assert found.hours[5] == Hour(5, 0, 0, 0, 0)  # after the 24 hours


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        pytest.param([dag()], [dag("demo__y")], "demo__x is called demo__y now: its history", id="renamed"),
        pytest.param([dag()], [dag("demo__y", file="y.py")], "demo__x is called demo__y now", id="with its file"),
        pytest.param([dag()], [], "demo__x is gone: nothing starts it any more", id="removed"),
        pytest.param([dag(tasks=(task(), task("b")))], [dag()], "demo__x has no task b any more", id="task removed"),
        pytest.param(
            [dag()],
            [dag(next_runs=LATER)],
            "has its next run at Sun 2026-11-29 06:00 UTC, no longer at Sun 2026-11-29 04:15 UTC",
            id="next run moved",
        ),
        pytest.param([dag()], [dag(next_runs=())], "has no next run any more", id="no next run"),
        pytest.param([dag(next_runs=())], [dag()], "had no next run; now it is", id="a first next run"),
        pytest.param(
            [dag(start_date="2020-01-01T00:00:00+00:00")],
            [dag(start_date="2020-01-01T00:00:00+00:00", catchup=True)],
            "catches up now: it starts a run for each missed time since 2020-01-01",
            id="catchup",
        ),
        pytest.param(
            [],
            [dag(catchup=True, start_date="2020-01-01T00:00:00+00:00")],
            "catches up: it starts a run",
            id="new catchup",
        ),
        pytest.param([dag()], [dag(team="other")], "from the folder of team other now", id="another team"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_back_is_warned_of(diff: Compare, before: list[Any], after: list[Any], words: str) -> None:
    assert [words in each.say(str) for each in diff(before, after).warnings] == [True]


def test_a_file_that_does_not_import_removes_no_dag() -> None:
    broken = side([], (Finding("dags/demo/x.py", 1, "SyntaxError"),))
    found = compare("main", side([dag()]), broken, ["demo"], AT)
    assert (found.dags, found.images, found.hours) == ((), (), ())
    (warning,) = found.warnings
    assert warning.say(str).startswith("dags/demo/x.py does not import on one side")


def test_folder_that_airflow_cannot_list_is_said_and_nothing_of_its_team_is_gone_or_new() -> None:
    why = Finding("dags/demo", None, "again is a symbolic link to a folder", kind="deliverable")
    for before, after in ((side([dag()]), side([], (why,))), (side([], (why,)), side([dag()]))):
        found = compare("main", before, after, ["demo"], AT)
        assert (found.dags, found.images, found.hours) == ((), (), ())
        assert [each.about for each in found.warnings] == ["dags/demo"]


def test_a_team_is_compared_key_by_key() -> None:
    changed = replace(TEAM, settings={"owners": ["@a", "@b"], "namespace": "n"})
    found = compare("main", side([]), side([], team=changed), [], AT)
    assert found.team_changes == {
        "demo": (FieldChange("namespace", "", "n"), FieldChange("owners", "@platform", "@a, @b"))
    }


def test_job_images_of_an_environment_are_put_in_and_unknown_names_stay_names() -> None:
    guessed = ("images.invalid/legacy:unknown", "images.invalid/nope-x:unknown")
    found = with_images(
        side([dag(tasks=(task(images=guessed, documents=({"image": guessed[0]},)),))]).files, {"legacy": "r/l:1"}
    )
    (changed,) = found[0].dags[0].tasks
    assert changed.images == ("images.nope-x", "r/l:1")
    assert changed.documents == ({"image": "r/l:1"},)
