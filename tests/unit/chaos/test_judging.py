from dataclasses import replace

import pytest

from tests.chaos.judging import Expected, JobSeen, Kind, LogKept, TaskSeen, judge

LINES = 3
WHOLE = tuple(f"line {number} of {LINES} by work in work-x" for number in (1, 2, 3))
GOOD = TaskSeen("work", "success", 1, WHOLE, (JobSeen(1, "Complete", 1, gone_at=None),))
SUCCESS = Expected("success")


def found(task: TaskSeen, expected: Expected = SUCCESS) -> list[tuple[Kind, str]]:
    return [(each.kind, each.text) for each in judge([task], {"work": expected}, LINES).findings]


def test_a_task_that_ended_as_its_job_did_gives_no_finding() -> None:
    assert found(GOOD) == []


@pytest.mark.parametrize(
    ("task", "expected", "kind", "words"),
    [
        pytest.param(
            replace(GOOD, state="failed"), SUCCESS, Kind.VERDICT, "is failed, not success; its Job: Complete",
            id="failed although its Job is complete",
        ),
        pytest.param(
            replace(GOOD, jobs=(JobSeen(1, "Failed", 1),)), SUCCESS, Kind.VERDICT,
            "is success although its Job is Failed", id="green although its Job failed",
        ),
        pytest.param(
            replace(GOOD, jobs=(JobSeen(1, "", 1),)), SUCCESS, Kind.VERDICT, "its Job never ended",
            id="green although its Job never ended",
        ),
        pytest.param(
            replace(GOOD, try_number=2, jobs=(JobSeen(1, "Failed", 1), JobSeen(2, "Complete", 1))), SUCCESS,
            Kind.VERDICT, "took 2 tries, not 1", id="a try that nobody asked for",
        ),
        pytest.param(
            replace(GOOD, jobs=(JobSeen(1, "Complete", 1), JobSeen(1, "Complete", 1))), SUCCESS, Kind.TWICE,
            "try 1 had 2 Jobs", id="two Jobs for one try",
        ),
        pytest.param(replace(GOOD, jobs=()), SUCCESS, Kind.TWICE, "try 1 had 0 Jobs", id="green without a Job"),
        pytest.param(
            replace(GOOD, jobs=(JobSeen(1, "Complete", 2),)), SUCCESS, Kind.TWICE, "the Job of try 1 had 2 Pods",
            id="two Pods for one Job",
        ),
        pytest.param(
            replace(GOOD, try_number=2, jobs=(JobSeen(1, "", 1, 1.0, gone_at=9.0), JobSeen(2, "Complete", 1, 8.0))),
            Expected("success", tries=2), Kind.TWICE, "the Job of try 2 was there before that of try 1 had ended",
            id="two tries at once",
        ),
        pytest.param(
            replace(GOOD, log=WHOLE[:2]), SUCCESS, Kind.LOG, "its log holds 2 of 3 lines", id="the end is missing"
        ),
        pytest.param(
            replace(GOOD, log=WHOLE[1:]), SUCCESS, Kind.LOG,
            "its log is not in order, or has gaps or repetitions: 2-3", id="the beginning is missing",
        ),
        pytest.param(
            replace(GOOD, log=(*WHOLE, WHOLE[2])), SUCCESS, Kind.LOG,
            "its log is not in order, or has gaps or repetitions: 1-3, 3", id="a line twice",
        ),
        pytest.param(
            replace(GOOD, log=tuple(reversed(WHOLE))), SUCCESS, Kind.LOG,
            "its log is not in order, or has gaps or repetitions: 3, 2, 1", id="out of order",
        ),
        pytest.param(
            replace(GOOD, log=(*WHOLE, "line 1 of 3 by other in other-x")), SUCCESS, Kind.LOG,
            "its log holds a line of other", id="another task's line",
        ),
        pytest.param(
            GOOD, Expected("success", words=("exit code 3",)), Kind.LOG, "its log does not say 'exit code 3'",
            id="no word of what happened",
        ),
        pytest.param(
            GOOD, Expected("success", log=LogKept.NONE), Kind.LOG,
            "its log holds 3 lines of a Job that must not have run", id="a Job ran that must not",
        ),
        pytest.param(
            replace(GOOD, state="failed", jobs=(JobSeen(1, "", 1, is_live=True),)),
            Expected("failed", job_decides=False), Kind.ORPHAN, "a Job of try 1 still lives", id="an orphan",
        ),
    ],
)  # fmt: skip
def test_what_must_not_be_is_found(task: TaskSeen, expected: Expected, kind: Kind, words: str) -> None:
    assert (kind, words) in found(task, expected)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param(
            replace(GOOD, log=WHOLE[:1], jobs=(JobSeen(1, "", 1, gone_at=5.0),)),
            Expected("success", job_decides=False, log=LogKept.PART), id="marked successful, its Job deleted",
        ),
        pytest.param(
            replace(GOOD, try_number=2, jobs=(JobSeen(1, "", 1, 1.0, gone_at=7.0), JobSeen(2, "Complete", 1, 8.0))),
            Expected("success", tries=2), id="cleared, the second Job after the first",
        ),
        pytest.param(
            replace(
                GOOD, jobs=(JobSeen(1, "Complete", 2),),
                log=("line 1 of 3 by work in work-a", *(f"[work-x/main] {line}" for line in WHOLE)),
            ),
            Expected("success", pods=frozenset({2})), id="a second Pod after the first was deleted",
        ),
    ],
)  # fmt: skip
def test_what_a_fault_allows_is_no_finding(task: TaskSeen, expected: Expected) -> None:
    assert found(task, expected) == []


def test_tasks_are_counted_once_for_each_kind() -> None:
    bad = replace(GOOD, state="failed", log=())
    judgement = judge([bad, replace(bad, task_id="other")], {"work": SUCCESS, "other": SUCCESS}, LINES)
    assert {kind: judgement.count(kind) for kind in Kind} == {
        Kind.VERDICT: 2, Kind.TWICE: 0, Kind.LOG: 2, Kind.ORPHAN: 0,
    }  # fmt: skip
