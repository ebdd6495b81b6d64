"""Which try of which task instance this is, as Airflow tells it."""

from typing import Any

from cronlift.airflow import settings
from cronlift.job.naming import TaskIdentity


def identity_of(task_instance: Any) -> TaskIdentity:
    """Read a task instance's identity.

    Args:
        task_instance: Airflow's, on a worker or in the triggerer.

    Raises:
        SettingsError: The deployment has no name.
    """
    return TaskIdentity(
        deployment=settings.read_deployment(),
        dag_id=task_instance.dag_id,
        run_id=task_instance.run_id,
        task_id=task_instance.task_id,
        map_index=task_instance.map_index if task_instance.map_index is not None else -1,
        try_number=task_instance.try_number,
        # New for each try and each run, also when a run of the same id was deleted and made again.
        instance_id=str(getattr(task_instance, "id", "") or ""),
    )
