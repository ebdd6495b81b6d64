"""Links from a task in Airflow's UI to its Job and its Pods' logs, by the deployment's URL templates.

The API server makes them when someone looks at a task, because a Job's name follows from the task instance's try. So a
link costs the task nothing, and an earlier try leads to its own Job. (Links that an operator declares are XComs in
Airflow 3.3.2: a write for each task, and one value for all tries.)
"""

import logging
from collections.abc import Mapping
from string import Formatter
from typing import Any, ClassVar
from urllib.parse import quote

import attrs
from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.bases.operatorlink import BaseOperatorLink

from cronlift.airflow import settings
from cronlift.airflow.operator import KubernetesJobOperator
from cronlift.errors import CronliftError, SettingsError
from cronlift.job.naming import TaskIdentity, job_name

TITLES = {"job": "Job", "logs": "Logs"}
FIELDS = ("namespace", "job", "cluster", "dag_id", "run_id", "task_id", "map_index", "try_number")
OWN_CLUSTER = "own"

log = logging.getLogger(__name__)


@attrs.define
class TemplateLink(BaseOperatorLink):
    """A link whose URL is a template."""

    operators: ClassVar[list[type[BaseOperator]]] = [KubernetesJobOperator]

    title: str
    template: str

    @property
    def name(self) -> str:
        """The text of the link."""
        return self.title

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL for a try.

        Args:
            operator: The task, as the API server reads it from the serialized DAG.
            ti_key: The try.

        Returns:
            The URL; empty, which shows no link, before the first try and where its parts cannot be told.
        """
        # Airflow 3.3.2 gives a mapped task the links of every operator whose class is called the same.
        if ti_key.try_number < 1 or getattr(operator, "_task_module", "") != KubernetesJobOperator.__module__:
            return ""
        try:
            fields = _fields(operator, ti_key)
        except CronliftError as error:
            log.warning("No link %s for task %s of DAG %s: %s", self.name, ti_key.task_id, ti_key.dag_id, error)
            return ""
        used = {name for _, name, _, _ in Formatter().parse(self.template) if name}
        if not used <= fields.keys():
            return ""
        return self.template.format_map({name: quote(value, safe="") for name, value in fields.items()})


def make_links(templates: Mapping[str, str]) -> list[TemplateLink]:
    """Make the links that a deployment wants.

    Args:
        templates: "job" and "logs" -> URL template, as settings have them.

    Raises:
        SettingsError: A name or a template is wrong.
    """
    for name, template in templates.items():
        if name not in TITLES:
            raise SettingsError(_fault(f"there is no link {name!r}", f"The links are {', '.join(TITLES)}."))
        _check(name, template)
    return [TemplateLink(TITLES[name], template) for name, template in templates.items()]


def _check(name: str, template: str) -> None:
    """Refuse what is no URL, or has a field that no task has."""
    if not template.startswith(("https://", "http://")):
        raise SettingsError(_fault(f"link {name!r} is {template!r}", "Begin it with https:// or http://."))
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise SettingsError(
            _fault(f"link {name!r}: {error}", "Write a brace of the URL itself as %7B or %7D, or double it.")
        ) from error
    for _, field, form, conversion in parts:
        if field is not None and (field not in FIELDS or form or conversion):
            written = field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            raise SettingsError(
                _fault(
                    f"link {name!r} holds {{{written}}}",
                    f"The fields are {', '.join(f'{{{each}}}' for each in FIELDS)}, as they stand. "
                    "Write a brace of the URL itself as %7B or %7D, or double it.",
                )
            )


def _fault(what: str, cure: str) -> str:
    return f"Environment variable {settings.LINKS_VARIABLE}: {what}. {cure}"


def _fields(operator: Any, ti_key: Any) -> dict[str, str]:
    map_index = ti_key.map_index if ti_key.map_index is not None else -1
    identity = TaskIdentity(
        settings.read_deployment(), ti_key.dag_id, ti_key.run_id, ti_key.task_id, map_index, ti_key.try_number
    )
    fields = {
        "namespace": settings.team_of(identity.dag_id, settings.read_teams()).namespace,
        "job": job_name(identity),
        "dag_id": identity.dag_id,
        "run_id": identity.run_id,
        "task_id": identity.task_id,
        "map_index": str(map_index),
        "try_number": str(identity.try_number),
    }
    cluster = _cluster(operator)
    return fields | ({"cluster": cluster} if cluster is not None else {})


def _cluster(operator: Any) -> str | None:
    """Return the name of the task's cluster; None when the serialized DAG does not tell it."""
    start = getattr(operator, "start_trigger_args", None)
    if start is not None:
        from airflow.serialization.decoders import smart_decode_trigger_kwargs

        kwargs = smart_decode_trigger_kwargs(start.trigger_kwargs or {})  # type: ignore[no-untyped-call]
        return str(kwargs.get("cluster") or OWN_CLUSTER)
    arguments = getattr(operator, "partial_kwargs", None)
    mapped_over = getattr(getattr(operator, "expand_input", None), "value", {})
    if arguments is None or "cluster" in mapped_over:
        return None
    return str(arguments.get("cluster") or OWN_CLUSTER)
