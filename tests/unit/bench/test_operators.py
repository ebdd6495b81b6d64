"""The pure half of the benchmark of operators."""

import ast
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.bench.operators import report
from tests.bench.operators.audit import count
from tests.bench.operators.contenders import (
    IDLE,
    OURS,
    PLAIN,
    STOCK_JOB,
    STOCK_POD,
    BenchDag,
    dag_source,
    job,
    pod_template,
)
from tests.bench.operators.deployment import failure_words
from tests.bench.operators.figures import cpu_figures, percentile, plain_figures, request_figures, spread, task_figures
from tests.bench.operators.goals import goals
from tests.bench.operators.picture import picture
from tests.bench.operators.plan import BLOCKS, cases_of, dags_of
from tests.bench.operators.results import Results, read, versions
from tests.bench.operators.sightings import Sighting, by_task, record

TASK = ("bench__echo", "run", "task_000")


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@pytest.mark.parametrize("contender", [OURS, STOCK_JOB, STOCK_POD])
def test_each_contenders_dag_file_is_python_that_names_its_dag_and_one_operator(contender: str) -> None:
    source = dag_source(BenchDag(contender, 5), "bench", "team-bench", "legacy:1")
    calls = [node.func.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)
             and isinstance(node.func, ast.Name)]  # fmt: skip
    assert f'"bench__e2e_bench_{contender}_5"' in source
    assert sum(name.startswith("Kubernetes") for name in calls) == 1
    assert "range(5)" in source


def test_the_floor_is_a_task_that_starts_in_the_triggerer_as_ours_does() -> None:
    names: dict[str, Any] = {}
    exec(dag_source(BenchDag(IDLE, 2), "bench", "team-bench", "legacy:1"), names)
    task = names["Idle"](task_id="x")
    assert task.start_from_trigger
    assert task.start_trigger_args.trigger_cls.startswith("airflow.providers.standard.")


def test_every_contender_runs_the_same_pod() -> None:
    pod = pod_template("legacy:1", "echo hi")
    assert job("legacy:1", "echo hi")["spec"]["template"] == pod
    for contender in (STOCK_JOB, STOCK_POD):
        tree = ast.parse(dag_source(BenchDag(contender, 1), "bench", "team-bench", "legacy:1"))
        [constant] = [node.value for node in tree.body if isinstance(node, ast.Assign)]
        assert ast.literal_eval(constant) == pod


def test_a_stock_pods_job_is_found_by_the_pods_label_and_ours_by_its_annotations() -> None:
    jobs: dict[str, Sighting] = {}
    pods: dict[str, Sighting] = {}
    record(jobs, "ADDED|job-echo|u1||||job-echo|", 1.0)
    record(jobs, "MODIFIED|job-echo|u1||||job-echo|SuccessCriteriaMet Complete", 5.0)
    record(jobs, "ADDED|ours|u2|bench__ours|run|task_000|ours|", 2.0)
    record(pods, "ADDED|job-echo-x|u3|bench__echo|run|task_000|job-echo|Pending", 1.5)
    record(pods, "MODIFIED|job-echo-x|u3|bench__echo|run|task_000|job-echo|Succeeded", 4.0)
    record(pods, "ADDED|alone|u4|bench__pod|run|task_000||Pending", 3.0)
    ran = by_task(jobs, pods)
    assert (ran[TASK].name, ran[TASK].ended, ran[TASK].succeeded) == ("job-echo", 5.0, True)
    assert ran["bench__ours", "run", "task_000"].created == 2.0
    assert ran["bench__pod", "run", "task_000"].name == "alone"


def test_the_first_word_of_an_end_counts_and_a_deletion_is_none() -> None:
    seen: dict[str, Sighting] = {}
    record(seen, "ADDED|a|u||||a|", 1.0)
    record(seen, "MODIFIED|a|u||||a|FailureTarget", 2.0)
    assert seen["u"].ended is None
    record(seen, "MODIFIED|a|u||||a|FailureTarget Failed", 3.0)
    record(seen, "DELETED|a|u||||a|FailureTarget Failed", 4.0)
    assert (seen["u"].ended, seen["u"].succeeded, seen["u"].deleted) == (3.0, False, 4.0)


def event(identity: str, verb: str, at: float, **target: str) -> dict[str, Any]:
    user = "system:serviceaccount:cronlift-bench:cronlift-bench-triggerer"
    return {"auditID": identity, "verb": verb, "requestReceivedTimestamp": moment(at), "objectRef": target,
            "user": {"username": user}}  # fmt: skip


