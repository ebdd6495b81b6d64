"""Read a GitHub workflow as far as our own use it: jobs in the order of their needs, conditions, expressions, steps.

Pure. What it does not know it refuses, so that a workflow that runs at home does not silently run differently there.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ci.errors import UserError

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
COMPARISON = re.compile(r"(?P<left>[\w.-]+)\s*(?P<sign>[=!]=)\s*'(?P<right>[^']*)'")
NAME = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)+")
CALL = "./"
"""A reusable workflow of this repo."""


@dataclass(frozen=True)
class Step:
    """A step of a job.

    Attributes:
        name: Its name, or what it runs.
        run: Its command for Bash; empty for an action.
        action: The action without its version; empty for a command.
        condition: Its `if`, as written; empty for "when nothing has failed".
        env: Its variables, not evaluated yet.
        id: By which later steps name its outputs.
    """

    name: str
    run: str
    action: str
    condition: str
    env: Mapping[str, str]
    id: str


@dataclass(frozen=True)
class Job:
    """A job of a workflow.

    Attributes:
        id: Its key.
        needs: Jobs that run before it.
        condition: Its `if`, as written.
        env: Its variables, with those of the workflow below them.
        outputs: Name -> expression.
        steps: What it does; empty when it calls a workflow.
        calls: Path of the workflow that it calls; empty otherwise.
        inputs: What it gives to that workflow.
    """

    id: str
    needs: tuple[str, ...]
    condition: str
    env: Mapping[str, str]
    outputs: Mapping[str, str]
    steps: tuple[Step, ...]
    calls: str
    inputs: Mapping[str, str]


def read_jobs(text: str) -> list[Job]:
    """Return the jobs of a workflow, each behind those that it needs, otherwise in their order.

    Raises:
        UserError: A job needs one that is not there, or itself.
    """
    given = yaml.safe_load(text)
    shared = _texts(given.get("env"))
    jobs = {name: _job(name, job, shared) for name, job in given["jobs"].items()}
    ordered: list[Job] = []
    while len(ordered) < len(jobs):
        done = {job.id for job in ordered}
        ready = [job for job in jobs.values() if job.id not in done and set(job.needs) <= done]
        if not ready:
            stuck = {job.id: job.needs for job in jobs.values() if job.id not in done}
            raise UserError(f"These jobs wait for what never comes: {stuck}", cure="Correct their needs.")
        ordered.append(ready[0])
    return ordered


def fill(text: str, context: Mapping[str, Any]) -> str:
    """Return a text with its expressions filled in.

    Args:
        text: With `${{ needs.plan.outputs.images }}` and the like, or `${{ toJSON(needs) }}`.
        context: `needs`, `steps`, `github`, `inputs`, `vars`, each a tree of maps.

    Raises:
        UserError: An expression is none of the forms that this repo's workflows use.
    """
    return EXPRESSION.sub(lambda found: _value(found[1].strip(), context), text)


def holds(condition: str, context: Mapping[str, Any], *, failed: bool) -> bool:
    """Tell whether a job or step with this `if` runs.

    Args:
        condition: As written; empty means "when nothing has failed".
        context: As for `fill`.
        failed: Whether something before it has failed.

    Raises:
        UserError: The condition is none of the forms that this repo's workflows use.
    """
    condition = (condition[3:-2] if condition.startswith("${{") else condition).strip()
    if condition == "always()":
        return True
    if condition == "failure()":
        return failed
    if not condition:
        return not failed
    compared = COMPARISON.fullmatch(condition)
    if compared is None:
        raise UserError(
            f"The condition {condition!r} cannot be judged at home",
            cure="Write always(), failure(), or one comparison with a quoted text, or teach ci/workflow.py.",
        )
    return not failed and (_look_up(compared["left"], context) == compared["right"]) is (compared["sign"] == "==")


def expressions(text: str) -> Iterator[str]:
    """Yield every expression of a text."""
    yield from (found[1].strip() for found in EXPRESSION.finditer(text))


def _value(expression: str, context: Mapping[str, Any]) -> str:
    if expression == "toJSON(needs)":
        return json.dumps(context["needs"], indent=2)
    return _look_up(expression, context)


def _look_up(name: str, context: Mapping[str, Any]) -> str:
    found: Any = context
    if not NAME.fullmatch(name) or name.partition(".")[0] not in context:
        raise UserError(
            f"The expression {name!r} cannot be filled in at home",
            cure=f"Use one of {', '.join(sorted(context))} and names behind dots, or teach ci/workflow.py.",
        )
    for part in name.split("."):
        found = found.get(part, "") if isinstance(found, Mapping) else ""
    return str(found)


def _job(name: str, given: Mapping[str, Any], shared: Mapping[str, str]) -> Job:
    needs = given.get("needs", [])
    uses = str(given.get("uses", ""))
    if uses and not uses.startswith(CALL):
        raise UserError(f"Job {name} calls {uses}, which is not here", cure="Call workflows of this repo only.")
    return Job(
        id=name,
        needs=tuple([needs] if isinstance(needs, str) else needs),
        condition=str(given.get("if", "")),
        env={**shared, **_texts(given.get("env"))},
        outputs=_texts(given.get("outputs")),
        steps=tuple(_step(step) for step in given.get("steps", [])),
        calls=uses.removeprefix(CALL),
        inputs=_texts(given.get("with")),
    )


def _step(given: Mapping[str, Any]) -> Step:
    run, action = str(given.get("run", "")), str(given.get("uses", "")).partition("@")[0]
    return Step(
        name=str(given.get("name") or run or action),
        run=run,
        action=action,
        condition=str(given.get("if", "")),
        env=_texts(given.get("env")),
        id=str(given.get("id", "")),
    )


def _texts(given: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (given or {}).items()}
