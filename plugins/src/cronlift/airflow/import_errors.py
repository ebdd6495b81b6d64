"""What keeps a DAG file from being imported, in words that help its author: by the kind of error."""

import ast
import builtins
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any
from zoneinfo import available_timezones

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
    "DuplicateTaskIdFound": "Give one of the tasks another task_id.",
    "SystemExit": "Leave it out: the DAG processor imports the file, and nobody waits for an exit code.",
    "SerializationError": "Give the DAG what Airflow can store: texts, numbers, dates, lists and dicts.",
}
_NEAR = 0.7
"""How alike a misspelt word and the right one are, by difflib: `manifst` is, `path` for `manifest` is not."""


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

    def arguments(self) -> dict[str, ast.keyword]:
        """Return the named arguments of the calls that begin at the line."""
        calls = [each for each in self.nodes if isinstance(each, ast.Call) and each.lineno == self.line]
        return {each.arg: each for call in calls for each in call.keywords if each.arg}

    def callee(self, argument: str) -> str:
        """Return what is called at the line with a named argument, as it is written."""
        calls = (each for each in self.nodes if isinstance(each, ast.Call) and each.lineno == self.line)
        return next(ast.unparse(call.func) for call in calls if any(each.arg == argument for each in call.keywords))

    def names(self) -> set[str]:
        """Return the names that are imported, or get a value."""
        given = {each.id for each in self.nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        imported = {each.asname or each.name for each in self.nodes if isinstance(each, ast.alias)}
        defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return given | imported | {each.name for each in self.nodes if isinstance(each, defined)}

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
    """Say what is wrong with a schedule by the clock that Airflow does not take; None where we see nothing either.

    Args:
        timetable: Airflow's, as the DAG file has it.
        source: Where the DAG is made.
    """
    for each in [timetable, *getattr(timetable, "timetables", ())]:
        expression, zone = getattr(each, "expression", None), getattr(each, "timezone", None)
        if isinstance(expression, str):
            try:
                parse_schedule(expression, Flavour.DEBIAN)
            except ScheduleError as error:
                return Explanation(error.what, error.cure, line=source.line_of(expression))
        if isinstance(zone, str) and (found := _zone(zone, source)):
            return found
    return None


def _zone(name: str, source: Source) -> Explanation | None:
    try:
        find_zone(name)
    except ScheduleError as error:
        near = _near(name, available_timezones())
        return Explanation(error.what, f"Write {near}." if near else error.cure, line=source.line_of(name))
    return None


def _near(word: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(word, sorted(known), 1, _NEAR)), None)


def _database(found: re.Match[str], source: Source) -> Explanation:
    cure = "Leave it to the task, which can ask Airflow's API. The DAG processor refuses it as well."
    return Explanation("the file uses Airflow's database while it is imported", cure, "database")


def _unknown_zone(found: re.Match[str], source: Source) -> Explanation | None:
    return _zone(found["zone"], source)


def _missing_argument(found: re.Match[str], source: Source) -> Explanation:
    missing, given = found["missing"], source.arguments()
    near = _near(missing, given)
    if near is None:
        return Explanation(f"the argument {missing!r} is missing", f"Add {missing}=... to the call.")
    return Explanation(f"{source.callee(near)} has no argument {near!r}", f"Write {missing}.", line=given[near].lineno)


def _unknown_arguments(found: re.Match[str], source: Source) -> Explanation:
    given = source.arguments()
    said = re.findall(r"'(\w+)'", found["words"])
    words = [each for each in said if each in given] or said[:1]
    known = _parameters(found["of"])
    meant = [near for each in words if (near := _near(each, known))]
    line = given[words[0]].lineno if words[0] in given else None
    what = f"{found['of']} has no argument {', '.join(map(repr, words))}"
    return Explanation(what, f"Write {', '.join(meant)}." if meant else "Leave it out.", line=line)


