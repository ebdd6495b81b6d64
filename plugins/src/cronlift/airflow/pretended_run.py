"""A run that never was: Airflow's context as far as a laptop knows it, to see what a manifest becomes."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from cronlift.job.names import CONTEXT_NAMES
from cronlift.job.naming import TaskIdentity

DEPLOYMENT = "laptop/laptop"


class Placeholder:
    """Something that only a run has, such as a connection: prints as its own name in angle brackets.

    Args:
        name: Its name.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return f"<{self._name}>"

    def __getattr__(self, name: str) -> "Placeholder":
        if name.startswith("__") or name in ("unsafe_callable", "alters_data"):
            raise AttributeError(name)
        return Placeholder(f"{self._name}.{name}")

    def __getitem__(self, key: Any) -> "Placeholder":
        return Placeholder(f"{self._name}[{key}]")

    def __call__(self, *words: Any, **more: Any) -> "Placeholder":  # noqa: D102 - a magic method
        given = [*map(str, words), *(f"{key}={value}" for key, value in more.items())]
        return Placeholder(f"{self._name}({', '.join(given)})")

    def __iter__(self) -> Iterator["Placeholder"]:
        yield Placeholder(f"{self._name}[0]")


class Macros:
    """Airflow's macros, imported when a manifest uses one: that takes a second."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("airflow.sdk.execution_time.macros"), name)


def pretended_context(identity: TaskIdentity, moment: datetime, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return Airflow's context of a run.

    Args:
        identity: Of the try.
        moment: The logical date, and both ends of the data interval.
        params: The params.

    Returns:
        Every name that Airflow gives; what cannot be known is a `Placeholder`.
    """
    ids = {"dag_id": identity.dag_id, "run_id": identity.run_id}
    task_instance = SimpleNamespace(
        **ids,
        task_id=identity.task_id,
        try_number=identity.try_number,
        map_index=identity.map_index,
        xcom_pull=Placeholder("ti.xcom_pull"),
    )
    placeholders: dict[str, Any] = {name: Placeholder(name) for name in CONTEXT_NAMES}
    return placeholders | {
        "ds": f"{moment:%Y-%m-%d}",
        "ds_nodash": f"{moment:%Y%m%d}",
        "ts": moment.isoformat(),
        "ts_nodash": f"{moment:%Y%m%dT%H%M%S}",
        "ts_nodash_with_tz": moment.isoformat().replace("-", "").replace(":", ""),
        "logical_date": moment,
        "data_interval_start": moment,
        "data_interval_end": moment,
        "run_id": identity.run_id,
        "params": dict(params),
        "macros": Macros(),
        "dag": SimpleNamespace(dag_id=identity.dag_id),
        "task": SimpleNamespace(task_id=identity.task_id),
        "task_instance_key_str": f"{identity.dag_id}__{identity.task_id}__{moment:%Y%m%d}",
        "ti": task_instance,
        "task_instance": task_instance,
        "dag_run": SimpleNamespace(**ids, logical_date=moment, run_after=moment, conf={}),
        "inlets": [],
        "outlets": [],
    }


def pretended_identity(dag_id: str, task_id: str, date: datetime | None) -> tuple[TaskIdentity, datetime]:
    """Return the first try of a run, and its logical date.

    Args:
        dag_id: DAG id.
        task_id: Task id.
        date: Logical date, in UTC; None for now.
    """
    moment = (date or datetime.now(UTC)).replace(tzinfo=UTC)
    return TaskIdentity(DEPLOYMENT, dag_id, f"manual__{moment.isoformat()}", task_id, -1, 1), moment
