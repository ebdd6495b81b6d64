"""What an author reads whose DAG file does not import: the line, what is wrong, and the cure for that kind of error."""

from pathlib import Path
from textwrap import indent

import pytest

from cronlift.airflow.facts_pool import Bundle, load_facts
from cronlift.airflow.import_errors import Source, explain
from cronlift.facts.model import Finding

pytestmark = pytest.mark.usefixtures("parsing_workers")

HEAD = """\
from datetime import UTC, datetime; from zoneinfo import ZoneInfo
from airflow.sdk import DAG, CronDataIntervalTimetable, CronTriggerTimetable, MultipleCronTriggerTimetable, dag, task
from airflow.providers.standard.operators.empty import EmptyOperator
from cronlift import CrontabTimetable, KubernetesJobOperator

"""
TASK = 'EmptyOperator(task_id="x")'
CRON_CURE = "It takes 0-23, lists, ranges and steps of a range, for example `8-18`."
FIVE = "Write minute, hour, day of month, month and day of week, for example `30 2 * * 1-5`."
MOMENT = 'Write start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Paris")), of datetime and zoneinfo.'
SHARED = "Correct the name. Shared code comes from the image: put it into the package, or into the team's own folder."


def made(schedule: str = "None", tasks: str = TASK, more: str = "") -> str:
    """Return a file whose DAG begins at line 6, with its schedule at line 8, what else is said at 10, tasks from 12."""
    words = f'    "NAME",\n    schedule={schedule},\n    catchup=False,\n    {more or "tags=[]"},\n'
    return f"{HEAD}with DAG(\n{words}):\n{indent(tasks, '    ')}\n"


DECORATED = """\
@task
def x(): ...

@dag(
    "NAME",
    schedule="0 26 * * *",
)
def f():
    x()

f()
"""

BAD: dict[str, tuple[str, int, str, str]] = {
    "hour": (made('"0 26 * * *"'), 8, "DAG NAME: bad hour '26': 26 is out of bounds", CRON_CURE),
    "trigger": (made('CronTriggerTimetable("0 26 * * *", timezone="UTC")'), 8, "bad hour '26'", CRON_CURE),
    "interval": (made('CronDataIntervalTimetable("0 26 * * *", timezone="UTC")'), 8, "bad hour '26'", CRON_CURE),
    "crontab": (made('CrontabTimetable("0 26 * * *", timezone="UTC")'), 8, "bad hour '26'", CRON_CURE),
    "constant": (HEAD + 'AT = "0 26 * * *"\ndag = DAG("NAME", schedule=AT)\n', 6, "bad hour '26'", CRON_CURE),
    "decorator": (HEAD + DECORATED, 11, "bad hour '26'", CRON_CURE),
    "fields": (made('"0 6 * *"'), 8, "'0 6 * *' has 4 fields instead of five", FIVE),
    "nickname": (made('"@dayly"'), 8, "'@dayly' is no schedule", "Write one of @yearly"),
    "zone": (made('CronTriggerTimetable("0 6 * * *", timezone="Europe/Pariss")'), 8,
             "there is no time zone 'Europe/Pariss'", "Write Europe/Paris."),
    "far_zone": (made('CrontabTimetable("0 6 * * *", timezone="Nowhere")'), 8,
                 "there is no time zone 'Nowhere'", "Name one of the IANA database"),
    "zone_of_date": (made(more='start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Paris"))'), 10,
                     "there is no time zone 'Paris'", "Name one of the IANA database"),
    "text_for_date": (made('"0 6 * * *"', more='start_date="2026-01-01"'), 10,
                      "start_date is a text, '2026-01-01', not a datetime", MOMENT),
    "text_of_task": (made(tasks='EmptyOperator(task_id="x", start_date="2026-01-01")'), 12,
                     "start_date is a text, '2026-01-01', not a datetime", MOMENT),
    "misspelt": (made(tasks='KubernetesJobOperator(\n    task_id="x",\n    manifst="jobs/a.yaml",\n)'), 14,
                 "KubernetesJobOperator has no argument 'manifst'", "Write manifest."),
    "missing": (made(tasks='KubernetesJobOperator(task_id="x")'), 12,
                "the argument 'manifest' is missing", "Add manifest=... to the call."),
    "unknown": (made(tasks='EmptyOperator(task_id="x", retrys=3)'), 12,
                "EmptyOperator has no argument 'retrys'", "Write retries."),
    "unlike": (made(tasks='EmptyOperator(task_id="x", colour=3)'), 12,
               "EmptyOperator has no argument 'colour'", "Leave it out."),
    "of_dag": (made(more="catchupp=True"), 10, "DAG has no argument 'catchupp'", "Write catchup."),
    "own_words": (made(tasks='KubernetesJobOperator(task_id="x", manifest="a.txt", logs="on")'), 12,
                  "Task x: logs is 'on'. Use one of 'live', 'off'.", ""),
    "name": (made(tasks=TASK + "\nEmptyOperater(task_id=1)"), 13, "name 'EmptyOperater' is not defined",
             "Write EmptyOperator, or: import the name, or give it a value above the line."),
    "syntax": (HEAD + "with DAG('x'\n", 6, "SyntaxError: '(' was never closed", "Python cannot read the file"),
    "module": (HEAD + "import requets\n", 6, "ModuleNotFoundError: No module named 'requets'", SHARED),
    "import_name": (HEAD + "from airflow.sdk import DAGG\n", 6, "cannot import name 'DAGG' from 'airflow.sdk'", SHARED),
    "other": (HEAD + "1 / 0\n", 6, "ZeroDivisionError: division by zero", "Correct the line."),
    "circle": (made(tasks="a, b = EmptyOperator(task_id='a'), EmptyOperator(task_id='b')\na >> b >> a"), 6,
               "the tasks of DAG NAME wait for each other in a circle", "Take out one of the arrows"),
    "twice": (made(tasks=f"{TASK}\n{TASK}"), 13, "Task id 'x' has already been added", "another task_id"),
}  # fmt: skip
"""Name -> file, line, what is said, the cure. NAME is the DAG's id."""

