"""A task's result as Airflow's XCom, written from the trigger.

Three facts of Airflow 3.3.2: the `xcoms` of a TaskSuccessEvent are encoded twice, so downstream tasks get text; a task
can be mapped over a result only when its length was stored with it; and only a worker's start clears what an earlier
try left.
"""

import asyncio
import json
import logging
import time
from typing import Any

from airflow.configuration import conf

from cronlift.errors import ResultError

RESULT_KEY = "return_value"
# While Airflow's database restarts, say. The Job has succeeded: giving up would call its task failed.
STORE_PATIENCE_SECONDS = 300.0
STORE_PAUSE_SECONDS = 5.0

log = logging.getLogger(__name__)


async def push_result(task_instance: Any, value: Any, *, mapped_over: bool = False) -> None:
    """Store the task's result; once more, by a triggerer that took over, replaces it with the same.

    Args:
        task_instance: Airflow's.
        value: Anything that JSON can say.
        mapped_over: Whether a later task expands over it, see `is_mapped_over`. Then a value that is no list or
            object, or is too long, is an error here and not an "upstream failed" there, as on a worker.

    Raises:
        ResultError: It cannot be stored, or not be mapped over.
    """
    key = _key(task_instance)
    length = None
    if key["map_index"] < 0:
        # Each instance of a mapped task counts as one, whatever its value.
        length = _required_length(value) if mapped_over else _length(value)
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultError(f"The Job's result is not JSON: {error}. Let the Job print JSON, without NaN.") from error
    end = time.monotonic() + STORE_PATIENCE_SECONDS
    while True:
        try:
            # In a thread: an XCom backend may write files, and all triggers share the event loop.
            await asyncio.to_thread(_set, key, value, length)
            return
        except Exception as error:
            if not _is_passing(error) or time.monotonic() > end:
                raise ResultError(
                    f"Airflow cannot store the Job's result: {type(error).__name__}: {error}. The Job has succeeded; "
                    "clear the task to run it again, or mark it successful if nothing reads its result."
                ) from error
            log.warning("Airflow does not store the Job's result yet: %s", error)
        await asyncio.sleep(STORE_PAUSE_SECONDS)


async def forget_result(task_instance: Any) -> None:
    """Remove the result of an earlier try, or later tasks would read it when this one leaves none.

    Needed from the second try on, of tasks that start in the triggerer: two questions to the triggerer's supervisor. A
    failure is logged; the task goes on.
    """
    if task_instance.try_number < 2:
        return
    try:
        await asyncio.to_thread(_delete, _key(task_instance))
    except Exception as error:
        log.warning("The result of an earlier try may still be there: %s: %s", type(error).__name__, error)


def is_mapped_over(task: Any) -> bool:
    """Tell whether a task of the DAG expands over this one's result.

    Args:
        task: The operator, in its complete DAG; walks all of it.
    """
    return next(iter(task.iter_mapped_dependants()), None) is not None


def _key(task_instance: Any) -> dict[str, Any]:
    return {
        "key": RESULT_KEY,
        "dag_id": task_instance.dag_id,
        "task_id": task_instance.task_id,
        "run_id": task_instance.run_id,
        "map_index": task_instance.map_index if task_instance.map_index is not None else -1,
    }


def _length(value: Any) -> int | None:
    """Return over how many items Airflow may map; None when it may not, which matters only to who tries."""
    if not isinstance(value, (list, dict)) or len(value) > _longest():
        return None
    return len(value)


def _required_length(value: Any) -> int:
    if not isinstance(value, (list, dict)):
        raise ResultError(
            f"The Job's result is {type(value).__name__}, but a later task is mapped over it. "
            "Let the Job print a JSON list or object."
        )
    if len(value) > _longest():
        raise ResultError(
            f"The Job's result has {len(value)} items, and a later task is mapped over it; Airflow maps over at most "
            f"{_longest()}. Raise [core] max_map_length, or let the Job print fewer."
        )
    return len(value)


def _longest() -> int:
    return int(conf.getint("core", "max_map_length", fallback=1024))


def _set(key: dict[str, Any], value: Any, length: int | None) -> None:
    from airflow.sdk.execution_time.xcom import XCom

    XCom.set(value=value, _mapped_length=length, **key)


def _delete(key: dict[str, Any]) -> None:
    from airflow.sdk.execution_time.xcom import XCom

    XCom.delete(**key)


def _is_passing(error: Exception) -> bool:
    """Tell whether Airflow may take the value a little later: its API answers 5xx, or nothing that it understands."""
    from airflow.sdk.exceptions import AirflowRuntimeError

    if not isinstance(error, AirflowRuntimeError):
        return False
    code = (error.error.detail or {}).get("status_code")
    return code is None or code >= 500