def _parameters(name: str) -> set[str]:
    """Return what the operator of a name takes, or the DAG."""
    from airflow.sdk import DAG, BaseOperator

    takers: list[type] = [DAG, *_with_subclasses(BaseOperator)]
    classes = [each for each in takers if each.__name__ == name]
    bases: set[type] = set().union(*(each.__mro__ for each in classes))
    makers = [vars(base)["__init__"] for base in bases if "__init__" in vars(base)]
    return {
        parameter.name
        for maker in makers
        if inspect.isfunction(maker)
        for parameter in inspect.signature(maker).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }


def _with_subclasses(kind: type) -> Iterator[type]:
    yield kind
    below: list[type] = kind.__subclasses__()
    for each in below:
        yield from _with_subclasses(each)


def _text_for_moment(found: re.Match[str], source: Source) -> Explanation | None:
    for name, given in source.arguments().items():
        if name.endswith("_date") and isinstance(given.value, ast.Constant) and isinstance(given.value.value, str):
            cure = f'Write {name}=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Paris")), of datetime and zoneinfo.'
            return Explanation(f"{name} is a text, {given.value.value!r}, not a datetime", cure, line=given.lineno)
    return None


def _unknown_name(found: re.Match[str], source: Source) -> Explanation:
    near = _near(found["name"], source.names() | set(dir(builtins)))
    cure = "Import the name, or give it a value above the line."
    return Explanation(found[0], f"Write {near}, or: {cure[0].lower()}{cure[1:]}" if near else cure)


def _circle(found: re.Match[str], source: Source) -> Explanation:
    what = f"the tasks of DAG {found['dag']} wait for each other in a circle, task {found['task']!r} among them"
    return Explanation(what, "Take out one of the arrows (>>) of the circle.")


def _own_words(found: re.Match[str], source: Source) -> Explanation:
    return Explanation(found["what"], found["cure"])


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
    (re.compile(r"^InvalidTimezone: (?P<zone>\S+)$"), _unknown_zone),
    (re.compile(r"^ScheduleError: there is no time zone '(?P<zone>[^']+)'"), _unknown_zone),
    (re.compile(r"^ZoneInfoNotFoundError: '?No time zone found with key (?P<zone>[^']+)"), _unknown_zone),
    (re.compile(r"^TypeError: missing keyword argument '(?P<missing>\w+)'"), _missing_argument),
    (
        re.compile(r"^TypeError: \w+\.__init__\(\) missing 1 required keyword-only argument: '(?P<missing>\w+)'"),
        _missing_argument,
    ),
    (
        re.compile(r"Invalid arguments were passed to (?P<of>\w+) \(.*\*\*kwargs: (?P<words>\{.*)", re.DOTALL),
        _unknown_arguments,
    ),
    (
        re.compile(r"^TypeError: (?P<of>\w+)\.__init__\(\) got an unexpected keyword argument (?P<words>'\w+')"),
        _unknown_arguments,
    ),
    (re.compile(r"^AttributeError: 'str' object has no attribute '(utcoffset|tzinfo|timestamp)'"), _text_for_moment),
    (re.compile(r"^NameError: name '(?P<name>\w+)' is not defined"), _unknown_name),
    (re.compile(r"Cycle detected in Dag: (?P<dag>\S+)\. Faulty task: (?P<task>\S+)$"), _circle),
    # This package's own errors, which bring their cure along.
    (re.compile(r"^ScheduleError: (?P<what>.+?)\. (?P<cure>.+)$", re.DOTALL), _own_words),
    (re.compile(r"^OperatorArgumentError: (?P<what>.+)(?P<cure>)$", re.DOTALL), _own_words),
    # Python names the other module's file, which lies elsewhere on each machine.
    (
        re.compile(r"^(?P<what>ImportError: cannot import name .+) \(/.+\)$"),
        lambda found, _: Explanation(found["what"], _CURES["ImportError"]),
    ),
)
