"""What the triggerers' own logs tell."""

from tests.scale.through_airflow import success_in


def test_line_of_a_success_is_read() -> None:
    line = (
        "2026-11-29T00:05:51.705174Z [info     ] Job team-demo/m-008 succeeded [cronlift.airflow.trigger.JobTrigger] "
        "dag_id=demo__m loc=x.py:1046 map_index=-1 run_id=r_1 task_id=task_008 try_number=1"
    )
    assert success_in(line) == {
        "timestamp": "2026-11-29T00:05:51.705174Z",
        "dag_id": "demo__m",
        "run_id": "r_1",
        "task_id": "task_008",
    }


def test_other_lines_are_passed_over() -> None:
    assert success_in("2026-11-29T00:05:51Z [info     ] trigger completed [x] dag_id=demo__m") is None
