"""Judge what became of a run, by what was seen from outside: pure, so that each finding is tested."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

LINE = re.compile(r"^(?:\[\S+\] )?line (\d+) of (\d+) by (\S+) in (\S+)$")
STATE_OF = {"Complete": "success", "Failed": "failed"}
"""What a task's state must be, by its Job's condition."""


class Kind(Enum):
    """What a finding is about; the table has a column for each."""

    VERDICT = "verdict"
    TWICE = "twice"
    LOG = "log"
    ORPHAN = "orphan"


class LogKept(Enum):
    """How much of a task's last try its log must hold."""

    WHOLE = "every line of it, once and in order"
    PART = "lines from the first on, once and in order, up to where its Pod was stopped"
    NONE = "no line"


@dataclass(frozen=True)
class Expected:
    """What a task must come to.

    Attributes:
        state: Its state in Airflow.
        tries: How many tries it takes.
        job_decides: Whether the last try's Job must have ended by itself, with a verdict equal to the state.
        jobs: How many Jobs a try may have.
        pods: How many Pods a Job may have.
        log: How much of the last try's output the log holds.
        words: What else the last try's log must say, for its reader to know what happened.
    """

    state: str
    tries: int = 1
    job_decides: bool = True
    jobs: frozenset[int] = frozenset({1})
    pods: frozenset[int] = frozenset({1})
    log: LogKept = LogKept.WHOLE
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobSeen:
    """A Job, as seen from outside.

    Attributes:
        try_number: The try that it is for.
        verdict: Its own condition, `Complete` or `Failed`; empty when it never had one.
        pods: How many Pods it ever had.
        seen_at: When it was first seen.
        gone_at: When it was gone; None while it exists.
        is_live: Whether it still runs, or waits, at the end.
    """

    try_number: int
    verdict: str
    pods: int
    seen_at: float = 0.0
    gone_at: float | None = None
    is_live: bool = False


@dataclass(frozen=True)
class TaskSeen:
    """A task, as Airflow shows it, with its Jobs.

    Attributes:
        task_id: The task.
        state: Its state in Airflow.
        try_number: Its last try.
        log: The lines of the last try's log.
        jobs: Every Job that it ever had, in the order of their creation.
    """

    task_id: str
    state: str
    try_number: int
    log: Sequence[str]
    jobs: Sequence[JobSeen]


@dataclass(frozen=True)
class Finding:
    """Something that must not be.

    Attributes:
        kind: What it is about.
        task_id: The task.
        text: In words.
    """

    kind: Kind
    task_id: str
    text: str

    def __str__(self) -> str:
        return f"{self.task_id}: {self.text}"


@dataclass(frozen=True)
class Judgement:
    """All findings of a run."""

    findings: list[Finding] = field(default_factory=list)

    def count(self, kind: Kind) -> int:
        """Return how many tasks have a finding of a kind."""
        return len({finding.task_id for finding in self.findings if finding.kind is kind})


def judge(tasks: Sequence[TaskSeen], expected: Mapping[str, Expected], lines: int) -> Judgement:
    """Find everything that is wrong with a run.

    Args:
        tasks: Every task of it.
        expected: By task id.
        lines: How many lines each Job prints.
    """
    return Judgement([finding for task in tasks for finding in _judge_task(task, expected[task.task_id], lines)])


def _judge_task(task: TaskSeen, expected: Expected, lines: int) -> Iterator[Finding]:
    for kind, found in (
        (Kind.VERDICT, _wrong_verdict(task, expected)),
        (Kind.TWICE, _ran_twice(task, expected)),
        (Kind.LOG, _wrong_log(task, expected, lines)),
        (Kind.ORPHAN, (f"a Job of try {job.try_number} still lives" for job in task.jobs if job.is_live)),
    ):
        yield from (Finding(kind, task.task_id, text) for text in found)


def _wrong_verdict(task: TaskSeen, expected: Expected) -> Iterator[str]:
    verdicts = [job.verdict for job in task.jobs if job.try_number == task.try_number]
    if task.state != expected.state:
        yield f"is {task.state}, not {expected.state}; its Job: {', '.join(verdicts) or 'none'}"
    if task.try_number != expected.tries:
        yield f"took {task.try_number} tries, not {expected.tries}"
    if expected.job_decides:
        for verdict in verdicts:
            if not verdict:
                yield "its Job never ended"
            elif STATE_OF[verdict] != task.state:
                yield f"is {task.state} although its Job is {verdict}"


def _ran_twice(task: TaskSeen, expected: Expected) -> Iterator[str]:
    for number in range(1, max(task.try_number, 1) + 1):
        jobs = [job for job in task.jobs if job.try_number == number]
        if len(jobs) not in expected.jobs:
            yield f"try {number} had {len(jobs)} Jobs"
        for job in jobs:
            if job.pods not in expected.pods:
                yield f"the Job of try {number} had {job.pods} Pods"
    for former, job in zip(task.jobs, task.jobs[1:], strict=False):
        if not former.verdict and (former.gone_at is None or former.gone_at > job.seen_at):
            yield f"the Job of try {job.try_number} was there before that of try {former.try_number} had ended"


def _wrong_log(task: TaskSeen, expected: Expected, lines: int) -> Iterator[str]:
    pods: dict[str, list[int]] = {}
    for match in filter(None, map(LINE.match, task.log)):
        number, of, task_id, pod = int(match[1]), int(match[2]), match[3], match[4]
        if task_id != task.task_id or of != lines:
            yield f"its log holds a line of {task_id}"
        pods.setdefault(pod, []).append(number)
    counted = list(pods.values())
    for numbers in counted:
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"its log is not in order, or has gaps or repetitions: {_ranges(numbers)}"
    longest = max(map(len, counted), default=0)
    if expected.log is LogKept.WHOLE and longest != lines:
        yield f"its log holds {longest} of {lines} lines"
    if expected.log is LogKept.NONE and counted:
        yield f"its log holds {longest} lines of a Job that must not have run"
    for words in expected.words:
        if not any(words in line for line in task.log):
            yield f"its log does not say {words!r}"


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers as runs: 1-5, 5-9."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