GOOD = {
    "hour": made('"0 23 * * *"'),
    "zone": made('CronTriggerTimetable("0 6 * * *", timezone="Europe/Paris")'),
    "date": made('"0 6 * * *"', more="start_date=datetime(2026, 1, 1, tzinfo=UTC)"),
    "arguments": made(tasks='EmptyOperator(task_id="x", retries=3)'),
    "order": made(tasks="a, b = EmptyOperator(task_id='a'), EmptyOperator(task_id='b')\na >> b"),
}


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Finding, ...]]:
    root = tmp_path_factory.mktemp("errors")
    files = {f"bad_{name}": text for name, (text, *_) in BAD.items()} | {f"ok_{name}": x for name, x in GOOD.items()}
    for name, text in files.items():
        (root / f"{name}.py").write_text(text.replace("NAME", f"alpha__{name}"))
    found = load_facts(root, [Bundle("alpha", root, {"namespace": "team-alpha"})])
    return {Path(each.path).stem: each.findings for each in found}


@pytest.mark.parametrize("name", BAD)
def test_an_error_is_told_once_with_its_line_and_a_cure_for_it(
    findings: dict[str, tuple[Finding, ...]], name: str
) -> None:
    _, line, words, cure = BAD[name]
    (found,) = findings[f"bad_{name}"]
    assert (found.file, found.line, found.kind) == (f"bad_{name}.py", line, "import")
    assert words.replace("NAME", f"alpha__bad_{name}") in found.message
    assert cure in found.cure
    assert bool(found.cure) == bool(cure)


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_brings_up_nothing(findings: dict[str, tuple[Finding, ...]], name: str) -> None:
    assert findings[f"ok_{name}"] == ()


def test_shared_code_is_spoken_of_only_where_something_is_not_found() -> None:
    kinds = ("TypeError", "NameError", "SyntaxError", "ValueError", "AirflowTimetableInvalid", "AttributeError")
    assert not [each for each in kinds if "image" in explain(f"{each}: no", Source("", 1)).cure]
    assert "image" in explain("ModuleNotFoundError: No module named 'x'", Source("", 1)).cure
