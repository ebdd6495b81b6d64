"""The DAG file of a group: a literal list of its lines, and one small helper that makes a DAG of each.

The text is as `ruff format` leaves it, so that a team's own checks pass.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from cronlift.crontab.specification import JobSpecification

RUFF_WIDTH = 120
LINE_WIDTH = 110
"""Of the documentation; leaves room for escapes."""

_AIRFLOW_NAMES = ("CronTriggerTimetable", "MultipleCronTriggerTimetable")
_OWN_NAMES = ("CrontabTimetable",)
_HELPER = '''\
def make_dag(dag_id: str, schedule: object, manifest: str, doc: str, tags: list[str], max_active_runs: int) -> DAG:
    """Return the DAG of one line: it runs the line's Job, once, whenever the old daemon would have."""
    with DAG(
        dag_id,
        schedule=schedule,
        start_date=START,
        catchup=False,
        max_active_runs=max_active_runs,
        is_paused_upon_creation=False,
        default_args={"owner": OWNER, "retries": 0},
        tags=tags,
        doc_md=doc,
    ) as dag:
        KubernetesJobOperator(task_id="run", manifest=manifest, templated=False)
    return dag
'''


def dag_text(file: str, team: str, start: datetime, jobs: Sequence[JobSpecification]) -> str:
    """Return the DAG file of a group.

    Args:
        file: The crontab.
        team: Owner of the DAGs.
        start: When they begin, aware.
        jobs: The lines, in order.
    """
    used = {name for job in jobs for name in re.findall(r"\b\w+Timetable\b", job.schedule_python)}
    airflow = ", ".join(["DAG", *(name for name in _AIRFLOW_NAMES if name in used)])
    own = ", ".join([*(name for name in _OWN_NAMES if name in used), "KubernetesJobOperator"])
    moment = start.astimezone(UTC)
    return "\n".join(
        [
            f'"""{_summary(file)}',
            "",
            "Written by `cronlift import`. What you change here stays: the next import writes its version beside it.",
            '"""',
            "",
            "from datetime import UTC, datetime",
            "",
            f"from airflow.sdk import {airflow}",
            "",
            f"from cronlift import {own}",
            "",
            f'OWNER = "{team}"',
            f"START = datetime({', '.join(str(each) for each in _parts(moment))}, tzinfo=UTC)",
            "",
            "",
            _HELPER,
            "",
            "JOBS = [",
            *(line for job in jobs for line in _entry(job)),
            "]",
            "",
            "for job in JOBS:",
            "    make_dag(**job)",
            "",
        ]
    )


def _summary(file: str) -> str:
    """Return the first line of the module's docstring, without what would end it or be an escape."""
    shown = re.sub(r"[^\x20-\x7e]|[\"\\]", "_", file)
    return f"The jobs of {shown if len(shown) <= 80 else '...' + shown[-77:]}, a DAG for each line."


def _parts(moment: datetime) -> list[int]:
    parts = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
    while len(parts) > 3 and parts[-1] == 0:
        parts.pop()
    return parts


def _entry(job: JobSpecification) -> Iterator[str]:
    yield "    {"
    yield _long(f'        "dag_id": "{job.dag_id}",')
    yield from _schedule(job.schedule_python)
    yield _long(f'        "manifest": "{job.manifest}",')
    yield f'        "max_active_runs": {job.max_active_runs},'
    yield from _tags(job.tags)
    yield f'        "doc": {_text(job.doc)},'
    yield "    },"


def _long(line: str) -> str:
    return line if len(line) <= RUFF_WIDTH else f"{line}  # noqa: E501"


def _tags(tags: Sequence[str]) -> Iterator[str]:
    quoted = [f'"{each}"' for each in tags]
    line = f'        "tags": [{", ".join(quoted)}],'
    if len(line) <= RUFF_WIDTH:
        yield line
        return
    yield '        "tags": ['
    yield from (f"            {each}," for each in quoted)
    yield "        ],"


def _schedule(python: str) -> Iterator[str]:
    """Write the schedule on one line, or its arguments a line each, as `ruff format` does."""
    line = f'        "schedule": {python},'
    if len(line) <= RUFF_WIDTH:
        yield line
        return
    name, _, rest = python.partition("(")
    yield f'        "schedule": {name}('
    inner = f"            {rest.removesuffix(')')}"
    if len(inner) <= RUFF_WIDTH:
        yield inner
    else:
        yield from (f"            {each}," for each in _arguments(rest.removesuffix(")")))
    yield "        ),"


def _arguments(text: str) -> list[str]:
    return [each for each in re.findall(r'(?:\w+=)?"[^"]*"', text)]


def _text(doc: str) -> str:
    """Return a triple-quoted literal whose lines are not too long: a backslash at an end joins two."""
    return '"""\\\n' + "\n".join(_folded(each) for each in doc.rstrip("\n").split("\n")) + '\n"""'


def _folded(line: str) -> str:
    pieces, width = [""], 0
    escaped = [_escaped(each) for each in line]
    for at in range(2, len(escaped)):
        if escaped[at - 2 : at + 1] == ['"', '"', '"']:
            escaped[at] = '\\"'
    if escaped and line[-1] in " \t":
        escaped[-1] = "\\x20" if line[-1] == " " else "\\t"
    for piece in escaped:
        size = len(piece) if len(piece) > 1 else 1 + (unicodedata.east_asian_width(piece) in "WF")
        if width + size > LINE_WIDTH:
            head, blank, tail = pieces[-1].rpartition(" ")
            if blank and len(tail) < LINE_WIDTH // 2 and head.strip():
                pieces[-1:] = [head + blank, tail]
            else:
                pieces.append("")
            width = len(pieces[-1])
        pieces[-1] += piece
        width += size
    return "\\\n".join(pieces)


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character == "\t":
        return "\\t"
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
