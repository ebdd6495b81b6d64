"""Send the DAG processor no callback for a task that has succeeded: it would parse the file, and do nothing.

In Airflow 3.3.2 every end that a trigger writes becomes a callback request, a success too. The DAG processor forks,
imports the DAG's file, warns "Task callback requested but is not a failure callback", and forgets it: a parse for each
task that ends well. (A success callback runs on a worker, where such a task ends; see `worker.py`.) To be removed when
`airflow.models.trigger` asks for callbacks of failures alone.
"""

import functools
from typing import Any


def send_none() -> None:
    """Have this process send callbacks of failures only; once is enough, twice does no harm."""
    from airflow.callbacks.callback_requests import TaskCallbackRequest
    from airflow.callbacks.database_callback_sink import DatabaseCallbackSink

    send = DatabaseCallbackSink.send
    if getattr(send, "sends_no_successes", False):
        return

    @functools.wraps(send)
    def send_what_is_heeded(self: Any, callback: Any, **more: Any) -> None:
        if not isinstance(callback, TaskCallbackRequest) or callback.is_failure_callback:
            send(self, callback, **more)

    send_what_is_heeded.sends_no_successes = True  # type: ignore[attr-defined]
    DatabaseCallbackSink.send = send_what_is_heeded  # type: ignore[method-assign]