def test_a_request_counts_once_within_its_time_and_for_its_release_alone() -> None:
    other = event("x", "get", 5, resource="pods")
    other["user"]["username"] = "system:serviceaccount:cronlift:cronlift-triggerer"
    events = [
        event("a", "create", 5, resource="jobs"),
        event("b", "get", 6, resource="pods", subresource="log"),
        event("b", "get", 6, resource="pods", subresource="log"),
        event("c", "create", 10, resource="jobs"),
        event("d", "create", 4, resource="jobs"),
        other,
    ]
    found = count(events, "system:serviceaccount:cronlift-bench:", 5, 10)
    assert found == {"create jobs": 1, "get pods/log": 1}
    assert request_figures(found, 1)["requests_per_task"] == 1.0
    assert request_figures(found, 1)["log_streams_per_task"] == 1.0


def test_the_innermost_error_of_a_log_line_is_the_reason() -> None:
    causes = [{"exc_type": "TaskDeferralError", "exc_value": "x"}, {"exc_type": "ConfigException", "exc_value": "none"}]
    assert failure_words({"level": "error", "event": "failed", "error_detail": causes}) == "ConfigException: none"
    assert failure_words({"level": "error", "event": "killed"}) == "killed"
    assert failure_words({"level": "info", "event": "fine"}) is None


def test_a_percentile_is_a_measured_value() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, percent) for percent in (50, 90, 99)] == [50.0, 90.0, 99.0]
    assert percentile([7.0], 99) == 7.0
    assert spread([]) is None


def test_starts_and_ends_are_seen_from_the_run_and_the_watch() -> None:
    runs = [{"dag_run_id": "run", "queued_at": moment(100)}]
    tasks = [
        {"dag_id": TASK[0], "dag_run_id": "run", "task_id": "task_000", "state": "success", "end_date": moment(106.5)},
        {"dag_id": TASK[0], "dag_run_id": "run", "task_id": "task_001", "state": "failed", "end_date": moment(109)},
    ]
    ran = {
        TASK: Sighting("a", TASK, "a", created=101.5, ended=106.0),
        (*TASK[:2], "task_001"): Sighting("b", TASK, "b", created=102.0, ended=103.0),
    }
    found = task_figures(runs, tasks, ran)
    assert found["starts"] == [1.5, 2.0]
    assert found["ends"] == [0.5]
    assert (found["wall_seconds"], found["failed"], found["states"]) == (9.0, 1, {"success": 1, "failed": 1})


def test_the_wall_time_of_repeats_is_the_median_of_each_alone() -> None:
    runs = [{"dag_run_id": str(number), "queued_at": moment(100 * number)} for number in range(3)]
    tasks = [
        {"dag_id": "d", "dag_run_id": str(number), "task_id": "t", "state": "success", "end_date": moment(ended)}
        for number, ended in ((0, 5), (1, 107), (2, 250))
    ]
    assert task_figures(runs, tasks, {}, repeats=3)["wall_seconds"] == 7.0


def test_the_idle_rate_is_taken_off_and_never_makes_a_task_cheaper_than_nothing() -> None:
    found = cpu_figures({"scheduler": 6.0, "triggerer": 4.0}, 0.1, 50.0, 10)
    assert (found["cpu_seconds_per_task"], found["cpu_seconds"]) == (0.5, 10.0)
    assert found["cpu_seconds_by_component"] == {"scheduler": 6.0, "triggerer": 4.0}
    assert cpu_figures({"scheduler": 1.0}, 0.1, 50.0, 10)["cpu_seconds_per_task"] == 0.0


def test_plain_jobs_are_measured_from_the_call_to_the_last_end() -> None:
    jobs = [Sighting("a", TASK, "a", 1.0, ended=4.0, succeeded=True), Sighting("b", TASK, "b", 1.2, ended=9.5)]
    found = plain_figures(0.5, jobs)
    assert (found["wall_seconds"], found["failed"], found["tasks"]) == (9.0, 1, 2)


def case(block: str, contender: str, **figures: Any) -> dict[str, Any]:
    return {"block": block, "contender": contender, "runs": 1, "tasks": 50, "failed": 0, **figures}


GOOD = [
    case("50", PLAIN, wall_seconds=20.0),
    case("50", OURS, wall_seconds=25.0, cpu_seconds_per_task=0.1, requests_per_task=2.0, log_streams_per_task=1.0,
         starts=[1.0], ends=[0.5, 0.6], requests={"create jobs": 50}),
    case("50", PLAIN, wall_seconds=30.0),
    case("50", STOCK_JOB, wall_seconds=70.0, cpu_seconds_per_task=1.6, requests_per_task=7.0, log_streams_per_task=1.0,
         starts=[20.0], ends=[12.0], failed=20, requests={"get jobs": 100}),
    case("1", OURS, wall_seconds=6.0, starts=[1.5, 1.9], ends=[0.5], tasks=950),
    case("memory", OURS, mib_per_waiting_task=0.2, tasks=100, triggerer_mib_before=200, triggerer_mib_waiting=220,
         triggerer_processes_mib_before=[100.0, 100.0], triggerer_processes_mib_waiting=[100.0, 120.0]),
]  # fmt: skip


