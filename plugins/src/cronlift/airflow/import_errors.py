"""What keeps a DAG file from being imported, in words that help its author: by the kind of error."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cronlift.crontab.expression import parse_schedule
from cronlift.crontab.model import Flavour
from cronlift.crontab.zones import find_zone
from cronlift.errors import ScheduleError

_ANY_CURE = "Correct the line."
_CURES = {
    **dict.fromkeys(
        ("ImportError", "ModuleNotFoundError"),
        "Correct the name. Shared code comes from the image: put it into the package, or into the team's own folder.",
    ),
    **dict.fromkeys(
        ("SyntaxError", "IndentationError", "TabError"), "Correct the line; Python cannot read the file as it is."
    ),
    "NameError": "Import the name, or give it a value above the line.",
    "DuplicateTaskIdFound": "Give one of the tasks another task_id.",
    "SystemExit": "Leave it out: the DAG processor imports the file, and nobody waits for an exit code.",
    "SerializationError": "Give the DAG what Airflow can store: texts, numbers, dates, lists and dicts.",
}
_DATABASE_CURE = "Leave it to the task, which can ask Airflow's API. The DAG processor refuses it as well."


@dataclass(frozen=True)
class Explanation:
    """An error in words.

    Attributes:
        what: What is wrong, one sentence.
        cure: What to do about it; empty where `what` says it.
        kind: Of the finding.
        line: Where in the file what is wrong stands; None to keep the traceback's line.
    """

    what: str
    cure: str
    kind: str = "import"
    line: int | None = None


@dataclass(frozen=True)
class Source:
    """A file, and the line of it that the error names.

    Args:
        text: Of the file; empty where it cannot be read.
        line: From 1, or None.
    """

    text: str
    line: int | None

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of its syntax tree; none where it has none."""
        try:
            return list(ast.walk(ast.parse(self.text)))
        except (SyntaxError, ValueError, RecursionError):
            return []

    def line_of(self, text: str) -> int | None:
        """Return the line where a text stands: the next one from the line on, else the only one."""
        lines = sorted(each.lineno for each in self.nodes if isinstance(each, ast.Constant) and each.value == text)
        after = [each for each in lines if each >= (self.line or 0)]
        return after[0] if after and self.line else lines[0] if len(lines) == 1 else None


def explain(words: str, source: Source) -> Explanation:
    """Say what is wrong and what to do.

    Args:
        words: Of the error: its class without module, a colon, and its text.
        source: Where it was raised, as far as that lies in the team's folder.
    """
    for pattern, answer in _ANSWERS:
        found = pattern.search(words)
        answered = answer(found, source) if found is not None else None
        if answered is not None:
            return answered
    return Explanation(words, _CURES.get(words.partition(":")[0], _ANY_CURE))


def explain_schedule(timetable: Any, source: Source) -> Explanation | None:
    """Say what is wrong with a schedule by the clock, in this package's own words; None where nothing is.

    Args:
        timetable: Airflow's, as the DAG file has it.
        source: Where the DAG is made.
    """
    for each in [timetable, *getattr(timetable, "timetables", ())]:
        expression, zone = getattr(each, "expression", None), getattr(each, "timezone", None)
        try:
            wrong = expression
            if isinstance(expression, str):
                parse_schedule(expression, Flavour.DEBIAN)
            wrong = zone
            if isinstance(zone, str):
                find_zone(zone)
        except ScheduleError as error:
            return Explanation(error.what, error.cure, line=source.line_of(str(wrong)))
    return None


def _database(found: re.Match[str], source: Source) -> Explanation:
    return Explanation("the file uses Airflow's database while it is imported", _DATABASE_CURE, "database")


_ANSWERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Source], Explanation | None]], ...] = (
    # Source: airflow.sdk.execution_time.supervisor.block_orm_access of Airflow 3.3.
    (
        re.compile(
            "^RuntimeError: (Direct database access via the ORM|Database access) is "
            "|^AttributeError: Access to the Airflow Metadatabase"
            r"|^ImportError: cannot import name '(engine|async_engine|\w*Session)' from 'airflow\.settings'"
        ),
        _database,
    ),
)
