"""What Airflow's database says of task instances: for the sweeper, which runs beside Airflow and not inside it.

Importing Airflow's models takes 1.4 s of CPU and 120 MiB, so it happens only when there is something to look up.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cronlift.errors import DatabaseError
from cronlift.job.naming import TaskIdentity
from cronlift.job.orphans import TaskKey, TaskRecord, task_key

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# Four parameters a task; SQLite, the smallest of the databases, allows 32,766 in a statement.
CHUNK = 500


def read_records(identities: Sequence[TaskIdentity]) -> dict[TaskKey, TaskRecord]:
    """Look task instances up. Blocking: call it in a thread.

    Args:
        identities: Whose records are wanted; any number.

    Returns:
        The records of those that exist.

    Raises:
        DatabaseError: The database does not answer, has another schema, or holds no task instance at all: then it is
            a new or a foreign one, in which every Job would look like an orphan.
    """
    from airflow.utils.session import create_session
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with create_session(scoped=False) as session:
            return select_records(session, sorted({task_key(each) for each in identities}))
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise DatabaseError(
            f"Cannot read task instances from Airflow's database: {cause}. "
            "Run this in a Pod of the release, which has the database's connection and this version of Airflow."
        ) from error


def select_records(session: "Session", keys: Sequence[TaskKey]) -> dict[TaskKey, TaskRecord]:
    """Look task instances up in an open session; see `read_records`."""
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select, tuple_

    if session.execute(select(TaskInstance.id).limit(1)).first() is None:
        raise DatabaseError(
            "Airflow's database holds no task instance at all, so it cannot be the one that these Jobs came from. "
            "Check [database] sql_alchemy_conn and CRONLIFT_DEPLOYMENT."
        )
    columns = (TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index)
    query = select(*columns, TaskInstance.state, TaskInstance.try_number, TaskInstance.id)
    found = {}
    for start in range(0, len(keys), CHUNK):
        chosen = query.where(tuple_(*columns).in_(keys[start : start + CHUNK]))
        for dag_id, run_id, task_id, map_index, state, try_number, instance_id in session.execute(chosen):
            found[(dag_id, run_id, task_id, map_index)] = TaskRecord(state, try_number, str(instance_id))
    return found