def test_good_figures_meet_every_goal() -> None:
    assert [goal.name for goal in goals(GOOD) if goal.met is not True] == []
    assert next(goal for goal in goals(GOOD) if "CPU" in goal.name).seen == "1/16.0"
    assert next(goal for goal in goals(GOOD) if "Wall" in goal.name).seen == "1.00 x"


@pytest.mark.parametrize(
    ("number", "key", "value", "missed"),
    [
        (1, "wall_seconds", 40.0, "Wall"),
        (1, "cpu_seconds_per_task", 0.2, "CPU"),
        (1, "requests_per_task", 3.0, "API requests"),
        (1, "log_streams_per_task", 2.0, "Log streams"),
        (1, "ends", [1.3], "p90"),
        (4, "starts", [2.1], "Job created"),
        (1, "failed", 1, "Failed"),
        (5, "mib_per_waiting_task", 0.31, "memory"),
    ],
)
def test_each_goal_can_be_missed(number: int, key: str, value: Any, missed: str) -> None:
    worse = json.loads(json.dumps(GOOD))
    worse[number][key] = value
    assert any(missed in goal.name and goal.met is False for goal in goals(worse))


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {goal.met for goal in goals([])} == {None}


def test_the_picture_is_well_formed_and_shows_each_figure() -> None:
    text = picture(GOOD)
    labels = [node.text for node in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert {"25 s", "70 s", "1.60 s", "40 %", "7.0"} <= set(labels)


CONTENT = {
    "complete": True, "date": "2026-11-23T12:00:00Z", "cluster": "embedded", "versions": {"airflow": "3.3.2"},
    "cases": GOOD,
    "machine": {"cpus": 2, "cpu": "x", "memory_gib": 24, "kernel": "6", "load_before": 0.1},
}  # fmt: skip


def test_the_report_names_failures_goals_and_what_broke() -> None:
    text = report.markdown({**CONTENT, "cases": [*GOOD, case("300", STOCK_POD, error="No end\nof it")]})
    assert "| 20 of 50 |" in text
    assert "1/16.0" in text
    assert "No end" in text
    assert "of it" not in text


def test_the_report_tells_a_task_that_had_not_ended_from_one_that_failed() -> None:
    given_up = case("300", STOCK_JOB, wall_seconds=None, failed=20, states={"success": 30, "failed": 12, "deferred": 8})
    assert "12 of 50; 8 had not ended when it was given up" in report.markdown({**CONTENT, "cases": [given_up]})


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "benchmark.md"
    again = f"{report.AGAIN_BEGIN}\nolder\n{report.AGAIN_END}"
    path.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nbetween\n{again}\nafter\n")
    monkeypatch.setattr(report, "PAGE", path)
    monkeypatch.setattr(report, "PICTURE", tmp_path / "benchmark.svg")
    return path


def test_only_the_generated_part_of_the_page_is_written(page: Path) -> None:
    report.write(CONTENT)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "between" in text
    assert "old" not in text
    assert "50 tasks" in text


def test_run_in_part_leaves_the_last_whole_one_as_it_is(page: Path) -> None:
    report.write({**CONTENT, "complete": False, "cases": GOOD[-1:]})
    text = page.read_text()
    assert f"{report.BEGIN}\nold\n{report.END}" in text
    assert "older" not in text
    assert "memory per waiting task" in text
    assert "not measured" not in text


def test_each_stock_case_has_plain_jobs_before_and_after_it_in_its_block() -> None:
    for block in BLOCKS:
        contenders = [case.contender for case in cases_of(block)]
        if contenders:
            assert contenders[0] == contenders[-1] == PLAIN, block

    for size in ("1", "16", "50", "300"):
        of_size = {case.contender for block in BLOCKS if block.partition("-")[0] == size for case in cases_of(block)}
        assert of_size == {PLAIN, OURS, STOCK_JOB, STOCK_POD}, size


def test_a_full_run_gives_ours_a_thousand_tasks() -> None:
    waiting = next(dag.tasks for dag in dags_of(BLOCKS) if dag.stem.endswith("waiting"))
    assert waiting + sum(case.total for block in BLOCKS for case in cases_of(block) if case.contender == OURS) >= 1000


def test_a_cut_run_goes_on_with_the_block_where_it_stopped(tmp_path: Any) -> None:
    path = tmp_path / "build/results.json"
    results = Results("image:1", path)
    results.add(case("1", OURS))
    results.end_block("1")
    results.add(case("16", OURS))
    again = Results("image:1", path)
    assert again.has("1")
    assert not again.has("16")
    assert [kept["block"] for kept in again.content["cases"]] == ["1"]
    assert Results("image:2", path).content["cases"] == []
    again.complete()
    assert Results("image:1", path).content["cases"] == []
    assert (read(path) or {})["complete"]


def test_the_lock_names_the_stock_provider() -> None:
    assert versions()["stock provider"] == "10.25.0"
