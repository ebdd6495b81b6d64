"""What templates get of Airflow's context: the same names, less what would hang, and less what is another team's."""

from collections.abc import Mapping
from typing import Any

from cronlift.airflow.settings import TEAM_SEPARATOR
from cronlift.errors import ManifestError
from cronlift.job.access import belongs_to, refusal

_SLOW_IN_TRIGGERER = (
    "prev_start_date_success",
    "prev_end_date_success",
    "prev_data_interval_start_success",
    "prev_data_interval_end_success",
)


def template_context(context: Mapping[str, Any], team: str) -> dict[str, Any]:
    """Return the context as a team's templates see it.

    Args:
        context: Airflow's.
        team: The team's name.
    """
    known = dict(context)
    if "ti" in known:
        known["ti"] = known["task_instance"] = TemplateTaskInstance(known["ti"], team)
    for name in _SLOW_IN_TRIGGERER:
        if name in known:
            known[name] = _Refused(name)
    if isinstance(known.get("var"), Mapping):
        known["var"] = {kind: TeamNames(each, "variable", team) for kind, each in known["var"].items()}
    if "conn" in known:
        known["conn"] = TeamNames(known["conn"], "connection", team)
    return known


class TemplateTaskInstance:
    """The `ti` of templates.

    In a triggerer of Airflow 3.3.2, `ti.xcom_pull('up')` never returns, because it asks for all map indexes; asking
    for -1, the index of a task that is not mapped, works. So that is the default here.

    Args:
        task_instance: Airflow's.
        team: The team's name; results of other teams' DAGs are refused.
    """

    def __init__(self, task_instance: Any, team: str) -> None:
        self._task_instance, self._team = task_instance, team

    def xcom_pull(
        self, task_ids: Any = None, dag_id: str | None = None, *args: Any, map_indexes: Any = -1, **more: Any
    ) -> Any:
        """Pull an XCom of a task that is not mapped, or of the given map indexes.

        Raises:
            ManifestError: It is a task of another team's DAG.
        """
        if dag_id is not None and not belongs_to(dag_id, self._team):
            raise ManifestError(
                f"DAG {dag_id!r} is not team {self._team!r}'s, so its results cannot be read here",
                cure=f"Read results of DAGs whose ids begin with {self._team}{TEAM_SEPARATOR}.",
            )
        return self._task_instance.xcom_pull(task_ids, dag_id, *args, map_indexes=map_indexes, **more)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("xcom_push", "task"):
            raise AttributeError(name)
        return getattr(self._task_instance, name)


class TeamNames:
    """Airflow's variables or connections, less those of other teams.

    Args:
        accessor: Airflow's, which fetches by attribute or by `get`.
        what: "variable" or "connection".
        team: The team's name.
    """

    def __init__(self, accessor: Any, what: str, team: str) -> None:
        self._accessor, self._what, self._team = accessor, what, team

    def get(self, name: str, *default: Any, **more: Any) -> Any:
        """Fetch one by name, or give the default.

        Raises:
            ManifestError: It is another team's.
        """
        self._check(name)
        return self._accessor.get(name, *default, **more)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._check(name)
        return getattr(self._accessor, name)

    def _check(self, name: str) -> None:
        if not belongs_to(name, self._team):
            raise refusal(self._what, name, self._team)


class _Refused:
    """A name that would never return: using it says so."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        raise ManifestError(
            f"{self._name} cannot be read where manifests are rendered (Airflow 3.3.2)",
            cure="Use logical_date, data_interval_start or data_interval_end, or pass the value by an XCom.",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return str(self)
